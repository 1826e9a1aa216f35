# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The whole way: export, optimise, quantise, prune, verify, race, compare, and keep the best."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from vla_common.errors import ConfigError
from vla_common.yaml_file import load_yaml
from vla_deploy.closed_loop import Paired, pair, remembering
from vla_deploy.exporting import export
from vla_deploy.fine_tuning import Tuning
from vla_deploy.optimising import optimise_onnx, optimise_torchscript
from vla_deploy.parity import EXACT, LOSSY, ParityLimits
from vla_deploy.pruning.pruning import PruningPlan, prune
from vla_deploy.publishing import VerificationOptions, reference_of
from vla_deploy.quantisation.quantising import quantise
from vla_deploy.quantisation.schemes import QuantisationSettings
from vla_deploy.reference_model import from_bundle
from vla_deploy.runners import check_device
from vla_deploy.staging import staged, write_yaml
from vla_deploy.timing.benchmark import Entry, benchmark, best_of
from vla_deploy.verification import VerificationFailed, VerificationReference, VerificationResult
from vla_models.dataset import open_dataset
from vla_policy.bundle.bundle import load_bundle

Make = Callable[[Path], VerificationResult | None]


@dataclass(frozen=True)
class Candidate:
    """Something to try. `make(out)` writes and verifies it; quick: also with --quick."""

    name: str
    title: str
    make: Make
    quick: bool = False


@dataclass
class TuningOutcome:
    """What became of the candidates. refused: name to why. entries: those that were raced."""

    entries: list[Entry] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    best: str | None = None
    closed_loop: Paired | None = None
    reference: str = ''
    observations: str = ''


def candidates(
    bundle: Path,
    proof: VerificationOptions,
    acting: VerificationOptions,
    reference: VerificationReference,
    target: str,
    limits: ParityLimits,
    tuning: Tuning | None = None,
    amount: float = 0.3,
) -> Iterator[Candidate]:
    """What is worth trying on `target` (cpu or cuda). acting: a proof in which the closed loop
    decides about answers that differ. tuning: how a pruned network is trained on;
    None: none is pruned."""
    has_source = load_bundle(bundle, accept_failed=True).source is not None

    def optimised(level: str) -> Make:
        return lambda out: optimise_onnx(bundle, out, proof, level=level, reference=reference)

    def fewer_bits(way: str, settings: QuantisationSettings | None = None) -> Make:
        return lambda out: (
            quantise(
                bundle,
                out,
                way,
                proof,
                settings=settings,
                search=True,
                limits=limits,
                reference=reference,
            ).finding
        )

    def script(channels_last: bool, dtype: torch.dtype | None) -> Make:
        return lambda out: optimise_torchscript(
            bundle,
            out,
            proof,
            channels_last=channels_last,
            dtype=dtype,
            limits=EXACT if dtype is None else limits,
            reference=reference,
        )

    def pruned(out: Path) -> VerificationResult | None:
        # Verified once, in its last form: what differs is judged by acting, which takes long.
        with tempfile.TemporaryDirectory() as scratch:
            plan = PruningPlan(importance='fisher', amount=amount)
            unverified = replace(proof, skip=True)
            made = Path(scratch) / 'pruned'
            prune(bundle, made, plan, unverified, tuning=tuning, reference=reference)
            return optimise_onnx(made, out, acting, level='all', limits=limits, reference=reference)

    if has_source:
        yield Candidate(
            'onnx',
            'ONNX, float32, free batch',
            lambda out: export(from_bundle(bundle), out, 'onnx', proof, reference=reference),
        )
        yield Candidate('torchscript', 'TorchScript, traced and frozen', script(False, None))
        yield Candidate('torchscript-cl', 'the same, channels last', script(True, None))
    yield Candidate('onnx-basic', 'ONNX, batch of one, folded', optimised('basic'), quick=True)
    yield Candidate('onnx-extended', 'ONNX, fused for the CPU provider', optimised('extended'))
    yield Candidate('onnx-all', 'ONNX, laid out for this processor', optimised('all'), quick=True)
    if has_source and tuning is not None:
        yield Candidate('pruned', f'{amount:.0%} of all units cut out, trained on', pruned, True)
    if target == 'cpu':
        yield Candidate('int8-dynamic', 'int8, ranges at run time', fewer_bits('int8-dynamic'))
        for method in ('minmax', 'percentile', 'entropy'):
            settings = QuantisationSettings(method=method)
            title = f'int8, calibrated by {method}'
            name = f'int8-static-{method}'
            yield Candidate(name, title, fewer_bits('int8-static', settings), method == 'minmax')
        settings = QuantisationSettings(operators=('Conv',))
        title = 'int8 convolutions only'
        yield Candidate('int8-static-conv', title, fewer_bits('int8-static', settings))
    else:
        if has_source:
            yield Candidate('float16', 'TorchScript, float16', script(False, torch.float16))
            yield Candidate('bfloat16', 'TorchScript, bfloat16', script(False, torch.bfloat16))
        yield Candidate('onnx-fp16', 'ONNX, float16', fewer_bits('fp16'), quick=True)
    yield Candidate('int8-weights', '8 bit weights', fewer_bits('int8-weights'))


