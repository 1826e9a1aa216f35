# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The Unitree G1. Mode arm_sdk: waist and arms are commanded, and the maker's controller balances
the legs. Mode low_level: all joints, with the robot hung up.

The robot reports no forces at its feet, so there is no balance of ours: low level is for a robot
that is hung up.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Self

import numpy as np
import psutil

from vla_common.errors import ConfigError
from vla_common.parameters import Parameters
from vla_hardware.drivers.base import DeviceJoints, DriverError, Gains, require_finite
from vla_hardware.drivers.unitree.command_stream import WEIGHT_TIME, target_kind
from vla_hardware.drivers.unitree.config import ARM_SDK, G1Config, environment
from vla_hardware.drivers.unitree.link import CLOSE, REPORT
from vla_robot import Reading, RobotModel

CONNECT = 4.8  # s
FIRST_STATE = 2.0  # s of it, for the first state of the robot
MATCHED = 1.0  # s of it, for the robot to subscribe, and to serve
CLOSED = 0.95  # s in which the link gives the arms back and ends
HUNG = 10.0  # s after which it hangs
QUEUED = 0.01  # s to wait for a newer report than those of before a stall of the servo loop


class UnitreeDriver:
    """See the module and `Driver`. `link` speaks to the robot; this maps joints and errors."""

    can_fall = False
    stiffen_time = WEIGHT_TIME

    def __init__(self, robot: RobotModel, config: G1Config, clock: Callable[[], float]) -> None:
        self._robot, self._config, self._clock = robot, config, clock
        names = [motor.name for motor in config.motors]
        known = [name for name in robot.joint_names if name in names]
        self._order = [names.index(name) for name in known]  # in a target
        self._slots = [config.motors[i].slot for i in self._order]  # in a state
        self._target = np.zeros((), target_kind(len(names)))
        self._powered = False
        self._report: np.void | None = None
        self._stops = 0  # of the operator, that were reported
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None

    @classmethod
    def from_parameters(
        cls, robot: RobotModel, params: Parameters, clock: Callable[[], float]
    ) -> Self:
        return cls(robot, G1Config.load(params.driver_config), clock)

    @property
    def when_killed(self) -> str:
        """See `link`, which survives the driver."""
        if self._config.mode == ARM_SDK:
            return (
                'its second process damps the arms for 1 s and gives them back to the '
                "maker's controller"
            )
        return 'its second process damps all motors; the robot keeps that command'

    @property
    def real_time_factor(self) -> float:
        return 1.0

    # -- connecting ------------------------------------------------------------------------

    def connect(self) -> None:
        config = self._config
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        given = {
            'mode': config.mode,
            'mode_machine': config.mode_machine,
            'domain_id': config.domain_id,
            'first_state': FIRST_STATE,
            'matched': MATCHED,
            'stop_buttons': [sorted(buttons) for buttons in config.stop_buttons],
        }
        with theirs, tempfile.TemporaryDirectory(prefix='vla_unitree_') as folder:
            self._process = subprocess.Popen(
                [sys.executable, '-m', 'vla_hardware.drivers.unitree.link']
                + [str(theirs.fileno()), json.dumps(given)],
                pass_fds=[theirs.fileno()],
                env=environment(config.address, folder),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C is the node's, which stops the robot first
            )
            theirs.close()
            self._sock = ours
            try:
                self._await_link()
            except BaseException:
                self.close()
                raise

    def _await_link(self) -> None:
        assert self._sock is not None
        end = time.monotonic() + CONNECT
        while True:
            self._sock.settimeout(max(end - time.monotonic(), 0.001))
            try:
                packet = self._sock.recv(4096)
            except TimeoutError:
                raise DriverError(
                    f'the robot is not ready after {CONNECT:g} s', 'try again, on an idle computer'
                ) from None
            if len(packet) == REPORT.itemsize:
                continue
            if not packet:
                raise DriverError('the link to the robot ended', 'look at its error above')
            break
        answer = json.loads(packet)
        if 'key' in answer:
            raise ConfigError(self._config.file, answer['key'], answer['found'], answer['wanted'])
        if answer:
            raise DriverError(answer['cause'], answer['action'])
        self._sock.setblocking(False)
        while self._receive() is None:
            if time.monotonic() > end:
                raise DriverError('the link reports no state', 'try again')
            select.select([self._sock], [], [], 0.05)

    def device_joints(self) -> DeviceJoints:
        motors = self._config.motors
        rest = [i for i in range(len(motors)) if i not in self._order]
        listed = [motors[i] for i in (*self._order, *rest)]
        lower, upper = ([getattr(m, side) for m in listed] for side in ('lower', 'upper'))
        return DeviceJoints(tuple(m.name for m in listed), np.array(lower), np.array(upper))

    # -- the servo loop --------------------------------------------------------------------

    def _receive(self) -> np.void | None:
        """The newest report; None before the first. Raises DriverError: the link has ended."""
        packet = None
        try:
            while self._sock is not None:
                received = self._sock.recv(4096)
                if not received:
                    raise ConnectionError('closed')
                packet = received
        except BlockingIOError:
            pass
        except OSError as error:
            raise DriverError(
                'the process that speaks to the robot has ended', 'restart the driver', stopped=True
            ) from error
        if packet is not None and len(packet) == REPORT.itemsize:
            self._report = np.frombuffer(packet, REPORT)[0]
        return self._report

    def read(self) -> Reading:
        report = self._receive()
        if report is None:
            raise DriverError('the robot is not connected', 'configure the driver')
        age = self._clock() - report['at']
        if not age <= self._config.max_age and self._sock is not None:
            select.select([self._sock], [], [], QUEUED)
            report = self._receive()
            age = self._clock() - report['at']
        self._raise_stops(report)
        if not age <= self._config.max_age:
            why = report['why'].decode()
            rejected = f' ({report["rejected"]} rejected, the last: {why})' if why else ''
            raise DriverError(
                f'the newest state of the robot is {age * 1e3:.0f} ms old{rejected}',
                'look at the cable and at the robot, then reset',
            )
        state = report['state']
        motors, imu = state['motor_state'][self._slots], state['imu_state']
        return Reading(
            position=motors['q'].astype(float),
            velocity=motors['dq'].astype(float),
            effort=motors['tau_est'].astype(float),
            orientation=imu['quaternion'].astype(float),
            angular_velocity=imu['gyroscope'].astype(float),
            linear_acceleration=imu['accelerometer'].astype(float),
            left_wrench=np.zeros(6),
            right_wrench=np.zeros(6),
        )

    def _raise_stops(self, report: np.void) -> None:
        """Raise what the robot, or its operator, stopped for."""
        config, state = self._config, report['state']
        stops, self._stops = self._stops, int(report['stops'])
        if report['stop_held'] or report['stops'] != stops:
            raise DriverError(
                'the stop of the remote control is pressed', 'release it, then reset', stopped=True
            )
        if report['restarts']:
            raise DriverError(
                'the robot has restarted',
                'look at its battery, stand it up as at the start, then restart the driver',
                stopped=True,
            )
        found = int(state['mode_machine'])
        if found != config.mode_machine or state['mode_pr'] != 0:
            raise DriverError(
                f'the robot reports mode_machine {found} and mode_pr {state["mode_pr"]} '
                f'(at the start {config.mode_machine} and 0)',
                'restart the robot and the driver',
                stopped=True,
            )
        if report['others'] > 0:
            raise DriverError(
                'another program commands the robot too', 'end it, then reset', stopped=True
            )
        if report['subscribers'] == 0:
            raise DriverError(
                'the robot does not receive the commands any more',
                'look whether its controller still runs, then reset',
                stopped=True,
            )
        errors = state['motor_state']['motorstate']
        for motor in config.motors:
            if errors[motor.slot]:
                raise DriverError(
                    f'the motor of {motor.name} reports error {errors[motor.slot]:#x}',
                    "look it up in the maker's manual; restart the robot",
                    stopped=True,
                )

    def write(
        self, position: np.ndarray, velocity: np.ndarray, effort: np.ndarray, gains: Gains
    ) -> None:
        require_finite(position, velocity, effort)
        target, order = self._target, self._order
        given = {'q': position, 'dq': velocity, 'tau': effort, 'kp': gains.kp, 'kd': gains.kv}
        for name, values in given.items():
            target[name][order] = values
        require_finite(*(target[name] for name in given))  # float32 has its own limit
        target['at'], target['powered'] = self._clock(), self._powered
        try:
            if self._sock is None:
                raise BrokenPipeError('closed')
            self._sock.send(target.tobytes())
        except OSError as error:
            raise DriverError(
                f'the process that speaks to the robot takes no target ({error})',
                'restart the driver',
            ) from error

    def power(self, on: bool) -> None:
        self._powered = on

    def cpu_seconds(self) -> float:
        """CPU time of the second process, s."""
        if self._process is None:
            return 0.0
        with contextlib.suppress(psutil.Error):
            return sum(psutil.Process(self._process.pid).cpu_times()[:2])
        return 0.0

    def close(self) -> None:
        sock, self._sock = self._sock, None
        process, self._process = self._process, None
        if sock is not None:
            with sock, contextlib.suppress(OSError):
                sock.send(CLOSE)
        if process is None:
            return
        try:
            process.wait(CLOSED)
        except subprocess.TimeoutExpired:
            # It gives the arms back, which a kill would cut short. It ends by itself, or hangs.
            hung = threading.Timer(HUNG, process.kill)
            hung.daemon = True
            hung.start()
