# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Universal Robots e-Series, UR3e to UR16e. States come by RTDE; targets go into registers, which a
program of ours in the robot follows (`program`). That program is the last watchdog.

The servo loop's thread reads and writes without waiting. Damped or off, the program is ended: the
robot brakes the arm and holds it. Brakes and power stay the pendant's.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from enum import Enum
from typing import Any, Self

import numpy as np

from vla_common.errors import ConfigError
from vla_common.parameters import Parameters
from vla_hardware.drivers.base import DeviceJoints, DriverError, Gains, require_finite
from vla_hardware.drivers.fixed_arm import arm_reading, stiffness_share
from vla_hardware.drivers.tcp_link import Connector
from vla_hardware.drivers.ur.config import NAMES, UrConfig
from vla_hardware.drivers.ur.program import ECHO, REASON, RUNS, SOFTEST, STOP, TRACK, program
from vla_hardware.drivers.ur.session import TORQUE, UrSession
from vla_hardware.drivers.ur.state_age import StateAge
from vla_hardware.drivers.ur.states import PLAYING, STOPPED, ended_error, robot_error
from vla_robot import Reading, RobotModel

CONNECT = 3.5  # s
FIRST_STATE = 0.8  # s more, in which a program of a driver before this one has ended
SILENT = 0.4  # s without a state, after which the connection is opened anew
STARTED = 2.0  # s in which the robot has started the program
ENDED = 1.0  # s in which it has ended it; then the dashboard ends it
UNSEEN = 0.2  # s in which the program has seen a target, where it runs
DRAIN = 50  # cycles between two looks at what the other ports have sent


class _Phase(Enum):
    """Of our program in the robot."""

    NONE = 'none'
    STARTING = 'starting'
    RUNNING = 'running'
    ENDING = 'ending'


