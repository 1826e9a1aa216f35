# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Motion gate: whether the supervisor allows motion, and since when."""

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
    """Follows the supervisor's commands.

    Args:
        timeout: s without a new command after which motion is not allowed.

    Attributes:
        command: the newest one; None before the first.
        running_since: ns, stamp of the command that began the current RUNNING; chunks of earlier
            observations belong to another motion.
    """

    def __init__(self, timeout: float) -> None:
        self._watchdog = Watchdog('supervisor', timeout)
        self.command: SupervisorCommand | None = None
        self.running_since = 0
        self._begun = False

    @property
    def timeout(self) -> float:
        """s."""
        return self._watchdog.timeout

    @property
    def allowed(self) -> bool:
        """Whether the newest command is a RUNNING whose beginning was received, however old it is.

        A filter that was restarted in the middle of RUNNING knows neither which observations belong
        to it nor what happened before: it waits for the next beginning.
        """
        return self._begun and self.command is not None and self.command.mode is Mode.RUNNING

    @property
    def missed(self) -> bool:
        """Whether the newest command is a RUNNING whose beginning was not received."""
        return self.command is not None and self.command.mode is Mode.RUNNING and not self._begun

    @property
    def why_not(self) -> str:
        """Why motion is not allowed, for the status."""
        if self.command is None:
            return 'supervisor silent'
        if self.missed:
            return 'mode RUNNING began before the filter was active'
        return f'mode {self.command.mode.name}'

    def age(self, now: float) -> float:
        """s since the newest command; infinite before the first."""
        return self._watchdog.age(now)

    @property
    def replayed(self) -> int:
        """Commands dropped because they were not new."""
        return self._watchdog.replayed

    def silent(self, now: float) -> bool:
        return self._watchdog.expired(now)

    def close(self) -> None:
        """Wait for the next beginning of RUNNING."""
        self._begun = False

    def update(self, command: SupervisorCommand, now: float) -> bool:
        """Take a command received at `now` (s, steady).

        Returns:
            Whether mode or epoch changed, or a silence ended: whatever was tracked is over.
        """
        silent = self._watchdog.expired(now)
        before = self.command
        # A restarted supervisor counts from its beginning again, and never begins with RUNNING.
        # Only then, and only after a silence: otherwise a replayed message would count as new.
        if (
            silent
            and before is not None
            and command.sequence < before.sequence
            and command.stamp > before.stamp
            and command.mode is not Mode.RUNNING
        ):
            self._watchdog.reset()
        if not self._watchdog.beat(now, command.sequence):
            return False
        self.command = command
        began = before is not None and (
            before.mode is not command.mode or before.motion_epoch != command.motion_epoch
        )
        self._begun = self._begun or began
        changed = began or before is None or silent
        if changed and command.mode is Mode.RUNNING:
            self.running_since = command.stamp
        return changed
