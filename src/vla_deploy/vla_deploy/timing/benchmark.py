# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Benchmark of bundles, timed in turns: latency, size, and difference from the reference model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from vla_common.errors import ConfigError, first_line
from vla_deploy.parity import LOSSY, Parity, compare
from vla_deploy.publishing import VerificationOptions, expected_answers
from vla_deploy.reference_model import from_bundle
from vla_deploy.runners import (
    CompiledRunner,
    EagerRunner,
    PartitionedRunner,
    answers,
    check_device,
    open_bundle,
)
from vla_deploy.timing.interleaved import Runner, Times, batched, time_interleaved
from vla_deploy.timing.platform import joules
from vla_deploy.verification import ExpectedAnswers
from vla_policy.bundle.bundle import load_bundle

EAGER = 'eager fp32'


@dataclass(frozen=True)
class Entry:
    """One row. speedup, cpu_speedup: ratio of median wall and CPU time to the baseline. reason: why
    it is not the same policy; empty if it is. judged: accepted by the closed loop, not by its
    answers. success: share of scenes, where the closed loop was run."""

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
    """Size of the model file, which is what the robot loads."""
    bundle = load_bundle(directory, accept_failed=True)
    return (directory / bundle.model.file).stat().st_size / 1e6


def unique_names(bundles: Sequence[Path]) -> dict[str, Path]:
    """Bundles by directory name; parent directories are prepended where names are equal."""
    named: dict[str, Path] = {}
    for path in bundles:
        name, parent = path.resolve().name, path.resolve().parent
        while name in named and parent != parent.parent:
            name, parent = f'{parent.name}/{name}', parent.parent
        named[name] = path
    return named


def benchmark(
    bundles: dict[str, Path],
    options: VerificationOptions,
    *,
    rounds: int = 100,
    threads: int = 1,
    device: str = 'cpu',
    eager: bool = True,
    compile_mode: str | None = None,
    budget_mb: float | None = None,
    advance: Callable[[], None] = lambda: None,
) -> list[Entry]:
    """One entry per bundle. The baseline comes first: the reference model in eager PyTorch where
    the first bundle has a source, else the first bundle. budget_mb: also the reference model with
    at most that much of its weights in memory. Raises ConfigError."""
    check_device('--device', device)
    for path in bundles.values():
        load_bundle(path, accept_failed=True)  # raises before any timing
    first = next(iter(bundles.values()))
    has_source = load_bundle(first, accept_failed=True).source is not None
    expected = options.expected or expected_answers(first, options)
    limits = options.limits or LOSSY
    runners: dict[str, Runner] = {}
    sizes: dict[str, float] = {}
    try:
        if has_source and (eager or compile_mode):
            reference = from_bundle(first)
            size = sum(t.numel() * t.element_size() for t in reference.module.parameters()) / 1e6
            if eager:
                runners[EAGER], sizes[EAGER] = EagerRunner(reference, device), size
            if compile_mode:
                name = f'torch.compile {compile_mode}'
                runners[name] = CompiledRunner(from_bundle(first), compile_mode, device)
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
                found = answers(runner, expected.inputs)
                parities[name] = compare(expected.outputs, found, action)
            except (KeyError, ValueError) as error:
                where = str(bundles.get(name, name))
                raise ConfigError(
                    where, 'outputs', str(error), f'those of {expected.title}'
                ) from error
        times = time_interleaved(runners, expected.inputs, rounds, energy=joules, advance=advance)
    finally:
        for runner in runners.values():
            runner.close()
    baseline = next(iter(times.values()))
    entries = []
    for name, took in times.items():
        wall = _ratio(baseline.wall_ms, took.wall_ms)
        cpu = _ratio(baseline.cpu_ms, took.cpu_ms)
        parity, judged = parities[name], False
        reason = parity.reason(limits)
        if reason and name in bundles:
            judged, why = _accepted_in_closed_loop(bundles[name], first)
            reason = '' if judged else f'{reason}{why}'
        success = _success_share(bundles[name]) if name in bundles else None
        entries.append(Entry(name, took, sizes[name], parity, wall, cpu, reason, judged, success))
    return entries


def _success_share(path: Path) -> float | None:
    """Success of a bundle in the closed loop of its verification; None where it was not run."""
    bundle = load_bundle(path, accept_failed=True)
    found = bundle.verification
    if found is None or found.success is None:
        return None
    return found.success[1] if found.model_sha256 == bundle.model_sha256 else None


def _accepted_in_closed_loop(path: Path, baseline: Path) -> tuple[bool, str]:
    """Whether the closed loop accepted a bundle whose answers differ, beside the model of
    `baseline`; if it ran beside another model, a remark for the reason."""
    bundle = load_bundle(path, accept_failed=True)
    found = bundle.verification
    if found is None or not found.passed or 'judged' not in found.rest:
        return False, ''
    if found.model_sha256 != bundle.model_sha256:
        return False, '; its closed loop ran another model file'
    beside = load_bundle(baseline, accept_failed=True)
    here, there = beside.model_sha256, str(found.rest.get('judged_against', ''))
    if here == there:
        return True, ''
    other = f'model {there[:12]}' if there else 'an unnamed model'
    return False, f'; its closed loop ran beside {other}, this benchmark beside {here[:12]}'


def _ratio(baseline: np.ndarray, times: np.ndarray) -> float:
    return float(np.median(baseline) / max(1e-9, np.median(times)))


def best_of(entries: Sequence[Entry], candidates: Sequence[str]) -> str | None:
    """The fastest of `candidates` that is the same policy, by its answers or by a closed loop."""
    good = [e for e in entries if e.name in candidates and e.passed]
    return max(good, key=lambda e: e.speedup).name if good else None


def sweep_batches(
    bundles: dict[str, Path],
    expected: ExpectedAnswers,
    sizes: Sequence[int],
    rounds: int,
    threads: int,
) -> dict[str, dict[int, dict | str]]:
    """Figures by batch size, or a remark for a bundle that does not take the batch."""
    found: dict[str, dict[int, dict | str]] = {name: {} for name in bundles}
    for size in sizes:
        inputs = batched(expected.inputs[:8], size)
        able: dict[str, Runner] = {}
        for name, path in bundles.items():
            runner = open_bundle(path, threads)[1]
            try:
                if len(runner.run(inputs[0])) != size:
                    raise ValueError('the outputs have another batch')
                able[name] = runner
            except Exception as error:  # a model for a batch of one raises many types
                found[name][size] = f'not with this batch: {first_line(error)}'
                runner.close()
        for name, times in time_interleaved(able, inputs, rounds, warm_up=2, batch=size).items():
            found[name][size] = times.figures()
            able[name].close()
    return found