class UrDriver:
    """See the module and `Driver`."""

    can_fall = False
    stiffen_time = 1.0  # the robot starts the program meanwhile

    def __init__(self, robot: RobotModel, config: UrConfig, clock: Callable[[], float]) -> None:
        self._robot, self._config, self._clock = robot, config, clock
        known = [name for name in robot.joint_names if name in NAMES]
        self._order = [NAMES.index(name) for name in known]
        self._mine = [robot.index[name] for name in known]
        self._connector = Connector(lambda: UrSession.connect(config, self.connect_time))
        self.connect_time = CONNECT
        self._session: UrSession | None = None
        self._state: Any = None
        self._age = StateAge()
        self._target = np.zeros(len(NAMES))
        self._powered = False
        self._phase = _Phase.NONE
        self._since = 0.0  # s, of the phase
        self._asked = False  # the dashboard to end it
        self._token = 0  # session of our program
        self._number = 0  # of the newest target
        self._seen = (0, 0.0)  # newest number that the robot has seen, and when, by its clock
        self._latched: DriverError | None = None  # until the servo loop has become passive
        self._error: DriverError | None = None  # why there is no connection
        self._cycles = 0

    @classmethod
    def from_parameters(
        cls, robot: RobotModel, params: Parameters, clock: Callable[[], float]
    ) -> Self:
        return cls(robot, UrConfig.load(params.driver_config), clock)

    @property
    def when_killed(self) -> str:
        """See `program`."""
        return (
            f'the program in the robot brakes the arm after {self._config.deadline * 1e3:.0f} ms '
            'without a new target, and ends; the robot holds the arm'
        )

    @property
    def real_time_factor(self) -> float:
        return 1.0

    def device_joints(self) -> DeviceJoints:
        order = [*self._order, *(i for i in range(len(NAMES)) if i not in self._order)]
        lower, upper = self._config.limits()
        return DeviceJoints(tuple(NAMES[i] for i in order), lower[order], upper[order])

    # -- connecting ------------------------------------------------------------------------

    def connect(self) -> None:
        session = UrSession.connect(self._config, self.connect_time)
        self._begin(session)
        end = time.monotonic() + FIRST_STATE
        try:
            while (error := self._not_ready()) is not None:
                if time.monotonic() > end:
                    raise error
                time.sleep(0.002)
                self._receive()
        except ConnectionError as cut:
            self.close()
            raise DriverError(f'the robot closed the connection ({cut})', 'try again') from cut
        except BaseException:
            self.close()
            raise

    def _not_ready(self) -> DriverError | None:
        if self._state is None:
            return DriverError('RTDE sends no state', 'restart the robot')
        if int(self._state['runtime_state']) != STOPPED:
            return DriverError(
                'a program runs on the robot', 'stop it on the pendant: it may move the arm'
            )
        return robot_error(self._state)

    def _begin(self, session: UrSession) -> None:
        self._session, self._state, self._error = session, None, None
        self._age = StateAge()

    def _cut(self, error: DriverError) -> None:
        """The connection is gone. Whatever ran, its return resumes nothing."""
        if self._session is not None:
            self._session.close(abort=True)
        self._session, self._error = None, error
        if self._phase is not _Phase.NONE:
            self._latch(DriverError('the connection to the robot was cut', 'reset', stopped=True))
        self._enter(_Phase.NONE)
        self._connector.start()

    def _latch(self, error: DriverError) -> None:
        """An error that stays until the servo loop has become passive; the first one counts."""
        if self._latched is None:
            self._latched = error

    def _enter(self, phase: _Phase) -> None:
        self._phase, self._since, self._asked = phase, self._clock(), False

    # -- reading ---------------------------------------------------------------------------

    def read(self) -> Reading:
        try:
            self._receive()
        except ConnectionError as error:
            self._cut(DriverError(f'the connection to the robot ended ({error})', 'plug the cable'))
        if self._session is None:
            raise self._unconnected()
        state, age = self._state, self._age.of(self._clock())
        if state is None or not age <= self._config.max_age:
            error = DriverError(
                f'the newest state of the robot is {age * 1e3:.0f} ms old'
                if state is not None
                else 'the robot has sent no state yet',
                'look at the cable and at the robot, then reset',
            )
            if self._age.silence(self._clock()) > SILENT:
                self._cut(error)
            raise error
        error_now = robot_error(state) or self._follow_program(state)
        if error_now is not None:
            self._latch(error_now)
            self._end_paused()
            raise error_now
        if self._latched is not None:
            raise self._latched
        order = self._order
        zeros = np.zeros(len(order))
        session = self._session
        return arm_reading(
            state['actual_q'][order].astype(float),
            state['actual_qd'][order].astype(float),
            state[TORQUE][order].astype(float) if session.has_torque else zeros,
        )

    def _unconnected(self) -> DriverError:
        found = self._connector.error
        if isinstance(found, ConfigError):
            return DriverError(str(found), 'restart the driver')
        if isinstance(found, DriverError):
            return DriverError(found.cause, found.action)
        return self._error or DriverError('the robot is not connected', 'configure the driver')

    def _receive(self) -> None:
        """Take the newest state. Raises ConnectionError."""
        if self._session is None:
            session = self._connector.take()
            if session is None:
                return
            self._begin(session)
            self._enter(_Phase.ENDING)  # ours may still run: its registers, not the dashboard,
            self._asked = True  # which would end somebody else's
        assert self._session is not None
        state = self._session.receive()
        self._cycles += 1
        if self._cycles % DRAIN == 0:
            self._session.drop_reports()
        if state is None:
            if self._state is None:
                self._age.begin(self._clock())
            return
        if not np.isfinite(state['actual_q']).all() or not np.isfinite(state['actual_qd']).all():
            return  # it grows old
        if self._age.update(self._clock(), float(state['timestamp'])):
            self._state = state

    # -- the program in the robot ----------------------------------------------------------

    def _follow_program(self, state: Any) -> DriverError | None:
        """Its phase by what the robot reports; the error that this is."""
        runtime, ours = int(state['runtime_state']), int(state[RUNS]) == self._token != 0
        now = self._clock()
        match self._phase:
            case _Phase.NONE:
                if runtime == PLAYING:
                    return DriverError(
                        'another program runs on the robot', 'stop it on the pendant', stopped=True
                    )
            case _Phase.STARTING:
                if ours and runtime == PLAYING:
                    self._seen = int(state[ECHO]), float(state['timestamp'])
                    self._enter(_Phase.RUNNING)
                elif now - self._since > STARTED:
                    self._enter(_Phase.ENDING)
                    return DriverError(
                        'the robot does not start the program of this driver'
                        + (f' ({text})' if (text := self._message()) else ''),
                        'choose Remote on the pendant, close its messages, then reset',
                        stopped=True,
                    )
            case _Phase.RUNNING:
                return self._running(state, runtime, ours)
            case _Phase.ENDING:
                if runtime == STOPPED:
                    self._enter(_Phase.NONE)
                elif now - self._since > ENDED:
                    self._enter(_Phase.NONE if self._asked else _Phase.ENDING)
                    self._stop_program()
        return None

    def _message(self) -> str:
        return self._session.message if self._session is not None else ''

    def _running(self, state: Any, runtime: int, ours: bool) -> DriverError | None:
        if runtime != PLAYING or not ours:
            reason = int(state[REASON])
            self._enter(_Phase.NONE if runtime == STOPPED else _Phase.ENDING)
            if runtime not in (STOPPED, PLAYING):  # paused: nobody is to resume it
                self._stop_program()
            return ended_error(reason, runtime)
        echo, stamp = int(state[ECHO]), float(state['timestamp'])  # a silent robot sees nothing
        if echo != self._seen[0]:
            self._seen = echo, stamp
        elif echo != self._number and stamp - self._seen[1] > UNSEEN:
            self._enter(_Phase.NONE)
            return DriverError(
                'the program in the robot does not see the targets: another one runs, or it hangs',
                'stop it on the pendant, then reset',
                stopped=True,
            )
        return None

    def _end_paused(self) -> None:
        """A stop of the robot pauses our program: end it, so that nobody resumes it later."""
        if self._phase in (_Phase.STARTING, _Phase.RUNNING):
            self._enter(_Phase.ENDING)
            self._stop_program()

    def _stop_program(self) -> None:
        if self._phase is _Phase.ENDING and not self._asked and self._session is not None:
            self._asked = True
            try:
                self._session.stop_program()
            except ConnectionError as error:
                self._cut(DriverError(f'the dashboard server ended ({error})', 'reset'))

    # -- writing ---------------------------------------------------------------------------

    def write(
        self, position: np.ndarray, velocity: np.ndarray, effort: np.ndarray, gains: Gains
    ) -> None:
        require_finite(position, velocity, effort)
        share = stiffness_share(self._robot, gains)
        passive = not (share > 0.0 and self._powered)
        if passive and self._phase in (_Phase.NONE, _Phase.ENDING):
            self._latched = None
        if self._session is None:
            raise self._unconnected()
        try:
            if passive:
                self._release()
            elif self._latched is None:
                self._track(position, share)
        except ConnectionError as error:
            cut = DriverError(f'the robot takes no targets ({error})', 'plug the cable, then reset')
            self._cut(cut)
            raise cut from error

    def _track(self, position: np.ndarray, share: float) -> None:
        assert self._session is not None
        if self._phase is _Phase.ENDING or self._state is None:
            return
        if not self._age.of(self._clock()) <= self._config.max_age:
            return  # what is not seen is not moved
        self._target[self._order] = position[self._mine]
        if self._phase is _Phase.NONE:
            self._token = secrets.randbelow(2**31 - 2) + 1
            self._send(share, TRACK)
            self._session.start(program(self._config, self._token))
            self._enter(_Phase.STARTING)
        else:
            self._send(share, TRACK)

    def _release(self) -> None:
        if self._phase is _Phase.NONE:
            return
        if not self._age.of(self._clock()) <= self._config.max_age:
            # The stop may not arrive, and targets may arrive late: the deadline in the robot stops.
            self._cut(DriverError('the robot is silent', 'look at the cable, then reset'))
            return
        self._send(0.0, STOP)
        if self._phase is not _Phase.ENDING:
            self._enter(_Phase.ENDING)

    def _send(self, share: float, command: int) -> None:
        assert self._session is not None
        self._number = (self._number + 1) % 2**31
        gain = SOFTEST + share * (self._config.gain - SOFTEST)
        self._session.send(self._target, gain, self._number, self._token, command)

    def power(self, on: bool) -> None:
        self._powered = on

    def close(self) -> None:
        self._connector.close()
        session, self._session = self._session, None
        if session is None:
            return
        try:
            if self._phase is not _Phase.NONE:
                self._session = session
                self._send(0.0, STOP)
                session.stop_program()
        except ConnectionError:
            pass  # the program's deadline ends it
        finally:
            self._session = None
            session.close()
        self._phase = _Phase.NONE
