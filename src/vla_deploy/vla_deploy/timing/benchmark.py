# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Any number of bundles side by side: time, size, and how far each is from the original."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from vla_common.errors import ConfigError
from vla_deploy.parity import LOSSY, Parity, ParityLimits, compare
from vla_deploy.partitioning import PartitionedRunner
from vla_deploy.publishing import VerificationOptions, reference_of
from vla_deploy.reference_model import ReferenceModel, from_bundle
from vla_deploy.runners import EagerRunner, answers, check_device, open_bundle
from vla_deploy.silence import first_line
from vla_deploy.timing.interleaved import Runner, Times, batched, time_interleaved
from vla_deploy.timing.platform import joules
from vla_deploy.verification import VerificationReference
from vla_policy.bundle.bundle import load_bundle

EAGER = 'eager fp32'


@dataclass(frozen=True)
class Entry:
    """One row. speedup: against the baseline, median of wall time; cpu_speedup: of CPU time.
    reason: why it is not the same policy, empty if it is; judged: by its success in the closed
    loop, not by its answers. success: share of scenes done, where it acted."""

    name: str
    times: Times
    size_mb: float
    parity: Parity
    speedup: float
    cpu_speedup: float
    reason: str
    judged: bool = False
    success: float | None = None
    memory: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not self.reason

    def to_dict(self) -> dict:
        figures = self.times.figures()
        return {
            'name': self.name,
            'p50_ms': figures.pop('p50_ms'),
            'p99_ms': figures.pop('p99_ms'),
            'size_mb': round(self.size_mb, 3),
            'cosine': round(self.parity.cosine, 7),
            'max_error_rad': self.parity.max_error_rad,
            'success': self.success,
            'speedup': round(self.speedup, 3),
            'cpu_speedup': round(self.cpu_speedup, 3),
            'passed': self.passed,
            'reason': self.reason,
            **figures,
            **self.memory,
        }


def model_size_mb(directory: Path) -> float:
    """Of the model file: what the robot loads (the source's weights stay at home)."""
    bundle = load_bundle(directory, accept_failed=True)
    return (directory / bundle.model.file).stat().st_size / 1e6


def unique_names(bundles: Sequence[Path]) -> dict[str, Path]:
    """Directory names, made longer where two are the same."""
    named: dict[str, Path] = {}
    for path in bundles:
        name, parent = path.resolve().name, path.resolve().parent
        while name in named and parent != parent.parent:
            name, parent = f'{parent.name}/{name}', parent.parent
        named[name] = path
    return named


class Compiled(EagerRunner):
    """torch.compile of the original in one of its modes; the first call compiles."""

    def __init__(self, original: ReferenceModel, mode: str, device: str = 'cpu') -> None:
        super().__init__(original, device)
        self._module = torch.compile(self._module, mode=mode)


