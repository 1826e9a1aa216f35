# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Sampling several answers for one observation, and the choice of one."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from vla_policy.bundle.model_spec import ModelSpec
from vla_policy.runtimes import Runtime


class Sampler:
    """Samples with a flow-matching head, with a noise tensor, or once without either. The noise
    starts with the same seed in each process."""

    def __init__(self, spec: ModelSpec, runtime: Runtime) -> None:
        self._shape = spec.action.shape
        self._random = np.random.default_rng(0)
        self._tensor = spec.inputs.noise.tensor if spec.inputs.noise is not None else ''
        head = spec.inputs.noise or spec.flow
        self._samples = head.samples if head is not None else 1
        self._sample = runtime.sample if spec.flow is not None else None

    @property
    def guided(self) -> bool:
        """Whether a target can be given."""
        return self._sample is not None

    def noise(self) -> np.ndarray:
        """float32, standard normal, of the action's shape."""
        return self._random.standard_normal(self._shape, np.float32)

    def answers(
        self,
        run: Callable[[dict[str, np.ndarray]], np.ndarray],
        tensors: dict[str, np.ndarray],
        target: tuple[np.ndarray, np.ndarray] | None,
    ) -> list[np.ndarray]:
        """The samples, each of the action's shape. run: the model. target: chunk (h, k) and weights
        (h,) that guide a flow head."""
        if self._sample is not None:
            noise = np.concatenate([self.noise() for _ in range(self._samples)])
            return [drawn[None] for drawn in self._sample(tensors, noise, target)]
        drawn = []
        for i in range(self._samples):
            if i > 0:
                tensors = {**tensors, self._tensor: self.noise()}
            drawn.append(run(tensors))
        return drawn


def nearest_to_all(chunks: Sequence[np.ndarray]) -> tuple[int, float]:
    """Index of the chunk (h, k) rad nearest to all others, and its RMS distance to them (rad), -1
    without others. Not their mean: half of them may pass an obstacle on the other side."""
    if len(chunks) == 1:
        return 0, -1.0
    flat = np.stack([chunk.ravel() for chunk in chunks])
    square = np.mean((flat[:, None] - flat[None]) ** 2, axis=2)
    total = square.sum(axis=1)
    chosen = int(np.argmin(total))
    return chosen, math.sqrt(float(total[chosen]) / (len(chunks) - 1))
