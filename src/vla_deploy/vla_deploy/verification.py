# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Is it still the same policy? Compares, writes the finding into the bundle, keeps the worst."""

from __future__ import annotations

import datetime
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vla_common.yaml_file import load_yaml
from vla_deploy.observations import Recording, Tensors
from vla_deploy.parity import Parity, ParityLimits, compare
from vla_deploy.runners import answers, open_bundle
from vla_deploy.staging import write_yaml
from vla_policy.bundle.bundle import Bundle


class VerificationFailed(RuntimeError):  # noqa: N818 - says what happened
    """The converted policy is another policy. `worst` is the saved input, `finding` the rest."""

    def __init__(self, name: str, finding: VerificationResult, worst: Path | None) -> None:
        where = f'; the worst input is in {worst}' if worst else ''
        super().__init__(f'{name}: {finding.reason}{where}')
        self.finding, self.worst = finding, worst


@dataclass(frozen=True)
class VerificationReference:
    """The answers that are right: (N, horizon, k) to `inputs`, by `title`."""

    title: str
    recording: Recording
    inputs: list[Tensors]
    outputs: np.ndarray


@dataclass(frozen=True)
class VerificationResult:
    """What comparing said. success: closed loop, before and after; None where it was not run.
    judged: what made a policy pass whose answers differ (the closed loop); else empty. against:
    SHA-256 of the model that acted in the same scenes; else empty."""

    parity: Parity
    limits: ParityLimits
    reason: str
    success: tuple[float, float] | None = None
    judged: str = ''
    against: str = ''

    @property
    def passed(self) -> bool:
        return not self.reason


def verify_policy(
    directory: Path,
    reference: VerificationReference,
    limits: ParityLimits,
    threads: int = 1,
    device: str = 'cpu',
) -> VerificationResult:
    """Run the bundle on the reference's inputs and compare. Raises ConfigError for one that cannot
    be loaded or that gives another shape."""
    bundle, runner = open_bundle(directory, threads, device)
    try:
        found = answers(runner, reference.inputs)
    finally:
        runner.close()
    parity = compare(reference.outputs, found, bundle.model.action)
    return VerificationResult(parity, limits, parity.reason(limits))


def record(
    directory: Path, bundle: Bundle, reference: VerificationReference, finding: VerificationResult
) -> None:
    """Write the finding into policy.yaml, bound to the model file's SHA-256."""
    content: dict[str, Any] = load_yaml(directory / 'policy.yaml')
    parity = finding.parity
    section: dict[str, Any] = {
        'passed': finding.passed,
        'reason': finding.reason,
        'reference': reference.title,
        'model_sha256': bundle.files[bundle.model.file],
        'observations': parity.observations,
        'max_error_rad': _rounded(parity.max_error_rad),
        'mean_error_rad': _rounded(parity.mean_error_rad),
        'cosine': round(parity.cosine, 7),
    }
    if finding.success is not None:
        section['success'] = list(finding.success)
    section['details'] = {
        'date': datetime.date.today().isoformat(),
        'recording': reference.recording.source,
        'limits': asdict(finding.limits),
        **({'judged': finding.judged} if finding.judged else {}),
        **({'judged_against': finding.against} if finding.against else {}),
        'joints_max_error_rad': {n: _rounded(e[0]) for n, e in parity.joints.items()},
    }
    write_yaml(directory / 'policy.yaml', {**content, 'verification': section})


def save_worst(reference: VerificationReference, finding: VerificationResult, path: Path) -> Path:
    """The observation with the largest error as a recording of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    reference.recording.pick([finding.parity.worst]).save(path)
    return path


def _rounded(value: float) -> float:
    return value if not math.isfinite(value) else float(f'{value:.4g}')
