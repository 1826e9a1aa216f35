# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Hysteresis of severity levels."""

from __future__ import annotations

from vla_common.states import Level


class Hysteresis:
    """A level that rises at once and falls only after the input stayed lower for a while.

    Falling is to the worst level seen during that while, so that an input which flickers
    between two levels holds the upper one.

    Args:
        fall_after: seconds that the input has to stay lower.
    """

    def __init__(self, fall_after: float) -> None:
        self._fall_after = fall_after
        self._level = Level.SAFE
        self._lower_since: float | None = None
        self._worst_since = Level.SAFE

    @property
    def level(self) -> Level:
        """The level in force since the last update."""
        return self._level

    def update(self, level: Level, now: float) -> Level:
        """Take the level seen at steady time `now` (s); return the level in force."""
        if level >= self._level:
            self._level = level
            self._lower_since = None
            return self._level
        if self._lower_since is None:
            self._lower_since, self._worst_since = now, level
        self._worst_since = max(self._worst_since, level)
        if now - self._lower_since >= self._fall_after:
            self._level = self._worst_since
            self._lower_since = None
        return self._level
