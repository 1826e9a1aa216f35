# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Whether a commanded stop happens: the joints slow down by t1 and rest by t2 (`StopLimits`)."""

from vla_common.states import Behaviour, Mode
from vla_supervisor.conditions import Condition, hard, soft
from vla_supervisor.decision import DriverReport, StopLimits, SupervisorConfig

NOT_SLOWING, NOT_RESTING = 'stop_not_slowing', 'stop_not_resting'


class StopMonitor:
    """Monitors the stop that began when the mode was entered."""

    def __init__(self, config: SupervisorConfig) -> None:
        self._config = config
        self._mode = Mode.INACTIVE
        self._since = 0.0
        self._hold = False
        self._slowed = False  # this stop was seen to slow by t1
        self._rested = False  # this stop was seen to come to rest

    def enter(self, now: float, mode: Mode, from_running: bool) -> None:
        """A mode was entered; out of RUNNING, the hold of READY is a stop too."""
        self._mode, self._since = mode, now
        self._hold = mode is Mode.READY and from_running
        self._slowed = self._rested = False

    @property
    def monitoring(self) -> bool:
        """Whether there is a stop."""
        return self._hold or self._mode in (Mode.SAFE_STOP, Mode.ESTOP)

    def elapsed(self, now: float) -> float:
        """s since the mode was entered."""
        return now - self._since

    def update(self, now: float, driver: DriverReport | None) -> list[Condition]:
        """The condition of a stop that is not followed, if there is one.

        driver: None if its status is missing, which is a harder condition of its own.
        """
        if not self.monitoring or driver is None:
            return []
        config = self._config
        limits: StopLimits = config.estop if self._mode is Mode.ESTOP else config.safe_stop
        elapsed, speed = self.elapsed(now), driver.max_joint_speed
        obeys = driver.behaviour != Behaviour.TRACK
        # Written so that NaN is 'too fast'.
        slow = obeys and speed <= limits.slow_speed
        rest = obeys and speed <= limits.rest_speed
        self._rested = self._rested or (rest and elapsed >= limits.slow_within)
        due = limits.slow_within if obeys else limits.obey_within
        if elapsed >= due and not (self._slowed and obeys):
            if not slow:
                ignored = '' if obeys else ', the driver does not follow the stop'
                detail = (
                    f'{elapsed:.2f} s after the stop joints move at {speed:.2f} rad/s '
                    f'(limit {limits.slow_speed:.2f}){ignored}'
                )
                return [self._condition(NOT_SLOWING, detail)]
            self._slowed = True
        # A hold after an instruction is only monitored for slowing: nothing there has to end.
        if elapsed >= limits.rest_within and not self._rested and not self._hold:
            detail = (
                f'{elapsed:.2f} s after the stop joints still move at {speed:.2f} rad/s '
                f'(limit {limits.rest_speed:.2f})'
            )
            return [self._condition(NOT_RESTING, detail)]
        return []

    def _condition(self, name: str, detail: str) -> Condition:
        severity = soft if self._hold else hard
        return severity(name, 'hardware_driver', detail, 'the joints come to rest')
