# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which LowState is accepted: right layout, right checksum, a newer tick, finite values."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from vla_hardware.drivers.unitree.motors import MOTORS
from vla_hardware.drivers.unitree.wire import STATE, crc_is_right, pressed

RESTARTED = 5
"""States with rising ticks, all below the newest accepted one, after which the robot restarted."""


class StateGuard:
    """stop_buttons: combinations of buttons that are a stop."""

    def __init__(self, stop_buttons: tuple[frozenset[str], ...]) -> None:
        self._stop_buttons = stop_buttons
        self._tick: int | None = None
        self._lower: int | None = None  # the newest tick below it
        self._rising = 0
        self.rejected: Counter[str] = Counter()
        self.last_rejection = ''
        self.restarts = 0
        self.stops = 0  # times that a combination was pressed
        self.stop_held = False

    def offer(self, message: bytes) -> np.void | None:
        """The state in a serialized message; None where it is rejected."""
        try:
            state = STATE.read(message)
        except ValueError as error:
            return self._reject(f'not a LowState: {error}', 'not a LowState')
        if not crc_is_right(state):
            return self._reject('wrong CRC')
        # Before the tick: the operator's stop counts in every state that is not garbage.
        self._look_at_buttons(state)
        if not self._is_newer(int(state['tick'])):
            return None
        motors, imu = state['motor_state'][: len(MOTORS)], state['imu_state']
        values = [motors[name] for name in ('q', 'dq', 'tau_est')]
        values += [imu[name] for name in ('quaternion', 'gyroscope', 'accelerometer')]
        if not all(math.isfinite(float(v @ v)) for v in (w.astype(float) for w in values)):
            return self._reject('not finite')
        return state

    def _look_at_buttons(self, state: np.void) -> None:
        buttons = pressed(state['wireless_remote'].tobytes())
        held = any(combination <= buttons for combination in self._stop_buttons)
        self.stops += held and not self.stop_held
        self.stop_held = held

    def _is_newer(self, tick: int) -> bool:
        last = self._tick
        ahead = 1 if last is None else _ahead(tick, last)
        if ahead <= 0:
            if ahead == 0:
                self._reject('tick stands still')
                return False
            rises = self._lower is not None and _ahead(tick, self._lower) > 0
            self._rising = self._rising + 1 if rises else 0
            self._lower = tick
            if self._rising < RESTARTED:
                self._reject('tick goes back')
                return False
            self.restarts += 1
        self._tick, self._lower, self._rising = tick, None, 0
        return True

    def _reject(self, why: str, kind: str = '') -> None:
        self.rejected[kind or why] += 1
        self.last_rejection = why


def _ahead(tick: int, last: int) -> int:
    """By how much a 32-bit counter is ahead of another; it wraps around."""
    return (tick - last + 0x80000000) % 0x100000000 - 0x80000000
