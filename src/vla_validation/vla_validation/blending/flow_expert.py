# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A flow-matching head with an exactly known velocity field, so that no training hides an error.

The chunks that it samples are a mixture of Gaussians: around each of two motions (an obstacle may
be passed on either side) smooth deviations, correlated over `LENGTH` s. For a Gaussian mode with
mean m and covariance S, x_t = (1 - t) noise + t chunk is Gaussian with mean t m and covariance
C = (1 - t)^2 I + t^2 S, and E[chunk | x_t] = m + t S C^-1 (x_t - t m).
"""

import numpy as np

from vla_policy.guided_sampling import sample
from vla_policy.types import ActionChunk, Observation

DEVIATION = 0.04
"""rad, of a sampled motion from the expert's."""
LENGTH = 0.35
"""s, over which deviations are correlated."""
APPROACH = 0.3
"""s, time constant with which the expert's motion is joined."""
SIDE = 0.10
"""rad, the two ways around the obstacle, in the first joint."""
SIDE_CHOICE = 0.12
"""rad; the nearer side is preferred as a Gaussian of this width says."""
HORIZON, STEPS = 16, 10  # of a chunk, and of the integration of the flow


class GaussianExpert:
    """The two motions (m, k) rad of k joints, smooth functions of time."""

    def __init__(self, rest: np.ndarray) -> None:
        self.rest = np.asarray(rest, float)
        k = len(self.rest)
        self._amplitude = 0.35 / (1.0 + 0.3 * np.arange(k))
        self._rate = 2.0 * np.pi * (0.22 + 0.06 * np.arange(k))

    def motion(self, times: np.ndarray, side: int) -> np.ndarray:
        """Positions at `times` (m,) s, passing on side 0 or 1."""
        t = np.asarray(times, float)[:, None]
        positions = self.rest + self._amplitude * (1.0 - np.cos(self._rate * t))
        positions[:, 0] += SIDE if side else -SIDE
        return positions

    def distance(self, time: float, position: np.ndarray) -> float:
        """rad, RMS over the joints, to the nearer motion."""
        both = [self.motion(np.array([time]), side)[0] - position for side in (0, 1)]
        return float(min(np.sqrt(np.mean(off**2)) for off in both))


class MixtureField:
    """The velocity field of the mixture; see VelocityField."""

    def __init__(self, means: np.ndarray, log_weights: np.ndarray, covariance: np.ndarray) -> None:
        """means (2, h, k), log_weights (2,), covariance (h, h), the same for every joint."""
        self._means = means
        self._log_weights = log_weights
        self._values, self._vectors = np.linalg.eigh(covariance)

    def end(self, x: np.ndarray, t: float) -> np.ndarray:
        ends, _, shares = self._modes(x, t)
        return np.tensordot(shares, ends, axes=1)

    def pull_back(self, x: np.ndarray, t: float, u: np.ndarray) -> np.ndarray:
        ends, scores, shares = self._modes(x, t)
        # d end / dx = t S C^-1 + sum_m r_m end_m (score_m - mean score)^T; the first is symmetric.
        pulled = self._apply(t * self._values / self._variance(t), u)
        mean_score = np.tensordot(shares, scores, axes=1)
        for share, end, score in zip(shares, ends, scores, strict=True):
            pulled = pulled + share * float(np.sum(end * u)) * (score - mean_score)
        return pulled

    def _modes(self, x: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        variance = self._variance(t)
        ends, scores, logs = [], [], []
        for mean, log_weight in zip(self._means, self._log_weights, strict=True):
            off = x - t * mean
            whitened = self._apply(1.0 / variance, off)
            ends.append(mean + self._apply(t * self._values / variance, off))
            scores.append(-whitened)
            logs.append(log_weight - 0.5 * float(np.sum(off * whitened)))
        shares = np.exp(np.array(logs) - max(logs))
        return np.array(ends), np.array(scores), shares / shares.sum()

    def _variance(self, t: float) -> np.ndarray:
        return (1.0 - t) ** 2 + t**2 * self._values

    def _apply(self, scale: np.ndarray, x: np.ndarray) -> np.ndarray:
        return self._vectors @ (scale[:, None] * (self._vectors.T @ x))


class FlowPolicy:
    """Samples a chunk for the joints `indices` of the robot. takes_prefix: can be guided."""

    takes_prefix = True

    def __init__(
        self, expert: GaussianExpert, joints: tuple[str, ...], indices: np.ndarray, seed: int
    ) -> None:
        self._expert = expert
        self._joints = joints
        self._indices = indices
        self._random = np.random.default_rng(seed)
        self.times = 0.1 * np.arange(1, HORIZON + 1)
        gaps = self.times[:, None] - self.times[None, :]
        covariance = DEVIATION**2 * np.exp(-0.5 * (gaps / LENGTH) ** 2)
        # One unit for data and noise, as a normalised head has it.
        self._unit = 0.2
        self._covariance = covariance / self._unit**2 + 1e-6 * np.eye(HORIZON)

    def predict(self, observation: Observation) -> ActionChunk:
        expert, now = self._expert, observation.elapsed
        q = observation.position[self._indices]
        centre = expert.rest
        means, logs = [], []
        for side in (0, 1):
            here = expert.motion(np.array([now]), side)[0]
            motion = expert.motion(now + self.times, side)
            joined = motion + np.exp(-self.times / APPROACH)[:, None] * (q - here)
            means.append((joined - centre) / self._unit)
            logs.append(-0.5 * ((q[0] - here[0]) / SIDE_CHOICE) ** 2)
        field = MixtureField(np.array(means), np.array(logs), self._covariance)
        noise = self._random.standard_normal(means[0].shape)
        wanted = weights = None
        if observation.prefix is not None:
            wanted = (observation.prefix.positions - centre) / self._unit
            weights = observation.prefix.weights
        x = sample(field, noise, STEPS, wanted, weights)
        return ActionChunk(self._joints, centre + self._unit * x, self.times)
