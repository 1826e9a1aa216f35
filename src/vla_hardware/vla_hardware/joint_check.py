# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Cross-checks of the joints: velocity against the derivative of position, position against the
servo target."""

import math
from collections.abc import Sequence

import numpy as np

MOTION = 0.08  # rad between the motions by position and by velocity, ...
MOTION_SHARE = 0.4  # ... plus this share of the larger of them
MOTION_MEMORY = 0.5  # s, time constant of the leaky sums of both
MOTION_TIME = 0.05  # s, of that difference
MOTION_PERIOD = 0.01  # s between two sums
LONGEST_STEP = 0.03  # s; a longer one is left out: what the joints did meanwhile is not known
FOLLOWING = 0.3  # rad between a joint and its servo target (CiA 402: following error window), ...
FOLLOWING_TIME = 0.5  # s, of that error (CiA 402: following error time out)


class VelocityCheck:
    """A joint moves as its velocity says: a wrong sign, unit or scale is found in its first motion.

    After `update`: `cause`, a text for the operator, '' while all agree; it stays until `restart`.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self.restart()

    def restart(self) -> None:
        n = len(self._names)
        self.cause = ''
        self._at: float | None = None
        self._position = np.zeros(n)
        self._velocity = np.zeros(n)
        self._moved = np.zeros((2, n))  # rad, by position and by velocity; leaky
        self._size = np.zeros((2, n))
        self._wrong_for = np.zeros(n)  # s

    def update(self, now: float, position: np.ndarray, velocity: np.ndarray) -> None:
        """now: s, steady; position rad, velocity rad/s: (n,)."""
        dt = math.inf if self._at is None else now - self._at
        if dt < MOTION_PERIOD - 1e-9:
            return
        if dt <= LONGEST_STEP:
            moved, size = self._moved, self._size
            moved *= 1.0 - dt / (MOTION_MEMORY + dt)
            moved[0] += position - self._position
            moved[1] += (0.5 * dt) * (velocity + self._velocity)
            np.abs(moved, out=size)
            limit = MOTION + MOTION_SHARE * np.maximum(size[0], size[1])
            wrong = np.abs(moved[0] - moved[1]) > limit
            if wrong.any():
                self._wrong_for[wrong] += dt
                self._wrong_for[~wrong] = 0.0
                worst = int(self._wrong_for.argmax())
                if self._wrong_for[worst] >= MOTION_TIME:
                    self.cause = self.cause or self._describe(worst)
            else:
                self._wrong_for[:] = 0.0
        self._at = now
        self._position[:], self._velocity[:] = position, velocity

    def _describe(self, joint: int) -> str:
        by_position, by_velocity = self._moved[:, joint].tolist()
        looks = ''
        ratio = by_velocity / by_position if abs(by_position) > 0.005 else 0.0
        for factor, text in (
            (-1.0, 'the opposite sign'),
            (180.0 / math.pi, 'degrees per second'),
            (60.0 / (2.0 * math.pi), 'revolutions per minute'),
        ):
            if 0.8 <= ratio / factor <= 1.25:
                looks = f': the velocity looks like {text}'
        if not looks and abs(by_velocity) < 0.1 * abs(by_position):
            looks = ': the velocity is not measured'
        return (
            f'{self._names[joint]} moved by {by_position:.2f} rad by its position and by '
            f'{by_velocity:.2f} rad by its velocity{looks}'
        )


class FollowingCheck:
    """A joint follows its servo target. After `update`: `cause`; it goes when the joint follows."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self.restart()

    def restart(self) -> None:
        self.cause = ''
        self._at: float | None = None
        self._far_for = np.zeros(len(self._names))  # s

    def update(self, now: float, position: np.ndarray, target: np.ndarray) -> None:
        """now: s, steady; position, target: (n,) rad."""
        dt = 0.0 if self._at is None else min(now - self._at, LONGEST_STEP)
        self._at = now
        error = np.abs(target - position)
        worst = int(error.argmax())
        if not error[worst] > FOLLOWING:
            self._far_for[:] = 0.0
            self.cause = ''
            return
        far = error > FOLLOWING
        self._far_for[far] += dt
        self._far_for[~far] = 0.0
        worst = int(self._far_for.argmax())
        if self._far_for[worst] >= FOLLOWING_TIME and not self.cause:
            # Once: a text that changes is a new template of the status message.
            self.cause = (
                f'{self._names[worst]} is {error[worst]:.2f} rad from its target for '
                f'{self._far_for[worst]:.1f} s (limit {FOLLOWING} rad for {FOLLOWING_TIME} s): '
                'it is blocked, or does not respond'
            )
