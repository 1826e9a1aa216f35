# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy pipeline`: a network over several processes or GPUs, a stage in each."""

from __future__ import annotations

import sys
from pathlib import Path

from rich import box
from rich.table import Table

from vla_common.errors import ConfigError
from vla_common.terminal import console, guarded, parser, positive, progress
from vla_deploy.atomic_io import as_json
from vla_deploy.commands.verification_options import FAILED
from vla_deploy.pipelining.runner import STEPS, Ran, run_in_stages
from vla_deploy.publishing import VerificationOptions, reference_of
from vla_deploy.reference_model import from_bundle
from vla_deploy.timing.platform import load, processor
from vla_policy.bundle.bundle import load_bundle
from vla_robot import load_robot

EPILOG = """\
For a network that fits no one device: torch.distributed.pipelining cuts the bundle's source into
stages of about equal weight. Each runs in a process of its own that holds no other stage, on the
CPU or on a GPU each (--device cuda), and sends what it found to the next. You are told what each
holds, whether the answers are the original's, and the latency of one observation and throughput of
many, beside the network in one piece.

--budget MB says how much a stage may hold; without --stages, the fewest that do with that are made.
A head whose layers are called again and again for one answer (flow, diffusion, autoregressive)
stays in one stage. Nothing is written: the inference node runs bundles in one piece. A pipeline
makes room, not speed: one observation takes longer, as it crosses from process to process.

examples:
  ros2 run vla_deploy pipeline --bundle models/humanoid_vla --stages 3
  ros2 run vla_deploy pipeline --bundle models/large --budget 20 --json
exit code: 0 the original's answers, 3 others, 2 something given is wrong"""


def stages_table(ran: Ran, budget_mb: float | None) -> Table:
    """What each process holds, and the whole network below."""

    def fits(mb: float) -> str:
        return '-' if budget_mb is None else 'yes' if mb <= budget_mb else 'no'

    within = 'fits' if budget_mb is None else f'in {budget_mb:g} MB'
    table = Table('stage', box=box.SIMPLE)
    table.add_column('begins with', overflow='fold')
    for title in ('parameters', 'MB held', within, 'device'):
        table.add_column(title)
    for i, stage in enumerate(ran.stages):
        held = ran.held_mb[i]
        begins = stage.begins or 'its input'
        count = f'{stage.parameters:,}'
        table.add_row(str(i), begins, count, f'{held:.2f}', fits(held), ran.devices[i])
    table.add_row('whole', '', '', f'{ran.whole_mb:.2f}', fits(ran.whole_mb), 'one process')
    return table


def times_table(ran: Ran) -> Table:
    """Latency of one observation, throughput of many."""
    table = Table('network', 'p50 ms', 'p99 ms', 'a second', 'under way', box=box.SIMPLE)
    for name, figures, many in (
        (f'{len(ran.stages)} stage(s)', ran.split, ran.micro_batches),
        ('in one piece', ran.whole, 1),
    ):
        table.add_row(
            name,
            f'{figures.p50_ms:.2f}',
            f'{figures.p99_ms:.2f}',
            f'{figures.throughput_hz:.1f}',
            str(many),
        )
    return table


def _run(arguments: list[str] | None) -> int:
    p = parser(
        'vla_deploy pipeline', 'Run a network in pipeline stages, a process for each.', EPILOG
    )
    p.add_argument('--bundle', type=Path, required=True, metavar='DIR', help='with a source')
    p.add_argument('--stages', type=positive, metavar='N', help='how many')
    p.add_argument('--budget', type=float, metavar='MB', help='of weights, for each stage')
    p.add_argument(
        '--micro-batches', type=positive, default=8, metavar='M',
        help='observations under way together, for the throughput (default 8)',
    )  # fmt: skip
    p.add_argument('--rounds', type=positive, default=100, help='timed calls (default 100)')
    p.add_argument('--threads', type=positive, default=1, help='of each process (default 1)')
    p.add_argument('--device', choices=('cpu', 'cuda'), default='cpu', help='(default cpu)')
    p.add_argument('--observations', type=Path, metavar='FILE', help='recording (.npz)')
    p.add_argument('--count', type=positive, default=24, help='observations (default 24)')
    p.add_argument('--robot', default='humanoid32', help='name or path (default humanoid32)')
    p.add_argument('--json', action='store_true', help='print the result as JSON on stdout')
    a = p.parse_args(arguments)
    if a.stages is None and a.budget is None:
        raise ConfigError('pipeline', '', 'neither --stages nor --budget', 'at least one')
    if a.budget is not None and not a.budget > 0:
        raise ConfigError('--budget', '', a.budget, 'MB, above 0')
    described = load_bundle(a.bundle, accept_failed=True)
    if described.action is None:
        raise ConfigError(str(described.file), 'outputs', 'nothing', 'an action, to be compared')
    original = from_bundle(a.bundle)
    with progress('steps') as bar:
        line = bar.add_task('observations', total=STEPS + 1)

        def step(name: str) -> None:
            bar.update(line, description=name, advance=1)

        proof = VerificationOptions(load_robot(a.robot), a.observations, a.count)
        reference = reference_of(a.bundle, proof, original)
        ran = run_in_stages(
            original,
            reference.inputs,
            reference.outputs,
            described.action,
            a.stages,
            budget_mb=a.budget,
            micro_batches=a.micro_batches,
            rounds=a.rounds,
            threads=a.threads,
            device=a.device,
            tell=step,
        )
        step('compared')
    machine = processor()
    console.print(f'{a.threads} thread(s) a process, {machine}, load {load()}', soft_wrap=True)
    console.print(stages_table(ran, a.budget))
    console.print(times_table(ran))
    console.print(
        f'against the original: {ran.parity.max_error_rad:.1e} rad at most, cosine '
        f'{ran.parity.cosine:.6f}',
        soft_wrap=True,
    )
    if a.json:
        print(as_json({'machine': machine, 'load': load(), **ran.to_dict()}))
    if ran.reason:
        print(f"not the original's answers: {ran.reason}", file=sys.stderr)
        return FAILED
    return 0


def main(arguments: list[str] | None = None) -> int:
    return guarded(_run, arguments)


if __name__ == '__main__':
    sys.exit(main())