def tune(
    bundle: Path,
    out: Path,
    proof: VerificationOptions,
    *,
    target: str = 'cpu',
    quick: bool = False,
    rounds: int = 200,
    threads: int = 1,
    limits: ParityLimits = LOSSY,
    scenes: int = 0,
    jobs: int = 1,
    tuning: Tuning | None = None,
    also: Sequence[Path] = (),
    only: Sequence[str] = (),
    told: Callable[[str], None] = lambda text: None,
) -> TuningOutcome:
    """Leaves `out`/best (a bundle) and, unless nothing is the same policy, what was raced in
    `out`/candidates. Raises ConfigError. scenes > 0: closed loop, before and after; it also decides
    about candidates whose answers differ (pruned ones). also: bundles made elsewhere, raced too.
    only: names of the candidates to make; none: all, or with `quick` those that usually win.
    """
    check_device('--target', target)
    for path in also:
        load_bundle(path, accept_failed=True)  # a wrong one is told now
    if tuning is not None:
        open_dataset(tuning.data)  # a wrong one is told now, not after the first minutes
    device = 'cpu' if target == 'cpu' else target
    outcome = TuningOutcome()
    proof = replace(proof, keep_failed=False, skip=False, scenes=0)
    act = remembering(proof.act)
    acting = replace(proof, scenes=scenes, before=bundle, jobs=jobs, act=act)
    reference = reference_of(bundle, proof)
    outcome.reference, outcome.observations = reference.title, reference.recording.source
    made: dict[str, Path] = {'given': bundle}
    outcome.titles['given'] = 'the bundle as it was given'
    folder = out / 'candidates'
    for path in also:
        name = path.resolve().name
        made[name], outcome.titles[name] = path, 'made elsewhere'
    for candidate in _chosen(
        list(candidates(bundle, proof, acting, reference, target, limits, tuning)), quick, only
    ):
        told(candidate.title)
        outcome.titles[candidate.name] = candidate.title
        try:
            candidate.make(folder / candidate.name)
            made[candidate.name] = folder / candidate.name
        except (ConfigError, VerificationFailed) as error:
            if getattr(error, 'key', '') == 'disk':  # no candidate's fault
                raise
            why = str(error).removeprefix(f'{candidate.name}: ')
            outcome.refused[candidate.name] = why
            told(f'{candidate.name} refused: {why}')
    told('racing')
    outcome.entries = benchmark(
        made,
        proof,
        rounds=rounds,
        threads=threads,
        device=device,
        limits=limits,
        reference=reference,
    )
    outcome.refused.update({e.name: e.reason for e in outcome.entries if not e.passed})
    outcome.best = best_of(outcome.entries, list(made))
    if scenes and outcome.best is not None:
        name, seed = proof.robot.name, proof.seed
        _act(outcome, made, lambda path: act(path, name, scenes, seed, jobs=jobs), told)
    if outcome.best is not None:
        _keep(made[outcome.best], out / 'best', outcome)
    return outcome


def _chosen(known: list[Candidate], quick: bool, only: Sequence[str]) -> list[Candidate]:
    names = [candidate.name for candidate in known]
    for name in only:
        if name not in names:
            raise ConfigError('--only', '', name, 'some of ' + ', '.join(names))
    if only:
        return [candidate for candidate in known if candidate.name in only]
    return [candidate for candidate in known if candidate.quick or not quick]


def _act(
    outcome: TuningOutcome,
    made: dict[str, Path],
    act: Callable[[Path], list[bool]],
    told: Callable[[str], None],
) -> None:
    """Let the best act beside the given, and where it is worse the next best, until one is not."""
    told('closed loop: given')
    before = act(made['given'])
    runs = {'given': before}
    while outcome.best is not None:
        name = outcome.best
        if name not in runs:
            told(f'closed loop: {name}')
            runs[name] = act(made[name])
        outcome.closed_loop = pair(before, runs[name])
        if not outcome.closed_loop.worse:
            break
        why = f'in closed loop {outcome.closed_loop.told}'
        told(f'{name} refused: {why}')
        outcome.refused[name] = why
        outcome.entries = [replace(e, reason=why) if e.name == name else e for e in outcome.entries]
        outcome.best = best_of(outcome.entries, list(made))
    shares = {name: sum(run) / len(run) for name, run in runs.items()}
    outcome.entries = [replace(e, success=shares.get(e.name, e.success)) for e in outcome.entries]


def _keep(chosen: Path, out: Path, outcome: TuningOutcome) -> None:
    """Copy the best to its place, its success in the closed loop written into its verification."""
    with staged(out) as draft:
        shutil.copytree(chosen, draft, dirs_exist_ok=True)
        loop = outcome.closed_loop
        content = load_yaml(draft / 'policy.yaml')
        if loop is not None and 'verification' in content:
            content['verification']['success'] = [loop.before, loop.after]
            write_yaml(draft / 'policy.yaml', content)
