# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""UFACTORY xArm 5, 6, 7, Lite 6 and 850 in servo mode.

The controller goes to each target at once and holds the last one: without new targets the arm
stands, with its motors on. Damped or off, the arm is stopped (state 4) and holds itself.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any, Self

import numpy as np

from vla_common.errors import ConfigError
from vla_common.parameters import Parameters
from vla_hardware.drivers.base import DeviceJoints, DriverError, Gains, require_finite
from vla_hardware.drivers.fixed_arm import arm_reading, stiffness_share
from vla_hardware.drivers.tcp_link import Connector
from vla_hardware.drivers.xarm import wire
from vla_hardware.drivers.xarm.config import XArmConfig
from vla_hardware.drivers.xarm.session import XArmSession
from vla_hardware.drivers.xarm.states import MOVING, READY, code_error, motors_error, servo_error
from vla_robot import Reading, RobotModel

CONNECT = 3.5  # s
FIRST_REPORTS = 1.2  # s more; slow reports come each 0.1 to 0.2 s
SILENT = 0.4  # s without a report, after which the connection is opened anew
ANSWER = 0.5  # s in which a request is answered; the maker's own take up to 0.2 s now and then
ENTERED = 1.0  # s in which the arm is in servo mode
STOP_AGAIN = 0.2  # s after which a stop that had no effect is requested again
EXPLAINED = 0.03  # s that the error code of a stop may take
CODE_PERIOD = 0.1  # s between two requests of the error code
WINDOW = 5  # reports, 10 ms each, over which the velocity is measured


class _Phase(Enum):
    """Of the servo mode."""

    NONE = 'none'
    STARTING = 'starting'
    RUNNING = 'running'
    ENDING = 'ending'


