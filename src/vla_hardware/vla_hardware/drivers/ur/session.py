# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The connections to a Universal Robots controller: dashboard, RTDE, and the port for programs."""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence

import numpy as np

from vla_common.errors import ConfigError
from vla_hardware.drivers.base import DriverError
from vla_hardware.drivers.tcp_link import TcpLink
from vla_hardware.drivers.ur import rtde
from vla_hardware.drivers.ur.config import MODELS, UrConfig
from vla_hardware.drivers.ur.program import ECHO, INPUTS, REASON, RUNS
from vla_hardware.drivers.ur.rtde import Recipe, RtdePacket, RtdeReader

DASHBOARD, PROGRAMS = 29999, 30002
OLDEST_VERSION = (5, 6)  # of PolyScope: the first with `is in remote control`
OUTPUTS = (
    'timestamp',
    'actual_q',
    'actual_qd',
    'robot_mode',
    'safety_mode',
    'safety_status',
    'runtime_state',
    'target_speed_fraction',
    RUNS,
    REASON,
    ECHO,
)
TORQUE = 'actual_current_as_torque'
"""Nm by the motor currents; PolyScope 5.23 and later."""


class UrSession:
    """Open connections. `connect` opens them; nothing of it moves or changes the robot."""

    def __init__(
        self,
        dashboard: TcpLink,
        link: TcpLink,
        programs: TcpLink,
        reader: RtdeReader,
        outputs: Recipe,
        inputs: Recipe,
    ) -> None:
        self._dashboard, self._link, self._programs = dashboard, link, programs
        self._reader = reader  # the begin of a state may have arrived while RTDE was started
        self._outputs, self._inputs = outputs, inputs
        self._targets = np.zeros((), inputs.kind)
        self.has_torque = TORQUE in outputs.names
        self.ignored = 0  # packages of another recipe or length
        self.message = ''  # the newest text of the controller

    @classmethod
    def connect(cls, config: UrConfig, timeout: float) -> UrSession:
        """Raises DriverError, ConfigError, within about `timeout` s."""
        end = time.monotonic() + timeout
        opened: list[TcpLink] = []

        def connection(port: int, what: str) -> TcpLink:
            left = max(end - time.monotonic(), 0.05)
            opened.append(TcpLink.open(config.host, port, left, what))
            return opened[-1]

        try:
            dashboard = connection(DASHBOARD, 'its dashboard server')
            _examine(config, dashboard, end)
            link = connection(rtde.PORT, 'RTDE')
            reader = RtdeReader()
            recipes = _negotiate(config, link, reader, end)
            programs = connection(PROGRAMS, 'its secondary client interface')
            return cls(dashboard, link, programs, reader, *recipes)
        except BaseException as error:
            for one in opened:
                one.close()
            if isinstance(error, ConnectionError):
                raise DriverError(
                    f'the robot closed a connection ({error})', 'wait until it has booted'
                ) from error
            raise

    def receive(self) -> np.void | None:
        """The newest state, fields by name; None where none has arrived. Raises ConnectionError."""
        newest = None
        for packet in self._reader.feed(self._link.receive()):
            if packet.kind == rtde.DATA:
                state = self._outputs.decode(packet.payload)
                if state is None:
                    self.ignored += 1
                else:
                    newest = state
            elif packet.kind == rtde.TEXT_MESSAGE:
                self.message = rtde.text_of(packet.payload)
        return newest

    def send(
        self, target: np.ndarray, gain: float, number: int, session: int, command: int
    ) -> None:
        """Write the registers. target: (6,) rad in the robot's order. Raises ConnectionError."""
        fields = self._targets
        for i, value in enumerate((*target, gain, number, session, command)):
            fields[INPUTS[i]] = value
        self._link.send(self._inputs.encode(fields))

    def start(self, text: str) -> None:
        """Run a program; it replaces a running one. Raises ConnectionError."""
        self._programs.send(text.encode())

    def stop_program(self) -> None:
        """End the program of the robot, also a paused one, so that nobody resumes it."""
        self._dashboard.send(b'stop\n')

    def drop_reports(self) -> None:
        """Empty what the ports beside RTDE have sent. Raises ConnectionError."""
        self._programs.receive()
        self._dashboard.receive()

    def close(self, *, abort: bool = False) -> None:
        """abort: what was sent and has not arrived is not to arrive later."""
        for link in (self._link, self._programs, self._dashboard):
            link.close(abort=abort)


