# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How much of the requested motion the coupled limits leave, and for how long they hold it."""

from collections import Counter

from vla_safety.violations import Violation

MOVING = 0.02
"""rad/s; a request in which no joint is faster asks for rest."""

SLOWED, HELD = 0.9, 0.1
"""Shares of the requested velocity below which the motion counts as slowed, and as held."""


class HoldMonitor:
    """Times of one motion.

    Args:
        limit: s, the longest hold.

    Attributes:
        slowed, held: s of the motion in which less than SLOWED, HELD of the request was sent.
        held_for: s of the present hold; 0 without one.
        seconds: slowed seconds by limit ('collision left_palm-torso_link').
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.reset()

    def reset(self) -> None:
        """A new motion begins."""
        self.slowed = self.held = self.held_for = 0.0
        self.seconds: Counter[str] = Counter()
        self._present = ''

    def release(self) -> None:
        """Nothing is requested in this tick, or something else stops the motion."""
        self.held_for, self._present = 0.0, ''

    def update(self, share: float, limit: Violation | None, period: float) -> None:
        """One tick of `period` s, in which `share` was sent because of `limit`; share: see
        `kernel.joints.progress`."""
        if not share < SLOWED:
            self.release()
            return
        name = f'{limit.kind.value} {limit.subject}'.rstrip() if limit else 'unknown'
        self._present = name
        self.slowed += period
        self.seconds[name] += period
        if share < HELD:
            self.held += period
            self.held_for += period
        else:
            self.held_for = 0.0

    @property
    def expired(self) -> bool:
        return self.held_for >= self.limit

    @property
    def limited_by(self) -> str:
        """The limit that slows or holds now, else the one that did for longest; '' for none."""
        if self._present or not self.seconds:
            return self._present
        return max(self.seconds, key=self.seconds.__getitem__)
