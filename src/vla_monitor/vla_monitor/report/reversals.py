# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How often commanded joints reverse: what an operator sees as trembling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WINDOW = 1.0
"""s over which reversals are counted."""
SPEED = 0.05
"""rad/s that a joint must exceed in both directions: smaller motion is not seen."""


@dataclass(frozen=True)
class Reversals:
    """The joint that reversed most in a window. t: begin, s of the session."""

    t: float
    joint: str
    count: int


class ReversalCounter:
    """Counts changes of the sign of each joint's velocity, window by window."""

    def __init__(self) -> None:
        self._begin: float | None = None
        self._names: list[str] = []
        self._sign = np.zeros(0)
        self._count = np.zeros(0, int)
        self._found: list[Reversals] = []

    def add(self, t: float, names: list[str], velocity: np.ndarray, moving: bool) -> None:
        """A command. velocity: (n,) rad/s; moving: the mode is RUNNING, else it is left out."""
        if not moving or len(velocity) != len(names) or names != self._names:
            self._end()
            if not moving or len(velocity) != len(names):
                return
        if self._begin is not None and not 0.0 <= t - self._begin < WINDOW:
            self._end(keep=True)
        if self._begin is None:
            self._begin = t
            if names != self._names or len(self._sign) != len(names):
                self._names, self._sign = names, np.zeros(len(names))
            self._count = np.zeros(len(names), int)
        sign = np.sign(velocity) * (np.abs(velocity) > SPEED)  # NaN compares as not moving
        sign = np.nan_to_num(sign)
        self._count += sign * self._sign < 0
        self._sign = np.where(sign != 0, sign, self._sign)

    def close(self) -> list[Reversals]:
        """All windows in which a joint reversed."""
        self._end()
        return self._found

    def _end(self, keep: bool = False) -> None:
        """End the window. keep: the motion goes on, so directions are kept."""
        if self._begin is not None and self._count.any():
            worst = int(self._count.argmax())
            self._found.append(Reversals(self._begin, self._names[worst], int(self._count[worst])))
        self._begin = None
        if not keep:
            self._sign = np.zeros(0)