# -- the dashboard -----------------------------------------------------------------------------


def _examine(config: UrConfig, dashboard: TcpLink, end: float) -> None:
    """The arm is the one of the file, and takes programs from a network."""
    _line(dashboard, end)  # its greeting
    wanted = MODELS[config.model]
    model = _ask(dashboard, 'get robot model', end)
    if model != wanted:
        raise ConfigError(
            config.file, 'model', f'{config.model}, and the robot is a {model}', f'that of {wanted}'
        )
    if _ask(dashboard, 'is in remote control', end).lower() != 'true':
        raise DriverError(
            'the robot is in local control: it takes no program from a network',
            'enable remote control in its settings, and choose Remote at the top of the pendant',
        )


def _ask(dashboard: TcpLink, command: str, end: float) -> str:
    dashboard.send(f'{command}\n'.encode())
    return _line(dashboard, end)


def _line(dashboard: TcpLink, end: float) -> str:
    received = b''
    while b'\n' not in received:
        part = dashboard.wait(end)
        if not part:
            raise DriverError(
                'the dashboard server of the robot does not answer',
                'look at the cable, and wait until the robot has booted',
            )
        received += part
    return received.split(b'\n')[0].decode('utf-8', 'replace').strip()


# -- RTDE --------------------------------------------------------------------------------------


def _negotiate(
    config: UrConfig, link: TcpLink, reader: RtdeReader, end: float
) -> tuple[Recipe, Recipe]:
    """Agree on protocol and recipes, and start the states. Returns outputs and inputs."""

    def request(packet: RtdePacket) -> bytes:
        link.send(packet.encode())
        while received := link.wait(end):
            for answer in reader.feed(received):
                if answer.kind == packet.kind:
                    return answer.payload
        raise DriverError(
            f'RTDE does not answer to {chr(packet.kind)!r}', 'look at the cable and at the robot'
        )

    version = RtdePacket(rtde.REQUEST_PROTOCOL_VERSION, struct.pack('>H', rtde.PROTOCOL_VERSION))
    if request(version)[:1] != b'\x01':
        raise DriverError(
            f'the robot does not speak RTDE version {rtde.PROTOCOL_VERSION}',
            'update its software (PolyScope 5.6 or later)',
        )
    _check_version(request(RtdePacket(rtde.GET_CONTROLLER_VERSION)))

    names: Sequence[str] = (*OUTPUTS, TORQUE)
    payload = request(rtde.setup_outputs(config.frequency, names))
    if rtde.NOT_FOUND in _types(payload)[-1:]:  # older software
        names = OUTPUTS
        payload = request(rtde.setup_outputs(config.frequency, names))
    outputs = _recipe(payload, names)
    inputs = _recipe(request(rtde.setup_inputs(INPUTS)), INPUTS)
    if request(RtdePacket(rtde.START))[:1] != b'\x01':
        raise DriverError('the robot refuses to start RTDE', 'restart the robot')
    return outputs, inputs


def _check_version(payload: bytes) -> None:
    if len(payload) < 8:
        raise DriverError('the robot does not report its version', 'update its software')
    major, minor = struct.unpack_from('>II', payload)
    if major != OLDEST_VERSION[0] or minor < OLDEST_VERSION[1]:
        what = {3: 'a CB3', 10: 'PolyScope X'}.get(major, 'PolyScope')
        raise DriverError(
            f'the software of the robot is {what} {major}.{minor}',
            'this driver is for e-Series robots with PolyScope 5.6 or later; for others: the '
            "maker's ROS driver and the driver `topics`",
        )


def _types(payload: bytes) -> list[str]:
    return payload[1:].decode('ascii', 'replace').split(',')


def _recipe(payload: bytes, names: Sequence[str]) -> Recipe:
    """Raises DriverError."""
    types = _types(payload)
    by_name = dict(zip(names, types, strict=False))
    taken = [name for name, kind in by_name.items() if kind == rtde.IN_USE]
    if taken:
        raise DriverError(
            f'another program writes {taken[0]} of the robot',
            'end it; switch EtherNet/IP and PROFINET off, or give them the registers below 24',
        )
    unknown = [name for name in names if by_name.get(name) not in rtde.FORMATS]
    if unknown or len(types) != len(names):
        raise DriverError(
            f'the robot has no {unknown[0] if unknown else "such fields"}',
            'update its software (PolyScope 5.6 or later)',
        )
    return Recipe(payload[0], names, types)
