# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The double of a Universal Robots controller on the wire: dashboard, RTDE, port for programs.

It runs the program that it is sent (`urscript`). It misbehaves on request: late, silent, half-open,
in single bytes, paused or stopped by the pendant, rebooted, in each of its stops.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml

from vla_hardware.doubles.tcp_server import TcpClient, TcpServer
from vla_hardware.doubles.ur_rtde_server import RtdeServer
from vla_hardware.doubles.urscript import compile_program
from vla_hardware.drivers.base import Driver
from vla_hardware.drivers.ur import rtde
from vla_hardware.drivers.ur.config import MODELS, NAMES
from vla_hardware.drivers.ur.session import DASHBOARD, PROGRAMS
from vla_hardware.drivers.ur.states import PLAYING, STOPPED
from vla_robot import RobotModel

STEP = 0.004  # s of a control step; the real one has 0.002
MOST_STEPS = 5  # that are made up for: a busy computer stalls the robot's time, not its watchdog
LAG = 0.02  # s of a joint behind its target
PAUSED = 4
SCRIPTS = {'programs': PROGRAMS, 'realtime': 30003}

STATES = {
    'protective stop': {'safety_mode': 3, 'safety_status': 3, 'runtime_state': PAUSED},
    'safeguard stop': {'safety_mode': 5, 'safety_status': 5, 'runtime_state': PAUSED},
    'emergency stop': {'safety_mode': 7, 'safety_status': 7, 'robot_mode': 3},
    'safety violation': {'safety_mode': 8, 'safety_status': 8, 'robot_mode': 3},
    'safety fault': {'safety_mode': 9, 'safety_status': 9, 'robot_mode': 3},
    'power off': {'robot_mode': 3},
    'brakes engaged': {'robot_mode': 5},
    'speed slider': {'target_speed_fraction': 0.3},
    'program stopped': {},
    'program paused': {'runtime_state': PAUSED},
    'another program': {'runtime_state': PLAYING},
}
"""By state: what the controller reports in it. Without robot_mode 7 the program ends."""


