# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""SO-100, SO-101 and other arms of Feetech STS servos on a serial bus.

The servos have a position loop of their own: stiffness is their torque limit, and without it they
are free, not damped. They have no watchdog: a killed driver leaves the last target in force.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self

import numpy as np

from vla_common.errors import ConfigError
from vla_common.parameters import Parameters
from vla_hardware.drivers import feetech
from vla_hardware.drivers.base import DeviceJoints, DriverError, Gains, require_finite
from vla_hardware.drivers.fixed_arm import arm_reading, stiffness_share
from vla_hardware.drivers.serial_port import SerialPort
from vla_hardware.drivers.so101_arm import STEP, ArmConfig, Servo
from vla_robot import Reading, RobotModel

OLDEST = 0.06  # s; an older reading is an error, and an older target is not sent
ANSWER = 0.012  # s in which all servos have answered; about 4 ms of six at 1 Mbit/s
PERIOD = 0.005  # s of a bus cycle
TORQUE_OFF = 3  # cycles; one may be the answer to a request from before
REOPEN = 0.1  # s between two attempts to open a port that has gone
CONNECT = 2.0  # s in which every servo has answered
FIRST = feetech.TORQUE_ENABLE
COUNT = feetech.PRESENT_POSITION + 11 - FIRST  # of the registers that are read: up to `Moving`
LENGTHS = 4  # lengths of the answers, one after the other
AT = feetech.PRESENT_POSITION - FIRST


