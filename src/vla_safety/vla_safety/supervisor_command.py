# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Whether motion is allowed now, and since when, from what the supervisor says."""

from __future__ import annotations

from dataclasses import dataclass

from vla_common.states import Mode
from vla_common.watchdog import Watchdog


@dataclass(frozen=True)
class SupervisorCommand:
    """One /supervisor/state, as the filter needs it. `stamp` is header.stamp in ns."""

    mode: Mode
    motion_epoch: int
    speed_scale: float
    stamp: int
    sequence: int


class MotionGate:
    """Follows the supervisor.

    Args:
        timeout: s without a new order after which motion counts as not allowed.
    """

    def __init__(self, timeout: float) -> None:
        self._watchdog = Watchdog('supervisor', timeout)
        self._order: SupervisorCommand | None = None
        self._running_since = 0
        self._begun = False

    @property
    def timeout(self) -> float:
        """s."""
        return self._watchdog.timeout

    @property
    def order(self) -> SupervisorCommand | None:
        """The newest order; None before the first."""
        return self._order

    @property
    def running_since(self) -> int:
        """ns, stamp of the order with which the current RUNNING began; chunks of observations
        before it belong to another motion."""
        return self._running_since

    @property
    def allowed(self) -> bool:
        """Whether the newest order is a RUNNING that was seen to begin, however old the order is.

        A filter that comes up in the middle of RUNNING (it was restarted) knows neither which
        observations belong to it nor what happened before: it waits for the next beginning.
        """
        return self._begun and self._order is not None and self._order.mode is Mode.RUNNING

    @property
    def missed(self) -> bool:
        """Whether the newest order is a RUNNING whose beginning was not seen."""
        return self._order is not None and self._order.mode is Mode.RUNNING and not self._begun

    @property
    def why_not(self) -> str:
        """Why motion is not allowed, for the status."""
        if self._order is None:
            return 'supervisor silent'
        if self.missed:
            return 'mode RUNNING began before the filter was active'
        return f'mode {self._order.mode.name}'

    def age(self, now: float) -> float:
        """s since the newest order; infinite before the first."""
        return self._watchdog.age(now)

    def silent(self, now: float) -> bool:
        return self._watchdog.expired(now)

    def close(self) -> None:
        """Wait for the next beginning of RUNNING; what was heard stays known."""
        self._begun = False

    def hear(self, order: SupervisorCommand, now: float) -> bool:
        """Take an order received at `now` (s, steady).

        Returns:
            Whether mode or epoch changed, or a silence ended: whatever was tracked is over.
        """
        silent = self._watchdog.expired(now)
        before = self._order
        # A supervisor that was restarted counts from its beginning again, and never begins with
        # RUNNING. Only then, and only while the old one is silent: otherwise a message that is
        # repeated or replayed would be taken for a new one.
        if (
            silent
            and before is not None
            and order.sequence < before.sequence
            and order.stamp > before.stamp
            and order.mode is not Mode.RUNNING
        ):
            self._watchdog.reset()
        if not self._watchdog.beat(now, order.sequence):
            return False
        self._order = order
        if before is not None and (
            before.mode is not order.mode or before.motion_epoch != order.motion_epoch
        ):
            self._begun = True
        changed = (
            before is None
            or silent
            or before.mode is not order.mode
            or before.motion_epoch != order.motion_epoch
        )
        if changed and order.mode is Mode.RUNNING:
            self._running_since = order.stamp
        return changed