class UrRobot:
    """See the module and `DriverDouble`. address: it listens there, on the ports of the maker."""

    what = 'a UR controller on TCP, which runs the program that it is sent'
    has_wire = True
    error_states = tuple(STATES)

    def __init__(
        self, robot: RobotModel, folder: Path, address: str = '', model: str = 'ur5e'
    ) -> None:
        self.address = address or _own_address()
        self.params: dict[str, Any] = {'driver_config': str(folder / 'ur.yaml')}
        content = {'host': self.address, 'model': model}
        Path(self.params['driver_config']).write_text(yaml.safe_dump(content))
        self._indices = [NAMES.index(name) for name in robot.joint_names]
        self.q = np.zeros(len(NAMES))
        self.q[self._indices] = robot.poses['standing']
        self.qd = np.zeros(len(NAMES))
        self.model, self.remote, self.version = MODELS[model], True, (5, 11, 0, 0)
        self.received = 0  # targets to track
        self.programs = 0  # that were started
        self.dashboard_commands: list[str] = []
        self.state: dict[str, Any] = {}
        self.runtime = STOPPED
        self.frozen = False
        self._target: np.ndarray | None = None
        self._program: Iterator[None] | None = None
        self._text = b''
        self._started = time.monotonic() - 100.0  # s, the zero of its clock
        self.rtde = RtdeServer(self)
        self._lock = threading.RLock()
        self._end = threading.Event()
        self._cpu = 0.0
        ports = {'dashboard': DASHBOARD, 'rtde': rtde.PORT, **SCRIPTS}
        self.server = TcpServer(self.address, ports, self._opened, self._arrived)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @classmethod
    def start(cls, robot: RobotModel, folder: Path) -> Self:
        return cls(robot, folder)

    # -- the controller's loop -------------------------------------------------------------

    def _run(self) -> None:
        due = time.monotonic()
        while not self._end.is_set():
            self.server.poll(max(due - time.monotonic(), 0.0))
            with self._lock:
                steps = 0
                while due <= time.monotonic() and steps < MOST_STEPS:
                    due += STEP
                    steps += 1
                    self._advance()
                due = max(due, time.monotonic())
                if not self.frozen:
                    self.rtde.publish(time.monotonic() - self._started, steps)
            self.server.flush()
            self._cpu = time.thread_time()

    def _advance(self) -> None:
        if self._program is not None and self.runtime_state == PLAYING:
            try:
                next(self._program)
            except StopIteration:
                self._stop()
        before = self.q.copy()
        if self._target is not None and self._moves():
            self.q += (self._target - self.q) * (1.0 - np.exp(-STEP / LAG))
        self.qd = (self.q - before) / STEP

    def _moves(self) -> bool:
        return self.reported('robot_mode') == 7 and self.reported('safety_status') in (1, 2)

    def _stop(self) -> None:
        self._program, self._target, self.runtime = None, None, STOPPED

    @property
    def runtime_state(self) -> int:
        if self._program is None and self.state.get('runtime_state') == PAUSED:
            return STOPPED  # there is nothing to pause
        return int(self.state.get('runtime_state', self.runtime))

    def reported(self, name: str) -> Any:
        """What it reports of its states."""
        normal = {
            'robot_mode': 7,
            'safety_mode': 1,
            'safety_status': 1,
            'target_speed_fraction': 1.0,
        }
        return self.state.get(name, normal[name])

    # -- programs --------------------------------------------------------------------------

    def _start(self, text: str) -> None:
        """As a controller takes a program: only in remote control, and in place of another."""
        if not self.remote or self.reported('robot_mode') != 7:
            return
        registers = self.rtde
        functions = {
            'get_actual_joint_positions': lambda: self.q.tolist(),
            'get_steptime': lambda: STEP,
            'norm': abs,
            'read_input_integer_register': lambda i: registers.value(f'input_int_register_{i}'),
            'read_input_float_register': lambda i: registers.value(f'input_double_register_{i}'),
            'write_output_integer_register': lambda i, value: registers.put(
                f'output_int_register_{i}', value
            ),
            'servoj': self._servoj,
            'stopj': self._stopj,
        }
        self._program = compile_program(text, functions)
        self._target = self.q.copy()
        self.runtime, self.programs = PLAYING, self.programs + 1

    def _servoj(
        self, target: Sequence[float], t: float, lookahead_time: float, gain: float
    ) -> Iterator[None]:
        assert 0.03 <= lookahead_time <= 0.2 and 100.0 <= gain <= 2000.0 and t > 0.0
        self._target = np.array(target, float)
        yield

    def _stopj(self, deceleration: float) -> Iterator[None]:
        speed = float(np.abs(self.qd).max())
        self._target = self.q.copy()
        for _ in range(int(speed / deceleration / STEP) + 1):
            yield

    # -- the wire --------------------------------------------------------------------------

    def _opened(self, client: TcpClient) -> None:
        if client.port == 'dashboard':
            self._answer(client, 'Connected: Universal Robots Dashboard Server')
        elif client.port == 'rtde':
            self.rtde.opened(client)

    def _arrived(self, client: TcpClient, data: bytes) -> None:
        with self._lock:
            if client.port == 'rtde':
                self.rtde.arrived(client, data)
            elif client.port == 'dashboard':
                for line in data.decode().splitlines():
                    self._answer(client, self._dashboard(line.strip()))
            else:
                self._text += data
                if self._text.rstrip().endswith(b'\nend') or self._text.strip() == b'end':
                    text, self._text = self._text.decode(), b''
                    self._start(text)

    def _answer(self, client: TcpClient, text: str) -> None:
        if not self.frozen:
            self.server.send(client, f'{text}\n'.encode())

    def _dashboard(self, command: str) -> str:
        self.dashboard_commands.append(command)
        match command:
            case 'get robot model':
                return self.model
            case 'is in remote control':
                return 'true' if self.remote else 'false'
            case 'stop':
                self._stop()
                return 'Stopped'
            case 'PolyscopeVersion':
                return 'URSoftware {}.{}.{}.{} (Nov 01 2022)'.format(*self.version)
            case 'get serial number':
                return '20195500000'
            case 'robotmode':
                return 'Robotmode: RUNNING'
        return f"could not understand: '{command}'"

    def send_rtde(self, client: TcpClient, data: bytes) -> None:
        """For `RtdeServer`."""
        if not self.frozen:
            self.server.send(client, data)

    # -- DriverDouble ----------------------------------------------------------------------

    def attach(self, driver: Driver) -> Driver:
        return driver

    def position(self) -> np.ndarray:
        with self._lock:
            return self.q[self._indices].copy()

    def stiff(self) -> bool:
        with self._lock:
            return self._program is not None and self.runtime_state == PLAYING and self._moves()

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
            self.state = dict(STATES[state]) if state else {}
            ends = state in ('program stopped', 'another program')
            if ends or self.reported('robot_mode') != 7:
                self._stop()

    def reboot(self) -> None:
        """All connections end; registers and time begin anew; the arm is switched off."""
        with self._lock:
            self._stop()
            self._started = time.monotonic()
            self.rtde.restart()
            self.state = dict(STATES['power off'])
        self.server.drop_clients()

    def cpu_seconds(self) -> float:
        """s of processor time of its thread."""
        return self._cpu

    def close(self) -> None:
        self._end.set()
        self._thread.join(2.0)
        self.server.close()


def _own_address() -> str:
    """An address of loopback that nobody else uses: the maker's ports cannot be chosen."""
    number = int.from_bytes(os.urandom(2), 'big')
    return f'127.{77 + number % 23}.{number >> 8}.{1 + number % 250}'
