# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Tuning: export, optimise, quantise and prune a bundle, verify and time all, keep the best."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from vla_common.errors import ConfigError
from vla_common.yaml_file import load_yaml
from vla_deploy.atomic_io import staged, write_yaml
from vla_deploy.closed_loop import PairedResult, cached, pair
from vla_deploy.exporting import export
from vla_deploy.fine_tuning import FineTuning
from vla_deploy.optimising import optimise_onnx, optimise_torchscript
from vla_deploy.parity import LOSSY
from vla_deploy.pruning.pruning import PruningPlan, prune
from vla_deploy.publishing import VerificationOptions
from vla_deploy.quantisation.quantising import quantise
from vla_deploy.quantisation.schemes import QuantisationSettings
from vla_deploy.reference_model import from_bundle
from vla_deploy.runners import check_device
from vla_deploy.timing.benchmark import Entry, benchmark, best_of
from vla_deploy.verification import VerificationFailed, VerificationResult
from vla_models.dataset import open_dataset
from vla_policy.bundle.bundle import load_bundle

Make = Callable[[Path], VerificationResult | None]


@dataclass(frozen=True)
class Candidate:
    """A variant to try. make(out): writes and verifies it. quick: also tried with --quick."""

    name: str
    title: str
    make: Make
    quick: bool = False


@dataclass
class TuningOutcome:
    """entries: candidates that were timed. refused: reason by name. reference, observations: what
    they were compared with, and on."""

    entries: list[Entry] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    best: str | None = None
    closed_loop: PairedResult | None = None
    reference: str = ''
    observations: str = ''


def candidates(
    bundle: Path,
    options: VerificationOptions,
    with_scenes: VerificationOptions,
    target: str,
    tuning: FineTuning | None = None,
    amount: float = 0.3,
) -> Iterator[Candidate]:
    """Candidates for `target` (cpu or cuda). with_scenes: options with a closed loop that decides
    where answers differ. tuning: training of a pruned network; None: no network is pruned."""
    has_source = load_bundle(bundle, accept_failed=True).source is not None
    exact = replace(options, limits=None)  # those of a change of form

    def optimised(level: str) -> Make:
        return lambda out: optimise_onnx(bundle, out, exact, level=level)

    def quantised(scheme: str, settings: QuantisationSettings | None = None) -> Make:
        how = {'settings': settings, 'search': True}
        return lambda out: quantise(bundle, out, scheme, options, **how).result

    def script(channels_last: bool, dtype: torch.dtype | None) -> Make:
        how = {'channels_last': channels_last, 'dtype': dtype}
        chosen = exact if dtype is None else options
        return lambda out: optimise_torchscript(bundle, out, chosen, **how)

    def pruned(out: Path) -> VerificationResult | None:
        # Verified once, in its final form: the closed loop takes long.
        with tempfile.TemporaryDirectory() as scratch:
            plan = PruningPlan(importance='fisher', amount=amount)
            unverified = replace(options, skip=True)
            smaller = Path(scratch) / 'pruned'
            prune(bundle, smaller, plan, unverified, tuning=tuning)
            return optimise_onnx(smaller, out, with_scenes, level='all')

    if has_source:
        title = 'ONNX, float32, free batch'
        yield Candidate('onnx', title, lambda out: export(from_bundle(bundle), out, 'onnx', exact))
        yield Candidate('torchscript', 'TorchScript, traced and frozen', script(False, None))
        yield Candidate('torchscript-cl', 'the same, channels last', script(True, None))
    yield Candidate('onnx-basic', 'ONNX, batch of one, folded', optimised('basic'), quick=True)
    yield Candidate('onnx-extended', 'ONNX, fused for the CPU provider', optimised('extended'))
    yield Candidate('onnx-all', 'ONNX, laid out for this processor', optimised('all'), quick=True)
    if has_source and tuning is not None:
        yield Candidate('pruned', f'{amount:.0%} of all units removed, fine-tuned', pruned, True)
    if target == 'cpu':
        yield Candidate('int8-dynamic', 'int8, ranges at run time', quantised('int8-dynamic'))
        for method in ('minmax', 'percentile', 'entropy'):
            make = quantised('int8-static', QuantisationSettings(method=method))
            title = f'int8, calibrated by {method}'
            yield Candidate(f'int8-static-{method}', title, make, method == 'minmax')
        make = quantised('int8-static', QuantisationSettings(operators=('Conv',)))
        yield Candidate('int8-static-conv', 'int8 convolutions only', make)
    else:
        if has_source:
            yield Candidate('float16', 'TorchScript, float16', script(False, torch.float16))
            yield Candidate('bfloat16', 'TorchScript, bfloat16', script(False, torch.bfloat16))
        yield Candidate('onnx-fp16', 'ONNX, float16', quantised('fp16'), quick=True)
    yield Candidate('int8-weights', '8 bit weights', quantised('int8-weights'))


