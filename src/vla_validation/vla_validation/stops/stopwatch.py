# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Times of one stop, from the stamps of the nodes that carry it out.

All processes stamp with the same clock, so a stage's time is the difference of two stamps; the
latency of a message to the observer does not count.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vla_common.messages import stamp_to_ns
from vla_common.states import Behaviour, Mode
from vla_interfaces.msg import DriverStatus, SupervisorState
from vla_validation.system_harness.robot import PASSIVE, HarnessError, LaunchedRobot

_LONG = 10.0  # s, for a stop that takes some milliseconds
_LOSS = 3.0
_COMMAND = ('ros2', 'run', 'vla_supervisor', 'command', 'estop')

STAGES = {
    'request_to_mode_ms': 'request to mode ESTOP published by the supervisor',
    'request_to_behaviour_ms': 'request to the driver cycle that applies it',
    'request_to_damped_ms': 'request to the first damped command written to the robot',
    'request_to_rest_ms': 'request to every joint at rest (the robot has sunk down)',
    'command_estop_ms': 'start of `ros2 run vla_supervisor command estop` to mode ESTOP',
}


@dataclass
class StopTimes:
    """ms of each stage, one entry per stop; of losses by node."""

    stages: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in STAGES})
    losses: dict[str, list[float]] = field(default_factory=dict)


class Stopwatch:
    """Requests stops and appends their times.

    Args:
        robot: launched.
        times: appended to.
    """

    def __init__(self, robot: LaunchedRobot, times: StopTimes) -> None:
        self._robot, self._times = robot, times
        self._states: list[SupervisorState] = []
        self._drivers: list[DriverStatus] = []
        robot.add_listener(self._note)

    def _note(self, message: SupervisorState | DriverStatus) -> None:
        (self._states if isinstance(message, SupervisorState) else self._drivers).append(message)

    def _begin(self) -> int:
        # Not in step with any node's tick.
        time.sleep(random.uniform(0.0, 0.04))
        self._states.clear()
        self._drivers.clear()
        return time.time_ns()

    def _first(
        self,
        messages: list[Any],
        wanted: Callable[[Any], bool],
        since: int,
        timeout: float,
        what: str,
    ) -> Any:
        """The first message stamped after ``since`` that is wanted."""
        seen, found = 0, None

        def look() -> bool:
            nonlocal seen, found
            while found is None and seen < len(messages):
                message = messages[seen]
                seen += 1
                if stamp_to_ns(message.header.stamp) >= since and wanted(message):
                    found = message
            return found is not None

        self._robot.wait(look, timeout, what)
        return found

    def estop(self, until_rest: bool) -> None:
        """Request an e-stop and time its stages, the last one (rest) on demand."""
        begin = self._begin()
        answer = self._robot.request('/supervisor/estop')
        mode = self._first(self._states, lambda m: m.mode == Mode.ESTOP, begin, _LONG, 'mode ESTOP')
        damped = self._first(
            self._drivers, lambda m: m.behaviour in PASSIVE, begin, _LONG, 'a damped robot'
        )
        stages = self._times.stages
        at = stamp_to_ns(damped.header.stamp)
        stages['request_to_mode_ms'].append((stamp_to_ns(mode.header.stamp) - begin) * 1e-6)
        stages['request_to_behaviour_ms'].append((at - begin) * 1e-6 - damped.loop_ms)
        stages['request_to_damped_ms'].append((at - begin) * 1e-6)
        if until_rest:
            rest = self._first(
                self._drivers,
                lambda m: m.at_rest and m.behaviour_done and stamp_to_ns(m.header.stamp) > at,
                begin,
                4 * _LONG,
                'rest',
            )
            rested = (stamp_to_ns(rest.header.stamp) - begin) * 1e-6
            stages['request_to_rest_ms'].append(rested)
        self._robot.wait(answer.done, _LONG, 'the answer of the e-stop service')

    def command_estop(self) -> None:
        """Start the operator's command and time it until the supervisor's state is ESTOP."""
        begin = self._begin()
        quiet = subprocess.DEVNULL
        with subprocess.Popen(_COMMAND, stdout=quiet, stderr=quiet) as command:
            mode = self._first(
                self._states, lambda m: m.mode == Mode.ESTOP, begin, 6 * _LONG, 'mode ESTOP'
            )
            if command.wait(_LONG):
                raise HarnessError(f'{" ".join(_COMMAND)}: exit status {command.returncode}')
        milliseconds = (stamp_to_ns(mode.header.stamp) - begin) * 1e-6
        self._times.stages['command_estop_ms'].append(milliseconds)

    def loss(self, node: str, number: signal.Signals) -> None:
        """Freeze or kill a node; time until the stop that has to follow has begun."""
        pid = self._robot.pid(node)
        begin = self._begin()
        os.kill(pid, number)
        try:
            if node == 'hardware_driver':
                # Dead or frozen, it cannot act: the supervisor has to know.
                stop = self._first(
                    self._states, lambda m: m.mode == Mode.ESTOP, begin, _LOSS, 'mode ESTOP'
                )
            else:
                stop = self._first(
                    self._drivers,
                    lambda m: m.behaviour in (Behaviour.STAND, *PASSIVE),
                    begin,
                    _LOSS,
                    f'a stop without {node}',
                )
            self._times.losses.setdefault(node, []).append(
                (stamp_to_ns(stop.header.stamp) - begin) * 1e-6
            )
        finally:
            if number == signal.SIGSTOP:
                os.kill(pid, signal.SIGCONT)