class So101Driver:
    """See the module and `Driver`. A thread exchanges with the bus; it alone uses the port."""

    can_fall = False
    stiffen_time = 0.5
    when_killed = 'the servos hold the last target: they have no watchdog'

    def __init__(
        self,
        robot: RobotModel,
        config: ArmConfig,
        clock: Callable[[], float],
        oldest: float = OLDEST,
        answer: float = ANSWER,
    ) -> None:
        self._robot, self._config, self._clock = robot, config, clock
        self._oldest, self._answer = oldest, answer
        known = [servo for servo in config.servos if servo.name in robot.index]
        self._servos = sorted(known, key=lambda servo: robot.index[servo.name])
        self._by_id = {servo.id: servo for servo in self._servos}
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._reader = feetech.PacketReader()
        # Shared with the servo loop:
        self._newest: tuple[float, np.ndarray, np.ndarray, np.ndarray] | None = None
        self._error: DriverError | None = None  # of the robot or the bus, in the last cycle
        self._target: tuple[float, np.ndarray, float] | None = None  # (time, rad, torque share)
        self._relax = False  # whether the servos are to be free; at first they stay as they are
        self._powered = False
        self._stiff = False  # of the bus thread: torque was switched on
        self._cycle = 0
        self._torque_off = 0  # cycles in which a servo had no torque nevertheless

    @classmethod
    def from_parameters(
        cls, robot: RobotModel, params: Parameters, clock: Callable[[], float]
    ) -> Self:
        return cls(robot, ArmConfig.load(params.driver_config, robot), clock)

    @property
    def real_time_factor(self) -> float:
        return 1.0

    def device_joints(self) -> DeviceJoints:
        rest = [servo for servo in self._config.servos if servo not in self._servos]
        servos = (*self._servos, *rest)
        limits = np.array([servo.limits for servo in servos])
        return DeviceJoints(tuple(s.name for s in servos), limits[:, 0], limits[:, 1])

    # -- connecting ------------------------------------------------------------------------

    def connect(self) -> None:
        try:
            port = SerialPort(self._config.port, self._config.baud_rate)
        except OSError as error:
            raise DriverError(
                f'the port of the arm cannot be opened ({error})',
                'plug the cable, correct `port`, and end what else uses it',
            ) from error
        try:
            for servo in self._servos:
                self._examine(port, servo)
        except OSError as error:
            port.close()
            raise DriverError(f'the bus was cut ({error})', 'plug the cable') from error
        except BaseException:
            port.close()
            raise
        self._thread = threading.Thread(target=self._run, args=(port,), daemon=True)
        self._thread.start()
        end = time.monotonic() + CONNECT
        while self._newest is None:
            if time.monotonic() > end:
                self.close()
                raise self._error or DriverError('the arm does not answer', 'switch it on')
            time.sleep(0.002)

    def _examine(self, port: SerialPort, servo: Servo) -> None:
        """Model, mode and calibration of a servo are those of the files."""
        stored = self._registers(port, servo, 0, feetech.OPERATING_MODE + 1)
        config, number = self._config, feetech.number
        model = number(stored, feetech.MODEL)
        if model != config.model:
            found = f'{config.model}, and {servo.name} (servo {servo.id}) is a {model}'
            raise ConfigError(config.file, 'model', found, 'the model of the servos')
        mode = stored[feetech.OPERATING_MODE]
        if mode != 0:
            raise DriverError(
                f'{servo.name} (servo {servo.id}) is in operating mode {mode}, not in position',
                'calibrate the arm again with LeRobot',
            )
        found = (
            number(stored, feetech.HOMING_OFFSET, 11),
            number(stored, feetech.MIN_POSITION),
            number(stored, feetech.MIN_POSITION + 2),
        )
        wanted = (servo.homing_offset, servo.lowest, servo.highest)
        if found != wanted:
            raise ConfigError(
                config.file,
                'calibration',
                f'homing_offset, range_min, range_max {wanted} of {servo.name}',
                f'those in servo {servo.id}, {found}: the calibration file of this arm',
            )

    def _registers(self, port: SerialPort, servo: Servo, address: int, count: int) -> bytes:
        for _ in range(5):
            self._reader.clear()
            port.drop_input()
            port.write(feetech.read_request(servo.id, address, count))
            answers = self._receive(port, {servo.id}, count, 10 * self._answer)
            if servo.id in answers:
                return answers[servo.id].data
        raise DriverError(
            f'{servo.name} (servo {servo.id}) does not answer',
            'switch the power supply of the arm on, and look at the cable to this servo',
        )

    def _receive(
        self, port: SerialPort, ids: set[int], count: int, timeout: float
    ) -> dict[int, feetech.Packet]:
        """Answers with `count` bytes by servo, until all are there or the time is over."""
        answers: dict[int, feetech.Packet] = {}
        end = time.monotonic() + timeout
        while len(answers) < len(ids):
            left = end - time.monotonic()
            received = port.read(left)
            for packet in self._reader.feed(received):
                if packet.servo in ids and len(packet.data) == count:
                    answers[packet.servo] = packet
            if left <= 0.0 and not received:
                break
        return answers

    # -- the bus thread --------------------------------------------------------------------

    def _run(self, port: SerialPort | None) -> None:
        due = time.monotonic()
        while not self._end.is_set():
            try:
                port = port or SerialPort(self._config.port, self._config.baud_rate)
                self._exchange(port)
            except OSError as error:
                self._failed(
                    DriverError(f'the bus was cut ({error})', 'plug the cable, then reset')
                )
                if port is not None:
                    port.close()
                port = None
                self._end.wait(REOPEN)
            due = max(due + PERIOD, time.monotonic())
            self._end.wait(max(due - time.monotonic(), 0.0))
        if port is not None:
            port.close()

    def _failed(self, error: DriverError) -> None:
        with self._lock:
            self._error = error
            self._target = None  # the robot comes back, the motion does not
            if not error.stopped:
                self._newest = None  # the bus was cut: not the last reading again

    def _exchange(self, port: SerialPort) -> None:
        ids = set(self._by_id)
        self._reader.clear()
        port.drop_input()
        # An answer has no number. So that a late one is not taken for that of the next request, its
        # length differs from cycle to cycle, and after a lost one the bus has to be quiet.
        self._cycle += 1
        count = COUNT + self._cycle % LENGTHS
        port.write(feetech.sync_read_request(sorted(ids), FIRST, count))
        answers = self._receive(port, ids, count, self._answer)
        missing = [servo for servo in self._servos if servo.id not in answers]
        if missing:
            names = ', '.join(f'{servo.name} (servo {servo.id})' for servo in missing)
            action = 'look at the power supply and the cables, then reset'
            with self._lock:  # one lost answer is no reason to stop: the reading grows old
                if self._error is None or not self._error.stopped:
                    self._error = DriverError(f'no answer from {names}', action)
            end = time.monotonic() + 3 * self._answer
            while time.monotonic() < end and port.read(self._answer):
                pass
        else:
            self._take(answers)
        self._command(port)

    def _take(self, answers: dict[int, feetech.Packet]) -> None:
        n = len(self._servos)
        position, velocity, effort = np.empty(n), np.empty(n), np.empty(n)
        error: DriverError | None = None
        torque_off = False
        for i, servo in enumerate(self._servos):
            packet = answers[servo.id]
            data = packet.data
            bits = packet.code | data[feetech.STATUS - FIRST]
            if bits:
                error = error or servo.error(bits)
            torque_off |= self._stiff and not bits and not data[0]
            if self._torque_off + torque_off >= TORQUE_OFF and not data[0]:
                error = error or DriverError(
                    f'{servo.name} (servo {servo.id}) has switched its torque off',
                    'it restarted: look at its power supply, then reset',
                    stopped=True,
                )
            position[i] = servo.radians(feetech.number(data, AT))
            velocity[i] = servo.sign * feetech.number(data, AT + 2, 15) * STEP
            effort[i] = servo.sign * feetech.number(data, AT + 4, 10) * 1e-3
        effort *= self._robot.limits.effort
        self._torque_off = self._torque_off + 1 if torque_off else 0
        now = self._clock()
        if error is not None:
            self._failed(error)
            self._stiff = False
        with self._lock:
            self._newest = now, position, velocity, effort
            # An error of the robot stays until the servo loop has seen it and made the arm passive.
            if error is None and (self._relax or self._error is None or not self._error.stopped):
                self._error = None

    def _command(self, port: SerialPort) -> None:
        with self._lock:
            target, relax = self._target, self._relax
        if relax:  # again in each cycle: nobody answers to it
            off = dict.fromkeys(self._by_id, b'\0')
            port.write(feetech.sync_write_request(feetech.TORQUE_ENABLE, off))
            self._stiff = False
        elif target is not None and self._clock() - target[0] <= self._oldest:
            _, position, share = target
            torque = feetech.two_bytes(round(1000.0 * self._config.torque * share))
            goals = {
                servo.id: feetech.two_bytes(servo.steps(float(q))) + b'\0\0\0\0' + torque
                for servo, q in zip(self._servos, position, strict=True)
            }
            port.write(feetech.sync_write_request(feetech.GOAL_POSITION, goals))
            if not self._stiff:  # the goal first: it is where the joint is
                on = dict.fromkeys(self._by_id, b'\1')
                port.write(feetech.sync_write_request(feetech.TORQUE_ENABLE, on))
                self._stiff = True

    # -- the servo loop's side -------------------------------------------------------------

    def read(self) -> Reading:
        with self._lock:
            newest, error = self._newest, self._error
        why = error or DriverError('the bus does not answer', 'look at the cables')
        if why.stopped or newest is None:
            raise why
        age = self._clock() - newest[0]
        if not age <= self._oldest:
            raise DriverError(f'{why.cause}; newest reading {age * 1e3:.0f} ms old', why.action)
        return arm_reading(*newest[1:])

    def write(
        self, position: np.ndarray, velocity: np.ndarray, effort: np.ndarray, gains: Gains
    ) -> None:
        require_finite(position, velocity, effort)
        share = stiffness_share(self._robot, gains)
        with self._lock:
            self._relax = not (share > 0.0 and self._powered)
            self._target = None if self._relax else (self._clock(), position.copy(), share)

    def power(self, on: bool) -> None:
        self._powered = on

    def close(self) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join(0.8)