def tune(
    bundle: Path,
    out: Path,
    options: VerificationOptions,
    *,
    target: str = 'cpu',
    quick: bool = False,
    rounds: int = 200,
    threads: int = 1,
    tuning: FineTuning | None = None,
    also: Sequence[Path] = (),
    only: Sequence[str] = (),
    log: Callable[[str], None] = lambda text: None,
) -> TuningOutcome:
    """Write `out`/best (a bundle), unless no candidate is the same policy, and `out`/candidates.
    Raises ConfigError.

    options.scenes > 0: the closed loop decides about candidates whose answers differ (pruned ones),
    and about the best. also: more bundles to time. only: names of the candidates to make; empty:
    all, or with `quick` those that usually win.
    """
    check_device('--target', target)
    for path in also:
        load_bundle(path, accept_failed=True)  # raises before any work
    if tuning is not None:
        open_dataset(tuning.data)
    run_scenes = cached(options.run_scenes)
    options = replace(options, keep_failed=False, skip=False).with_expected(bundle)
    options = replace(options, limits=options.limits or LOSSY)
    with_scenes = replace(options, before=bundle, run_scenes=run_scenes)
    options = replace(options, scenes=0)
    assert options.expected is not None
    outcome = TuningOutcome(titles={'given': 'the bundle as it was given'})
    outcome.reference = options.expected.title
    outcome.observations = options.expected.recording.source
    made: dict[str, Path] = {'given': bundle}
    for path in also:
        name = path.resolve().name
        made[name], outcome.titles[name] = path, 'given with --also'
    known = list(candidates(bundle, options, with_scenes, target, tuning))
    for candidate in _chosen(known, quick, only):
        log(candidate.title)
        outcome.titles[candidate.name] = candidate.title
        place = out / 'candidates' / candidate.name
        try:
            candidate.make(place)
            made[candidate.name] = place
        except (ConfigError, VerificationFailed) as error:
            if getattr(error, 'key', '') == 'disk':  # not the fault of a candidate
                raise
            why = str(error).removeprefix(f'{candidate.name}: ')
            outcome.refused[candidate.name] = why
            log(f'{candidate.name} rejected: {why}')
    log('timing')
    outcome.entries = benchmark(made, options, rounds=rounds, threads=threads, device=target)
    outcome.refused.update({e.name: e.reason for e in outcome.entries if not e.passed})
    outcome.best = best_of(outcome.entries, list(made))
    if with_scenes.scenes and outcome.best is not None:
        name, seed, jobs = with_scenes.robot.name, with_scenes.seed, with_scenes.jobs
        scenes = with_scenes.scenes

        def run(path: Path) -> list[bool]:
            return run_scenes(path, name, scenes, seed, jobs=jobs)

        _decide_in_closed_loop(outcome, made, run, log)
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


def _decide_in_closed_loop(
    outcome: TuningOutcome,
    made: dict[str, Path],
    run: Callable[[Path], list[bool]],
    log: Callable[[str], None],
) -> None:
    """Run the best and the given bundle in closed loop; where it is worse, the next best."""
    log('closed loop: given')
    before = run(made['given'])
    runs = {'given': before}
    while outcome.best is not None:
        name = outcome.best
        if name not in runs:
            log(f'closed loop: {name}')
            runs[name] = run(made[name])
        outcome.closed_loop = pair(before, runs[name])
        if not outcome.closed_loop.worse:
            break
        why = f'in closed loop {outcome.closed_loop.summary}'
        log(f'{name} rejected: {why}')
        outcome.refused[name] = why
        outcome.entries = [replace(e, reason=why) if e.name == name else e for e in outcome.entries]
        outcome.best = best_of(outcome.entries, list(made))
    shares = {name: sum(done) / len(done) for name, done in runs.items()}
    outcome.entries = [replace(e, success=shares.get(e.name, e.success)) for e in outcome.entries]


def _keep(chosen: Path, out: Path, outcome: TuningOutcome) -> None:
    """Copy the best to its place, with its success in closed loop in its verification."""
    with staged(out) as draft:
        shutil.copytree(chosen, draft, dirs_exist_ok=True)
        loop = outcome.closed_loop
        content = load_yaml(draft / 'policy.yaml')
        if loop is not None and 'verification' in content:
            content['verification']['success'] = [loop.before, loop.after]
            write_yaml(draft / 'policy.yaml', content)
