# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy pipeline`: a network over several processes or GPUs, a stage in each."""

import sys

from rich import box
from rich.table import Table

from vla_common.errors import ConfigError
from vla_common.terminal import console, parser, positive, progress
from vla_deploy.commands import verb
from vla_deploy.pipelining.runner import STEPS, PipelineResult, run_in_stages
from vla_deploy.publishing import VerificationOptions, expected_answers
from vla_deploy.reference_model import from_bundle
from vla_deploy.timing.platform import load, processor
from vla_policy.bundle.bundle import load_bundle
from vla_robot import load_robot

EPILOG = """\
For a network that fits no single device: torch.distributed.pipelining splits the bundle's source
into stages of about equal weight. Each runs in its own process, on the CPU or on a GPU each
(--device cuda), loads no other stage, and sends its outputs to the next. The output shows what each
holds, whether the answers are those of the reference model, and the latency of one observation and
the throughput of many, beside the network in one piece.

--budget MB limits the weights of a stage; without --stages, the fewest stages within it are made.
A head whose layers are called repeatedly for one answer (flow, diffusion, autoregressive) stays in
one stage. Nothing is written: the inference node runs bundles in one piece. A pipeline makes room,
not speed: one observation takes longer, as it crosses from process to process.

examples:
  ros2 run vla_deploy pipeline --bundle models/humanoid_vla --stages 3
  ros2 run vla_deploy pipeline --bundle models/large --budget 20 --json
exit code: 0 the same answers, 3 different ones, 2 wrong input"""


def stages_table(ran: PipelineResult, budget_mb: float | None) -> Table:
    """Memory of each process, and of the whole network."""

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


def times_table(ran: PipelineResult) -> Table:
    """Latency of one observation and throughput of many."""
    table = Table('network', 'p50 ms', 'p99 ms', 'a second', 'in flight', box=box.SIMPLE)
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


@verb.plain
def main(arguments: list[str] | None = None) -> int:
    what = 'Run a network in pipeline stages, a process for each.'
    p = parser('vla_deploy pipeline', what, EPILOG)
    p.add_argument('--stages', type=positive, metavar='N', help='number of stages')
    p.add_argument(
        '--budget', type=float, metavar='MB', help='memory for the weights of each stage'
    )
    p.add_argument(
        '--micro-batches',
        type=positive,
        default=8,
        metavar='M',
        help='observations in flight together, for the throughput (default 8)',
    )
    p.add_argument('--device', choices=('cpu', 'cuda'), default='cpu', help='(default cpu)')
    verb.add_options(p, 'bundle', 'observations', 'count', 'rounds', 'threads', 'robot', 'json')
    a = p.parse_args(arguments)
    if a.stages is None and a.budget is None:
        raise ConfigError('pipeline', '', 'neither --stages nor --budget', 'at least one')
    if a.budget is not None and not a.budget > 0:
        raise ConfigError('--budget', '', a.budget, 'MB, above 0')
    bundle = load_bundle(a.bundle, accept_failed=True)
    reference = from_bundle(a.bundle)
    with progress('steps') as bar:
        line = bar.add_task('observations', total=STEPS + 1)

        def step(name: str) -> None:
            bar.update(line, description=name, advance=1)

        options = VerificationOptions(load_robot(a.robot), a.observations, a.count)
        expected = expected_answers(a.bundle, options, reference)
        ran = run_in_stages(
            reference,
            expected,
            bundle.model.action,
            a.stages,
            budget_mb=a.budget,
            micro_batches=a.micro_batches,
            rounds=a.rounds,
            threads=a.threads,
            device=a.device,
            log=step,
        )
        step('compared')
    machine = processor()
    verb.show(f'{a.threads} thread(s) a process, {machine}, load {load()}')
    console.print(stages_table(ran, a.budget))
    console.print(times_table(ran))
    parity = ran.parity
    verb.show(f'difference: {parity.max_error_rad:.1e} rad at most, cosine {parity.cosine:.6f}')
    verb.print_json(a, {'machine': machine, 'load': load(), **ran.to_dict()})
    if ran.reason:
        print(f'not the answers of the reference model: {ran.reason}', file=sys.stderr)
        return verb.FAILED
    return 0
