# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The double of a UFACTORY controller on the wire: requests, fast reports, slow reports.

It misbehaves on request: late, silent, half-open, in single bytes, with replies to other requests,
its mode changed by somebody else, rebooted, in each of its stops.
"""

from __future__ import annotations

import struct
import threading
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml

from vla_hardware.doubles.tcp_server import TcpClient, TcpServer
from vla_hardware.drivers.base import Driver
from vla_hardware.drivers.xarm import wire
from vla_hardware.drivers.xarm.config import MODELS
from vla_hardware.drivers.xarm.states import READY, STOPPED
from vla_hardware.drivers.xarm.wire import FrameReader, XArmReply
from vla_robot import RobotModel

STEP = 0.005  # s of its loop
LAG = 0.02  # s of a joint behind its target
FAST_PERIOD, SLOW_PERIOD = 0.01, 0.1  # s
SLOW_SIZE = 145  # bytes; 133 of older firmware
ALL = 0x7F  # bits of all joints

STATES: dict[str, dict[str, int]] = {
    'emergency stop': {'error': 1, 'state': STOPPED, 'enabled': 0, 'brakes': 0},
    'emergency input': {'error': 2, 'state': STOPPED, 'enabled': 0, 'brakes': 0},
    'servo motor': {'error': 12, 'state': STOPPED, 'enabled': ALL - 2},
    'speed limit': {'error': 24, 'state': STOPPED},
    'collision': {'error': 31, 'state': STOPPED},
    'tool speed': {'error': 60, 'state': STOPPED},
    'disabled': {'enabled': 0, 'brakes': 0, 'state': STOPPED},
    'mode changed': {'mode': 2},
    'paused': {'state': 3},
    'stopped': {'state': STOPPED},
}
"""By state: what the controller reports in it."""


class XArmRobot:
    """See the module and `DriverDouble`. ports: of requests, fast and slow reports; 0 for any."""

    what = 'a UFACTORY controller on TCP'
    has_wire = True
    error_states = tuple(STATES)

    def __init__(
        self,
        robot: RobotModel,
        folder: Path,
        address: str = '127.0.0.1',
        ports: tuple[int, int, int] = (0, 0, 0),
        model: str = '',
    ) -> None:
        model = model or f'xarm{robot.n}'
        self.axes = MODELS[model].axes
        self.version = f'{self.axes},{MODELS[model].kind},XI1300,AC1300,v2.3.0'
        self.q = np.zeros(wire.JOINTS)
        self._indices = [int(name.removeprefix('joint')) - 1 for name in robot.joint_names]
        self.q[self._indices] = robot.poses['standing']
        self._target = self.q.copy()
        self.state, self.mode, self.error, self.warning = STOPPED, 0, 0, 0
        self.enabled = self.brakes = ALL
        self.refuses: set[int] = set()  # functions
        self.wrong_numbers = False  # replies have another number than their requests
        self.frozen = False
        self.received = 0
        self.functions: list[int] = []  # of the requests
        self._readers: dict[TcpClient, FrameReader] = {}
        self._lock = threading.RLock()
        self._end = threading.Event()
        self._cpu = 0.0
        names = ('control', 'fast', 'slow')
        wanted = dict(zip(names, ports, strict=True))
        self.server = TcpServer(address, wanted, lambda client: None, self._arrived)
        content = {'host': address, 'model': model}
        content |= {f'{name}_port': self.server.ports[name] for name in names}
        self.params: dict[str, Any] = {'driver_config': str(folder / 'xarm.yaml')}
        Path(self.params['driver_config']).write_text(yaml.safe_dump(content))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @classmethod
    def start(cls, robot: RobotModel, folder: Path) -> Self:
        return cls(robot, folder)

    # -- the controller's loop -------------------------------------------------------------

    def _run(self) -> None:
        due = last = time.monotonic()
        fast = slow = due
        while not self._end.is_set():
            self.server.poll(max(due - time.monotonic(), 0.0))
            with self._lock:
                now = time.monotonic()
                self._advance(now - last)
                last, due = now, max(due + STEP, now)
                if now >= fast:
                    fast = max(fast + FAST_PERIOD, now)
                    self._report('fast', self._fast_report())
                if now >= slow:
                    slow = max(slow + SLOW_PERIOD, now)
                    self._report('slow', self._slow_report())
            self.server.flush()
            self._cpu = time.thread_time()

    def _moves(self) -> bool:
        return self.mode == wire.SERVO_MODE and self.state in READY and self.enabled == ALL

    def _advance(self, dt: float) -> None:
        if self._moves():
            self.q += (self._target - self.q) * (1.0 - np.exp(-dt / LAG))

    def _fast_report(self) -> bytes:
        return self._fields(wire.FAST, wire.FAST.itemsize)

    def _slow_report(self) -> bytes:
        data = self._fields(wire.SLOW, SLOW_SIZE)
        return data + bytes(SLOW_SIZE - len(data))

    def _fields(self, kind: np.dtype, size: int) -> bytes:
        report = np.zeros((), kind)
        report['size'], report['state_mode'] = size, self.state | self.mode << 4
        report['position'] = self.q
        if 'error' in (kind.names or ()):
            report['error'], report['warning'] = self.error, self.warning
            report['enabled'], report['brakes'] = self.enabled, self.brakes
        return report.tobytes()

    def _report(self, port: str, data: bytes) -> None:
        if self.frozen:
            return
        for client in self.server.clients:
            if client.port == port:
                self.server.send(client, data)

    # -- requests --------------------------------------------------------------------------

    def _arrived(self, client: TcpClient, data: bytes) -> None:
        if client.port != 'control':
            return
        reader = self._readers.setdefault(client, FrameReader())
        try:
            frames = reader.feed(data)
        except ConnectionError:
            client.close()
            return
        with self._lock:
            for number, protocol, rest in frames:
                if protocol not in (wire.PROTOCOL, wire.FEEDBACK_PROTOCOL) or not rest:
                    continue  # a heartbeat
                function = rest[0]
                self.functions.append(function)
                refused = wire.INVALID if function in self.refuses else 0
                parameters = b'' if refused else self._do(function, rest[1:])
                state = refused | (wire.HAS_ERROR if self.error else 0)
                number = (number + 1) % 65536 if self.wrong_numbers else number
                if not self.frozen:
                    answer = XArmReply(number, function, state, parameters).encode(protocol)
                    self.server.send(client, answer)

    def _do(self, function: int, parameters: bytes) -> bytes:
        match function:
            case wire.GET_VERSION:
                return self.version.encode().ljust(40, b'\0')
            case wire.GET_STATE:
                return bytes([self.state])
            case wire.GET_ERROR:
                return bytes([self.error, self.warning])
            case wire.SET_MODE:
                self.mode, self.state = parameters[0], STOPPED
                return b''
            case wire.SET_STATE:
                if parameters[0] == wire.STOP:
                    self.state = STOPPED
                elif not self.error and self.enabled == ALL:
                    self.state = 2
                self._target = self.q.copy()
                return b''
            case wire.SERVO_JOINTS:
                self.received += 1
                if self._moves():
                    self._target = np.array(
                        struct.unpack_from(f'<{wire.JOINTS}f', parameters), float
                    )
                return bytes(2)
        return bytes(64)  # what the driver does not use

    # -- DriverDouble ----------------------------------------------------------------------

    def attach(self, driver: Driver) -> Driver:
        return driver

    def position(self) -> np.ndarray:
        with self._lock:
            return self.q[self._indices].copy()

    def stiff(self) -> bool:
        with self._lock:
            return self._moves()

    def commands(self) -> int:
        with self._lock:
            return self.received

    def pull_cable(self) -> None:
        self.server.pulled = True

    def plug_cable(self) -> None:
        self.server.pulled = False

    def freeze(self, frozen: bool) -> None:
        self.frozen = frozen

    def enter(self, state: str) -> None:
        with self._lock:
            if state:
                for name, value in STATES[state].items():
                    setattr(self, name, value)
            else:  # its operator cleared the error, and enabled the arm
                self.error, self.enabled, self.brakes = 0, ALL, ALL

    def reboot(self) -> None:
        """All connections end; the arm is switched off."""
        with self._lock:
            self.state, self.mode, self.enabled, self.brakes = STOPPED, 0, 0, 0
        self.server.drop_clients()

    def cpu_seconds(self) -> float:
        """s of processor time of its thread."""
        return self._cpu

    def close(self) -> None:
        self._end.set()
        self._thread.join(2.0)
        self.server.close()