def benchmark(
    bundles: dict[str, Path],
    proof: VerificationOptions,
    *,
    rounds: int = 100,
    threads: int = 1,
    device: str = 'cpu',
    eager: bool = True,
    compile_mode: str | None = None,
    budget_mb: float | None = None,
    limits: ParityLimits = LOSSY,
    reference: VerificationReference | None = None,
    advance: Callable[[], None] = lambda: None,
) -> list[Entry]:
    """One entry per bundle, the original in eager PyTorch first where the first bundle names its
    source: that is the baseline then, else the first bundle is. budget_mb: also the original with
    no more of its weights in memory. Raises ConfigError."""
    check_device('--device', device)
    for path in bundles.values():
        load_bundle(path, accept_failed=True)  # a wrong one is told before the others are timed
    first = next(iter(bundles.values()))
    has_source = load_bundle(first, accept_failed=True).source is not None
    reference = reference or reference_of(first, proof)
    runners: dict[str, Runner] = {}
    sizes: dict[str, float] = {}
    try:
        if has_source and (eager or compile_mode):
            original = from_bundle(first)
            size = sum(t.numel() * t.element_size() for t in original.module.parameters()) / 1e6
            if eager:
                runners[EAGER], sizes[EAGER] = EagerRunner(original, device), size
            if compile_mode:
                name = f'torch.compile {compile_mode}'
                runners[name] = Compiled(from_bundle(first), compile_mode, device)
                sizes[name] = size
        if has_source and budget_mb is not None:
            name = f'within {budget_mb:g} MB'
            part = PartitionedRunner(from_bundle(first), budget_mb)
            runners[name], sizes[name] = part, part.resident_mb
        for name, path in bundles.items():
            runners[name] = open_bundle(path, threads, device)[1]
            sizes[name] = model_size_mb(path)
        # Set last: loading a bundle sets it too, for the whole process.
        torch.set_num_threads(threads)
        action = load_bundle(first, accept_failed=True).model.action
        assert action is not None
        parities = {}
        for name, runner in runners.items():
            try:
                found = answers(runner, reference.inputs)
                parities[name] = compare(reference.outputs, found, action)
            except (KeyError, ValueError) as error:
                where = str(bundles.get(name, name))
                raise ConfigError(
                    where, 'outputs', str(error), f'those of {reference.title}'
                ) from error
        times = time_interleaved(runners, reference.inputs, rounds, energy=joules, advance=advance)
    finally:
        for runner in runners.values():
            runner.close()
    baseline = next(iter(times.values()))
    entries = []
    for name, took in times.items():
        wall, cpu = (_ratio(baseline, took, part) for part in ('wall_ms', 'cpu_ms'))
        parity, judged = parities[name], False
        reason = parity.reason(limits)
        if reason and name in bundles:
            judged, why = _acts_as_well(bundles[name], first)
            reason = '' if judged else f'{reason}{why}'
        success = _acted(bundles[name]) if name in bundles else None
        entries.append(Entry(name, took, sizes[name], parity, wall, cpu, reason, judged, success))
    return entries


def _acted(path: Path) -> float | None:
    """The share of scenes that a bundle did when it was verified; None where it did not act."""
    bundle = load_bundle(path, accept_failed=True)
    found = bundle.verification
    if found is None or found.success is None:
        return None
    return found.success[1] if found.model_sha256 == bundle.files[bundle.model.file] else None


def _acts_as_well(path: Path, reference: Path) -> tuple[bool, str]:
    """Whether a bundle whose answers differ passed by its success in the closed loop, beside the
    very model of `reference`; if it was another, a sentence that says so."""
    bundle = load_bundle(path, accept_failed=True)
    found = bundle.verification
    if found is None or not found.passed or 'judged' not in found.rest:
        return False, ''
    if found.model_sha256 != bundle.files[bundle.model.file]:
        return False, '; its closed loop judged another model than it has now'
    beside = load_bundle(reference, accept_failed=True)
    here, there = beside.files[beside.model.file], str(found.rest.get('judged_against', ''))
    if here == there:
        return True, ''
    other = f'model {there[:12]}' if there else 'a model that it does not name'
    return False, f'; its closed loop was beside {other}, this race is beside {here[:12]}'


def _ratio(baseline: Times, times: Times, part: str) -> float:
    from numpy import median

    return float(median(getattr(baseline, part)) / max(1e-9, median(getattr(times, part))))


def best_of(entries: Sequence[Entry], candidates: Sequence[str]) -> str | None:
    """The fastest of `candidates` that is still the same policy, by its answers or, verified, by
    its success in the closed loop; None where there is none."""
    good = [e for e in entries if e.name in candidates and e.passed]
    return max(good, key=lambda e: e.speedup).name if good else None


def sweep_batches(
    bundles: dict[str, Path],
    reference: VerificationReference,
    sizes: Sequence[int],
    rounds: int,
    threads: int,
) -> dict[str, dict[int, dict | str]]:
    """Figures by batch size; a sentence for a bundle that takes no such batch."""
    found: dict[str, dict[int, dict | str]] = {name: {} for name in bundles}
    for size in sizes:
        inputs = batched(reference.inputs[:8], size)
        able: dict[str, Runner] = {}
        for name, path in bundles.items():
            runner = open_bundle(path, threads)[1]
            try:
                if len(runner.run(inputs[0])) != size:
                    raise ValueError('another batch came back')
                able[name] = runner
            except Exception as error:  # a model for a batch of one says so in many ways
                found[name][size] = f'not with this batch: {first_line(error)}'
                runner.close()
        for name, times in time_interleaved(able, inputs, rounds, warm_up=2, batch=size).items():
            found[name][size] = times.figures()
            able[name].close()
    return found
