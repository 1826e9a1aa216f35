# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Frozen images, stalls, and the pause before a device is opened again."""

import zlib

import numpy as np

from vla_common.clock import RateMeter


class StreamMonitor:
    """Watches every delivered frame; times are steady, s.

    frozen_after: of byte-identical images. stall_after: without any.
    """

    def __init__(self, frozen_after: float, stall_after: float) -> None:
        self._frozen_after = frozen_after
        self._stall_after = stall_after
        self._rate = RateMeter(2.0)
        self._crc: int | None = None
        self._same_since = 0.0
        self._last: float | None = None
        self._begun = 0.0
        self.frames = 0
        self.stalls = 0
        self._stalled = False

    def begin(self, now: float) -> None:
        """The device was opened or the node activated: silence counts from here."""
        self._begun = now
        self._last = None
        self._crc = None

    def frame(self, color: np.ndarray, now: float) -> None:
        crc = zlib.crc32(np.ascontiguousarray(color))
        if crc != self._crc:
            self._crc, self._same_since = crc, now
        self._last = now
        self.frames += 1
        self._stalled = False
        self._rate.tick(now)

    def rate(self, now: float) -> float:
        return self._rate.rate(now)

    def silent_for(self, now: float) -> float:
        return now - (self._begun if self._last is None else self._last)

    def stalled(self, now: float) -> bool:
        """Nothing for longer than stall_after. Counted once per stall."""
        if self.silent_for(now) <= self._stall_after:
            return False
        if not self._stalled:
            self._stalled = True
            self.stalls += 1
        return True

    def same_for(self, now: float) -> float:
        return 0.0 if self._crc is None or self._last is None else self._last - self._same_since

    def frozen(self, now: float) -> bool:
        return self.same_for(now) > self._frozen_after


class Backoff:
    """first, first * 2, first * 4, … up to most, s; back to first after a success."""

    def __init__(self, first: float = 0.5, most: float = 8.0) -> None:
        self._first, self._most = first, most
        self._next = first

    def fail(self) -> float:
        wait, self._next = self._next, min(self._most, 2.0 * self._next)
        return wait

    def succeed(self) -> None:
        self._next = self._first
