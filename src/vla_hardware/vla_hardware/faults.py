# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Faults of the servo loop: what makes one, and what ends it."""

from collections.abc import Callable

from vla_hardware.limits import ServoLimits


class FaultLatch:
    """The first error that made the robot unusable.

    A fault ends once readings were good for `fault_clear_time` and the supervisor was in ESTOP
    meanwhile: motion is then the decision of the supervisor's latch, not of this node.

    on_change: called when a fault begins or ends.
    """

    def __init__(self, limits: ServoLimits, on_change: Callable[[], None]) -> None:
        self._clear_time = limits.fault_clear_time
        self._on_change = on_change
        self._good_since: float | None = None
        self._estop_seen = False
        self.fault = ''
        self.last_error = ''

    def fail(self, what: str) -> None:
        """Latch a fault; the first reason stays."""
        self.last_error = what
        self.fault = self.fault or what
        self._good_since = None
        self._estop_seen = False
        self._on_change()

    def update(self, now: float, good: bool, estop: bool) -> None:
        """good: this cycle's reading and the last write succeeded; estop: the mode is ESTOP."""
        if not self.fault:
            return
        self._estop_seen |= estop
        if not good:
            self._good_since = None
        elif self._good_since is None:
            self._good_since = now
        elif self._estop_seen and now - self._good_since >= self._clear_time:
            self.fault = ''
            self._on_change()


class ErrorCounter:
    """Errors of one kind; `errors_to_fault` in a row, or a fatal one, are a fault."""

    def __init__(self, kind: str, limits: ServoLimits, faults: FaultLatch) -> None:
        self._kind, self._limit, self._faults = kind, limits.errors_to_fault, faults
        self.total = 0
        self.in_row = 0

    def add(self, what: str, fatal: bool = False) -> None:
        """Count one error."""
        self.total += 1
        self.in_row += 1
        self._faults.last_error = text = f'{self._kind} error: {what}'
        if fatal or self.in_row >= self._limit:
            self._faults.fail(text)
