# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Policies that draw their answer: several for one observation, and how far apart they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from vla_policy.bundle.bundle import Bundle
from vla_policy.runtimes import Runtime


class Sampler:
    """Draws what a bundle asks for: with a flow-matching head whose velocity field is at hand, with
    a tensor of noise, or once without either. The noise begins with the same seed each time."""

    def __init__(self, bundle: Bundle, runtime: Runtime) -> None:
        assert bundle.action is not None
        self._shape = bundle.action.shape
        self._random = np.random.default_rng(0)
        self._tensor = bundle.noise.tensor if bundle.noise is not None else ''
        head = bundle.noise or bundle.flow
        self._samples = head.samples if head is not None else 1
        self._led = getattr(runtime, 'sample', None) if bundle.flow is not None else None

    @property
    def can_be_led(self) -> bool:
        return self._led is not None

    def noise(self) -> np.ndarray:
        """float32, standard normal, of the action's shape."""
        return self._random.standard_normal(self._shape, np.float32)

    def answers(
        self,
        run: Callable[[dict[str, np.ndarray]], np.ndarray],
        tensors: dict[str, np.ndarray],
        wanted: tuple[np.ndarray, np.ndarray] | None,
    ) -> list[np.ndarray]:
        """As many as are to be drawn, each of the action's shape. run: the model, asked with its
        tensors. wanted: chunk (h, k) and weights (h,) that a flow head is led by."""
        if self._led is not None:
            noise = np.concatenate([self.noise() for _ in range(self._samples)])
            return [drawn[None] for drawn in self._led(tensors, noise, wanted)]
        drawn = []
        for i in range(self._samples):
            if i > 0:
                tensors = {**tensors, self._tensor: self.noise()}
            drawn.append(run(tensors))
        return drawn


def nearest_to_all(chunks: Sequence[np.ndarray]) -> tuple[int, float]:
    """Which of the chunks (h, k) rad is the nearest to all the others, and its RMS distance from
    them (rad), -1 without others. Not their mean: half of them may pass an obstacle on the left."""
    if len(chunks) == 1:
        return 0, -1.0
    flat = np.stack([chunk.ravel() for chunk in chunks])
    square = np.mean((flat[:, None] - flat[None]) ** 2, axis=2)
    total = square.sum(axis=1)
    chosen = int(np.argmin(total))
    return chosen, math.sqrt(float(total[chosen]) / (len(chunks) - 1))
