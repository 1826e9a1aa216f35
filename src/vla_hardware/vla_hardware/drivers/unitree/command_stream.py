# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The stream of LowCmd: from the servo loop's targets, and without them.

There is no flag for damping: it is stiffness 0 with damping. So a target that is too old is
replaced by damping, in the same stream, which ends only with the process.
"""

from __future__ import annotations

import numpy as np

from vla_hardware.drivers.unitree.config import ARM_SDK
from vla_hardware.drivers.unitree.motors import Motor
from vla_hardware.drivers.unitree.wire import LOW_CMD, WEIGHT

OLDEST = 0.06  # s; an older target is replaced by damping
PERIOD = 0.01  # s of the stream without targets
WEIGHT_TIME = 1.0  # s in which the weight of /arm_sdk rises from 0 to 1
LONGEST = 0.02  # s of one step of it ...
LONGEST_FALL = 0.1  # ... and of its fall


def target_kind(n: int) -> np.dtype:
    """A target of the servo loop for n motors: time (s, steady), power, and (n,) arrays."""
    arrays = [(name, '<f4', n) for name in ('q', 'dq', 'tau', 'kp', 'kd')]
    return np.dtype([('at', '<f8'), ('powered', 'u1'), *arrays])


class CommandStream:
    """mode: arm_sdk or low_level. motors: those that it commands, in the order of the targets.

    arm_sdk: the weight rises with the first stiff target and stays; it is what blends our command
    with that of the maker's controller. Nothing is sent before.
    """

    def __init__(self, mode: str, motors: tuple[Motor, ...]) -> None:
        self._weighted = mode == ARM_SDK
        self._slots = np.array([motor.slot for motor in motors])
        self._target: np.void | None = None
        self._due = False
        self._frame = np.zeros((), LOW_CMD)
        self._sent_at: float | None = None
        self.weight = 0.0

    @property
    def engaged(self) -> bool:
        """Whether something was sent: the robot has to get something as long as this lives."""
        return self._sent_at is not None

    def offer(self, target: np.void) -> None:
        """Take a target of the servo loop."""
        self._target, self._due = target, True

    def next(self, now: float, mode_machine: int) -> np.ndarray | None:
        """What is to be sent now; None for nothing. mode_machine: the robot's, echoed."""
        target = self._target
        if target is not None and self._due:
            self._due = False
            if now - target['at'] <= OLDEST:
                return self._from(target, now, mode_machine)
        if not self.engaged or target is None or now - target['at'] <= OLDEST:
            return None
        return self.damping(now, mode_machine)

    def damping(self, now: float, mode_machine: int) -> np.ndarray | None:
        """Damping, every `PERIOD`, once something was sent."""
        if self._sent_at is None or now - self._sent_at < PERIOD:
            return None
        motors = self._frame['motor_cmd']
        for name in ('kp', 'tau', 'dq'):
            motors[name] = 0.0
        motors[WEIGHT]['q'] = self.weight if self._weighted else 0.0
        return self._send(now, mode_machine)

    def giving_back(self, now: float, mode_machine: int, seconds: float) -> np.ndarray | None:
        """The end of /arm_sdk, every `PERIOD`: the weight falls to 0 within `seconds`, so that the
        maker's controller takes the arms over."""
        if self._sent_at is None or now - self._sent_at < PERIOD:
            return None
        self.weight = max(self.weight - min(now - self._sent_at, LONGEST_FALL) / seconds, 0.0)
        self._frame['motor_cmd'][WEIGHT]['q'] = self.weight
        return self._send(now, mode_machine)

    def _from(self, target: np.void, now: float, mode_machine: int) -> np.ndarray | None:
        stiff = bool(target['powered']) and bool(target['kp'].any())
        if self._weighted:
            if not stiff and not self.engaged:
                return None  # the maker's controller has the arms
            if stiff:
                since = PERIOD if self._sent_at is None else now - self._sent_at
                self.weight = min(self.weight + min(since, LONGEST) / WEIGHT_TIME, 1.0)
        motors = self._frame['motor_cmd']
        for name in ('q', 'dq', 'tau', 'kp', 'kd'):
            motors[name][self._slots] = target[name]
        # Legs of arm_sdk are the maker's: motors that are switched off here would not stand.
        motors['mode'][self._slots] = 1 if target['powered'] or self._weighted else 0
        if self._weighted:
            motors[WEIGHT]['q'] = self.weight
        return self._send(now, mode_machine)

    def _send(self, now: float, mode_machine: int) -> np.ndarray:
        self._frame['mode_machine'] = mode_machine
        self._sent_at = now
        return self._frame
