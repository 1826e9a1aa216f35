# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Verification of a bundle against expected answers, and its record in policy.yaml."""

import datetime
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from vla_common.errors import ConfigError
from vla_common.yaml_file import load_yaml
from vla_deploy.atomic_io import write_yaml
from vla_deploy.observations import Recording, Tensors
from vla_deploy.parity import Parity, ParityLimits, compare
from vla_deploy.runners import answers, judged_answers, open_bundle
from vla_policy.bundle.bundle import Bundle
from vla_policy.bundle.provenance import Verification

MINIMUM = 24
"""Observations behind a verdict. A quantised policy passed on some draws of 6 that is refused on
24."""


class VerificationFailed(RuntimeError):  # noqa: N818 - an event, not an error of ours
    """The converted policy is a different policy. worst: file with the worst input."""

    def __init__(self, name: str, result: 'VerificationResult', worst: Path | None) -> None:
        where = f'; the worst input is in {worst}' if worst else ''
        super().__init__(f'{name}: {result.reason}{where}')
        self.result, self.worst = result, worst


@dataclass(frozen=True)
class ExpectedAnswers:
    """The answers (N, horizon, k) of the model `title` to `inputs`. sha256: of the model. judged:
    its probabilities (N, width), by output."""

    title: str
    recording: Recording
    inputs: list[Tensors]
    outputs: np.ndarray
    sha256: str = ''
    judged: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class VerificationResult:
    """Result of a comparison. reason: why it failed; empty if it passed. success: closed loop,
    before and after, where it was run. judged: the closed loop that accepted a policy whose
    answers differ. against: SHA-256 of the model that ran in the same scenes."""

    parity: Parity
    limits: ParityLimits
    reason: str
    success: tuple[float, float] | None = None
    judged: str = ''
    against: str = ''

    @property
    def passed(self) -> bool:
        return not self.reason

    def to_dict(self) -> dict:
        """Fields of `--json`."""
        return {
            'passed': self.passed,
            'reason': self.reason,
            'max_error_rad': self.parity.max_error_rad,
            'mean_error_rad': self.parity.mean_error_rad,
            'cosine': self.parity.cosine,
            'observations': self.parity.observations,
            'joints': {name: error[0] for name, error in self.parity.joints.items()},
            'probabilities': dict(self.parity.probabilities),
        }


def check_observations(recording: Recording) -> None:
    """Raise ConfigError for fewer observations than a verdict needs."""
    if len(recording) < MINIMUM:
        wanted = f'at least {MINIMUM} for a verdict: with fewer it depends on which were drawn'
        raise ConfigError(recording.source, 'observations', len(recording), wanted)


def weaker(result: VerificationResult, record: Verification) -> str:
    """Why `result` proves less than a record of the same model; empty if it does not."""
    limits, stored = result.limits, record.rest.get('limits', {})
    largest = stored.get('max_error_rad', math.inf)
    cosine = stored.get('cosine', -1.0)
    if result.parity.observations < record.observations:
        return f'{result.parity.observations} observations, not {record.observations}'
    if limits.max_error_rad > largest:
        return f'a limit of {limits.max_error_rad:g} rad, not {largest:g}'
    if limits.cosine < cosine:
        return f'a limit of cosine {limits.cosine:g}, not {cosine:g}'
    if limits.probability > stored.get('probability', math.inf):
        return f'a limit of {limits.probability:g} for probabilities, not {stored["probability"]:g}'
    return ''


def verify_policy(
    directory: Path, expected: ExpectedAnswers, limits: ParityLimits, device: str = 'cpu'
) -> VerificationResult:
    """Run the bundle on the inputs of `expected` and compare. Raises ConfigError for a bundle that
    cannot be loaded or whose outputs have another shape."""
    bundle, runner = open_bundle(directory, device=device)
    try:
        found = answers(runner, expected.inputs)
        judged = judged_answers(runner, expected.inputs, bundle.model)
    except ValueError as error:
        raise ConfigError(str(bundle.file), 'outputs', str(error), 'probabilities') from error
    finally:
        runner.close()
    parity = compare(expected.outputs, found, bundle.model.action)
    parity = parity.with_probabilities(expected.judged, judged)
    return VerificationResult(parity, limits, parity.reason(limits))


def record(
    directory: Path, bundle: Bundle, expected: ExpectedAnswers, result: VerificationResult
) -> None:
    """Write the result into policy.yaml, bound to the model file's SHA-256."""
    content = load_yaml(directory / 'policy.yaml')
    parity, limits = result.parity, asdict(result.limits)
    if not parity.probabilities:
        del limits['probability']
    details = {
        'date': datetime.date.today().isoformat(),
        'recording': expected.recording.source,
        'recording_sha256': expected.recording.sha256,
        **({'reference_sha256': expected.sha256} if expected.sha256 else {}),
        'limits': limits,
        **({'judged': result.judged} if result.judged else {}),
        **({'judged_against': result.against} if result.against else {}),
        'joints_max_error_rad': {n: _rounded(e[0]) for n, e in parity.joints.items()},
    }
    if parity.probabilities:
        errors = {name: _rounded(error) for name, error in parity.probabilities.items()}
        details['probabilities_max_error'] = errors
    verification = Verification(
        passed=result.passed,
        reason=result.reason,
        reference=expected.title,
        model_sha256=bundle.model_sha256,
        observations=parity.observations,
        max_error_rad=_rounded(parity.max_error_rad),
        mean_error_rad=_rounded(parity.mean_error_rad),
        cosine=round(parity.cosine, 7),
        success=result.success,
        rest=details,
    )
    write_yaml(directory / 'policy.yaml', {**content, 'verification': verification.section()})


def save_worst(expected: ExpectedAnswers, result: VerificationResult, out: Path) -> Path:
    """Save the observation with the largest error as a recording of one, `<out>.worst.npz`."""
    path = out.with_name(f'{out.name}.worst.npz')
    path.parent.mkdir(parents=True, exist_ok=True)
    expected.recording.pick([result.parity.worst]).save(path)
    return path


def _rounded(value: float) -> float:
    return value if not math.isfinite(value) else float(f'{value:.4g}')