class XArmDriver:
    """See the module and `Driver`. The servo loop's thread reads and writes without waiting."""

    can_fall = False
    stiffen_time = 0.5
    when_killed = 'the arm stands at the last target, with its motors on, and holds it'

    def __init__(self, robot: RobotModel, config: XArmConfig, clock: Callable[[], float]) -> None:
        self._robot, self._config, self._clock = robot, config, clock
        names = config.names
        known = [name for name in robot.joint_names if name in names]
        self._order = [names.index(name) for name in known]
        self._mine = [robot.index[name] for name in known]
        self.connect_time = CONNECT
        self._connector = Connector(lambda: XArmSession.connect(config, self.connect_time))
        self._session: XArmSession | None = None
        self._history: deque[tuple[float, np.ndarray]] = deque(maxlen=WINDOW + 1)
        self._newest: Any = None  # fast report
        self._arrived = 0.0  # s
        self._target = np.zeros(len(names))  # last sent
        self._powered = False
        self._phase = _Phase.NONE
        self._since = 0.0  # s, of the phase
        self._requested = -1.0  # s, when a stop was requested last
        self._asked = -1.0  # s, when the error code was
        self._stopped_at = -1.0  # s, when the arm left servo mode by itself
        self._latched: DriverError | None = None  # until the servo loop has become passive
        self._error: DriverError | None = None  # why there is no connection

    @classmethod
    def from_parameters(
        cls, robot: RobotModel, params: Parameters, clock: Callable[[], float]
    ) -> Self:
        return cls(robot, XArmConfig.load(params.driver_config), clock)

    @property
    def real_time_factor(self) -> float:
        return 1.0

    def device_joints(self) -> DeviceJoints:
        names = self._config.names
        order = [*self._order, *(i for i in range(len(names)) if i not in self._order)]
        lower, upper = self._config.limits()
        return DeviceJoints(tuple(names[i] for i in order), lower[order], upper[order])

    # -- connecting ------------------------------------------------------------------------

    def connect(self) -> None:
        self._begin(XArmSession.connect(self._config, self.connect_time))
        end = time.monotonic() + FIRST_REPORTS
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
        session = self._session
        if session is None or session.slow is None or self._newest is None:
            return DriverError('the controller sends no reports', 'restart it')
        error = self._own_error(session)
        if error is None and int(self._newest['state_mode']) & 0x0F == MOVING:
            error = DriverError('another program moves the arm', 'end it')
        return error

    def _own_error(self, session: XArmSession) -> DriverError | None:
        error = code_error(session.error or 0)
        if error is None and session.slow is not None:
            slow = session.slow
            axes = len(self._config.names)
            error = motors_error(int(slow['brakes']), int(slow['enabled']), axes)
        return error

    def _begin(self, session: XArmSession) -> None:
        self._session, self._newest, self._error = session, None, None
        self._arrived = self._clock()
        self._history.clear()

    def _cut(self, error: DriverError) -> None:
        """The connection is gone. Its return resumes nothing."""
        if self._session is not None:
            self._session.close(abort=True)
        self._session, self._error = None, error
        if self._phase is not _Phase.NONE:
            self._latch(DriverError('the connection to the robot was cut', 'reset', stopped=True))
            self._enter(_Phase.ENDING)  # the arm stands in servo mode: stopped when it is back
        self._connector.start()

    def _latch(self, error: DriverError) -> None:
        """An error that stays until the servo loop has become passive; the first one counts."""
        if self._latched is None:
            self._latched = error

    def _enter(self, phase: _Phase) -> None:
        self._phase, self._since = phase, self._clock()
        self._requested, self._stopped_at = -1.0, -1.0

    # -- reading ---------------------------------------------------------------------------

    def read(self) -> Reading:
        try:
            self._receive()
        except ConnectionError as error:
            self._cut(DriverError(f'the connection to the robot ended ({error})', 'plug the cable'))
        session = self._session
        if session is None:
            raise self._unconnected()
        age = self._clock() - self._arrived
        if self._newest is None or not age <= self._config.max_age:
            error = DriverError(
                f'the newest report of the robot is {age * 1e3:.0f} ms old',
                'look at the cable and at the robot, then reset',
            )
            if age > SILENT:
                self._cut(error)
            raise error
        found = self._own_error(session) or self._follow(session)
        if found is not None:
            if found.stopped:
                self._latch(found)
                if self._phase in (_Phase.STARTING, _Phase.RUNNING):
                    self._enter(_Phase.ENDING)
            raise found
        if self._latched is not None:
            raise self._latched
        order = self._order
        return arm_reading(
            self._newest['position'][order].astype(float),
            self._velocity()[order],
            self._newest['torque'][order].astype(float),
        )

    def _unconnected(self) -> DriverError:
        found = self._connector.error
        if isinstance(found, ConfigError):
            return DriverError(str(found), 'restart the driver')
        if isinstance(found, DriverError):
            return DriverError(found.cause, found.action)
        return self._error or DriverError('the robot is not connected', 'configure the driver')

    def _receive(self) -> None:
        """Take what has arrived. Raises ConnectionError."""
        if self._session is None:
            session = self._connector.take()
            if session is None:
                return
            self._begin(session)
        assert self._session is not None
        for report in self._session.receive():
            position = report['position'].astype(float)
            if np.isfinite(position).all() and np.isfinite(report['torque']).all():
                self._newest, self._arrived = report, self._clock()
                self._history.append((self._arrived, position))

    def _velocity(self) -> np.ndarray:
        """rad/s, by the positions of the last 50 ms: the controller reports none."""
        first, last = self._history[0], self._history[-1]
        passed = last[0] - first[0]
        return (last[1] - first[1]) / passed if passed > 0.005 else np.zeros(wire.JOINTS)

    def _follow(self, session: XArmSession) -> DriverError | None:
        """The phase by what the controller reports; the error that this is."""
        state, mode = int(self._newest['state_mode']) & 0x0F, int(self._newest['state_mode']) >> 4
        now = self._clock()
        if now - self._asked > CODE_PERIOD and not session.waiting(wire.GET_ERROR):
            self._ask_code(session, now)
        if session.unanswered() > ANSWER:
            return DriverError(
                'the controller does not answer to a command',
                'look at its load and other programs, then reset',
                stopped=True,
            )
        match self._phase:
            case _Phase.STARTING:
                if mode == wire.SERVO_MODE and state in READY:
                    self._enter(_Phase.RUNNING)
                elif now - self._since > ENTERED:
                    return DriverError(
                        f'the arm does not enter servo mode (state {state}, mode {mode})',
                        'end other programs and the manual mode in UFACTORY Studio, then reset',
                        stopped=True,
                    )
            case _Phase.RUNNING:
                return self._running(session, state, mode, now)
            case _Phase.ENDING if state not in READY:
                self._enter(_Phase.NONE)
        return None

    def _running(
        self, session: XArmSession, state: int, mode: int, now: float
    ) -> DriverError | None:
        error = servo_error(state, mode)
        if error is None:
            if session.refused:
                function, session.refused = session.refused, 0
                return DriverError(
                    f'the controller refuses the command {function}',
                    'update its firmware, then reset',
                    stopped=True,
                )
            self._stopped_at = -1.0
            return None
        if self._stopped_at < 0.0:  # its error code says why, and is on its way
            self._stopped_at = now
            self._ask_code(session, now)
        if session.waiting(wire.GET_ERROR) and now - self._stopped_at < EXPLAINED:
            return DriverError(error.cause, error.action)
        return error

    def _ask_code(self, session: XArmSession, now: float) -> None:
        self._asked = now
        try:
            session.request(wire.GET_ERROR)
        except ConnectionError as error:
            self._cut(DriverError(f'the robot takes no requests ({error})', 'plug the cable'))

    # -- writing ---------------------------------------------------------------------------

    def write(
        self, position: np.ndarray, velocity: np.ndarray, effort: np.ndarray, gains: Gains
    ) -> None:
        require_finite(position, velocity, effort)
        passive = not (stiffness_share(self._robot, gains) > 0.0 and self._powered)
        if passive:
            self._latched = None
        if self._session is None:
            raise self._unconnected()
        try:
            if passive:
                self._release(self._session)
            elif self._latched is None:
                self._track(self._session, position)
        except ConnectionError as error:
            cut = DriverError(f'the robot takes no targets ({error})', 'plug the cable, then reset')
            self._cut(cut)
            raise cut from error

    def _fresh(self) -> bool:
        age = self._clock() - self._arrived
        return self._newest is not None and age <= self._config.max_age

    def _track(self, session: XArmSession, position: np.ndarray) -> None:
        if self._phase is _Phase.ENDING or not self._fresh():
            return  # what is not seen is not moved
        if self._phase is _Phase.NONE:
            self._target[:] = self._newest['position'][: len(self._target)]
            session.request(wire.SET_MODE, bytes([wire.SERVO_MODE]))
            session.request(wire.SET_STATE, bytes([wire.RUN]))
            self._enter(_Phase.STARTING)
        elif self._phase is _Phase.RUNNING:
            target = self._target.copy()
            target[self._order] = position[self._mine]
            step = np.abs(target - self._target)
            worst = int(step.argmax())
            if not step[worst] <= self._config.largest_step:
                error = DriverError(
                    f'a target of {self._config.names[worst]} leaps by {step[worst]:.2f} rad '
                    f'(limit {self._config.largest_step:g} rad)',
                    'look at the source of the targets, then reset',
                    stopped=True,
                )
                self._latch(error)
                raise error
            session.servo(target)
            self._target = target

    def _release(self, session: XArmSession) -> None:
        if self._phase is _Phase.NONE:
            return
        if not self._fresh():
            if self._newest is not None:  # targets on their way are not to arrive late
                self._cut(DriverError('the robot is silent', 'look at the cable, then reset'))
            return
        if self._phase is not _Phase.ENDING:
            self._enter(_Phase.ENDING)
        if self._clock() - self._requested > STOP_AGAIN:
            self._requested = self._clock()
            session.request(wire.SET_STATE, bytes([wire.STOP]))

    def power(self, on: bool) -> None:
        self._powered = on

    def close(self) -> None:
        self._connector.close()
        session, self._session = self._session, None
        if session is None:
            return
        try:
            if self._phase is not _Phase.NONE:
                session.request(wire.SET_STATE, bytes([wire.STOP]))
        except ConnectionError:
            pass  # the arm stands at its last target
        finally:
            session.close()
        self._phase = _Phase.NONE
