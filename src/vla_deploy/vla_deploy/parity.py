# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Difference of two policies on the same observations: radians by joint, cosine, and of what they
say about the instruction."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from vla_policy.bundle.model_spec import ActionOutput


@dataclass(frozen=True)
class ParityLimits:
    """Limits within which two policies are the same: largest error of any joint at any step of any
    chunk, rad, smallest cosine of any chunk, and largest error of a probability."""

    max_error_rad: float
    cosine: float
    probability: float = 0.1


EXACT = ParityLimits(1e-3, 0.99999, 1e-3)  # a change of form: rounding only
LOSSY = ParityLimits(0.1, 0.999, 0.1)  # a change of precision or of weights


@dataclass(frozen=True)
class Parity:
    """joints: name to (largest, mean) error in rad. cosine: smallest of any observation, of the
    normalised chunk. worst: observation with the largest error. The error of an answer that is not
    finite is infinite. probabilities: largest error of each output beside the action."""

    max_error_rad: float
    mean_error_rad: float
    cosine: float
    joints: dict[str, tuple[float, float]]
    worst: int
    observations: int
    probabilities: Mapping[str, float] = field(default_factory=dict)

    def reason(self, limits: ParityLimits) -> str:
        """Which limit is exceeded; empty if none is."""
        if not self.max_error_rad <= limits.max_error_rad:
            joint = max(self.joints, key=lambda name: self.joints[name][0])
            return (
                f'{joint} is {self.max_error_rad:.3g} rad off in observation {self.worst}, '
                f'wanted at most {limits.max_error_rad:g}'
            )
        if not self.cosine >= limits.cosine:
            return f'cosine {self.cosine:.6f}, wanted at least {limits.cosine:g}'
        return self.judged_otherwise(limits)

    def judged_otherwise(self, limits: ParityLimits) -> str:
        """As `reason`, of the outputs beside the action. No closed loop excuses them: it gives
        instructions that are possible."""
        for name, error in self.probabilities.items():
            if not error <= limits.probability:
                return f'{name} is {error:.3g} off, wanted at most {limits.probability:g}'
        return ''

    def with_probabilities(
        self, expected: Mapping[str, np.ndarray], candidate: Mapping[str, np.ndarray]
    ) -> 'Parity':
        """Both: output -> (N, width). An output that the candidate lacks is infinitely wrong."""
        errors = {
            name: float(np.abs(candidate[name] - values).max())
            if name in candidate and candidate[name].shape == values.shape
            else math.inf
            for name, values in expected.items()
        }
        return replace(self, probabilities=errors)


def compare(expected: np.ndarray, candidate: np.ndarray, action: ActionOutput) -> Parity:
    """Both (N, horizon, k), normalised as policy.yaml says. Raises ValueError on other shapes."""
    if expected.shape != candidate.shape or expected.shape[1:] != action.shape[1:]:
        raise ValueError(
            f'shapes {expected.shape} and {candidate.shape}, wanted (N, *{action.shape[1:]})'
        )
    difference = np.abs(candidate.astype(np.float64) - expected.astype(np.float64))
    error = np.where(np.isfinite(difference), difference, math.inf) * action.std
    by_joint = {
        name: (float(error[:, :, i].max()), float(error[:, :, i].mean()))
        for i, name in enumerate(action.joints)
    }
    cosines = _cosines(expected, candidate)
    by_observation = error.max(axis=(1, 2))
    # Among equal errors (all infinite, all zero) the smallest cosine is the worst.
    worst = int(np.lexsort((cosines, -by_observation))[0])
    return Parity(
        float(error.max()),
        float(error.mean()),
        float(cosines.min()),
        by_joint,
        worst,
        len(expected),
    )


def _cosines(expected: np.ndarray, candidate: np.ndarray) -> np.ndarray:
    a = expected.reshape(len(expected), -1).astype(np.float64)
    b = np.nan_to_num(candidate.reshape(len(candidate), -1).astype(np.float64), posinf=0, neginf=0)
    scale = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both_still = (np.linalg.norm(a, axis=1) < 1e-9) & (np.linalg.norm(b, axis=1) < 1e-9)
    product = (a * b).sum(axis=1) / np.maximum(scale, 1e-12)
    return np.where(both_still, 1.0, product)
