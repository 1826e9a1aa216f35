# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The RTDE server of the UR double: negotiation, recipes, registers, states."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vla_hardware.doubles.tcp_server import TcpClient
from vla_hardware.drivers.ur import rtde
from vla_hardware.drivers.ur.rtde import Recipe, RtdePacket, RtdeReader

if TYPE_CHECKING:
    from vla_hardware.doubles.ur_robot import UrRobot

RATE = 500.0  # Hz, the highest

VECTORS = [
    'target_q',
    'target_qd',
    'target_qdd',
    'target_current',
    'target_moment',
    'actual_q',
    'actual_qd',
    'actual_current',
    'joint_control_output',
    'actual_TCP_pose',
    'actual_TCP_speed',
    'actual_TCP_force',
    'target_TCP_pose',
    'target_TCP_speed',
    'joint_temperatures',
    'actual_joint_voltage',
    'actual_current_as_torque',
    'ft_raw_wrench',
    'payload_inertia',
]
OTHERS = {
    'timestamp': 'DOUBLE',
    'robot_mode': 'INT32',
    'safety_mode': 'INT32',
    'safety_status': 'INT32',
    'runtime_state': 'UINT32',
    'target_speed_fraction': 'DOUBLE',
    'speed_scaling': 'DOUBLE',
    'joint_mode': 'VECTOR6INT32',
    'actual_tool_accelerometer': 'VECTOR3D',
    'payload_cog': 'VECTOR3D',
    'elbow_position': 'VECTOR3D',
    'elbow_velocity': 'VECTOR3D',
    'actual_digital_input_bits': 'UINT64',
    'actual_digital_output_bits': 'UINT64',
    'robot_status_bits': 'UINT32',
    'safety_status_bits': 'UINT32',
    'analog_io_types': 'UINT32',
    'output_bit_registers0_to_31': 'UINT32',
    'output_bit_registers32_to_63': 'UINT32',
    'tool_output_mode': 'UINT8',
} | {
    name: 'DOUBLE'
    for name in [
        'actual_execution_time',
        'target_execution_time',
        'actual_momentum',
        'actual_main_voltage',
        'actual_robot_voltage',
        'actual_robot_current',
        'standard_analog_input0',
        'standard_analog_input1',
        'standard_analog_output0',
        'standard_analog_output1',
        'io_current',
        'payload',
        'tool_analog_input0',
        'tool_analog_input1',
        'tcp_force_scalar',
    ]
}
BOTH = {
    **{f'{{}}_int_register_{i}': 'INT32' for i in range(48)},
    **{f'{{}}_double_register_{i}': 'DOUBLE' for i in range(48)},
}
OUTPUTS = (
    dict.fromkeys(VECTORS, 'VECTOR6D')
    | OTHERS
    | {name.format('output'): kind for name, kind in BOTH.items()}
)
INPUTS = {name.format('input'): kind for name, kind in BOTH.items()}
COMMAND = 'input_int_register_26'  # of the driver's program


@dataclass
class _Peer:
    """What the server knows of one client."""

    reader: RtdeReader = field(default_factory=RtdeReader)
    outputs: Recipe | None = None
    inputs: list[Recipe] = field(default_factory=list)
    every: int = 2  # control steps between two packages
    count: int = 0
    started: bool = False


class RtdeServer:
    """Answers the clients of the port, and keeps the registers.

    missing: outputs that this software does not have. taken: inputs that somebody else writes.
    protocol: the newest version that it speaks.
    """

    def __init__(self, robot: UrRobot) -> None:
        self._robot = robot
        self.missing: set[str] = set()
        self.taken: set[str] = set()
        self.protocol = rtde.PROTOCOL_VERSION
        self.sent = 0
        self._peers: dict[TcpClient, _Peer] = {}
        self.restart()

    def restart(self) -> None:
        self._registers: dict[str, float] = {}

    def value(self, name: str) -> float:
        return self._registers.get(name, 0 if '_int_' in name else 0.0)

    def put(self, name: str, value: float) -> None:
        self._registers[name] = value

    def opened(self, client: TcpClient) -> None:
        self._peers[client] = _Peer()

    def arrived(self, client: TcpClient, data: bytes) -> None:
        peer = self._peers[client]
        try:
            packets = peer.reader.feed(data)
        except ConnectionError:
            client.close()
            return
        for packet in packets:
            if packet.kind == rtde.DATA:
                self._take(peer, packet.payload)
            else:
                answer = RtdePacket(packet.kind, self._answer(peer, packet)).encode()
                self._robot.send_rtde(client, answer)

    def _answer(self, peer: _Peer, packet: RtdePacket) -> bytes:
        payload = packet.payload
        match packet.kind:
            case rtde.REQUEST_PROTOCOL_VERSION:
                return bytes([struct.unpack('>H', payload)[0] <= self.protocol])
            case rtde.GET_CONTROLLER_VERSION:
                return struct.pack('>4I', *self._robot.version)
            case rtde.SETUP_OUTPUTS:
                rate, names = struct.unpack_from('>d', payload)[0], _names(payload[8:])
                known = {name: kind for name, kind in OUTPUTS.items() if name not in self.missing}
                types = [known.get(name, rtde.NOT_FOUND) for name in names]
                found = rtde.NOT_FOUND not in types
                peer.outputs = Recipe(1, names, types) if found else None
                peer.every = max(round(250.0 / max(rate, 1.0)), 1)
                return bytes([found]) + ','.join(types).encode()
            case rtde.SETUP_INPUTS:
                names = _names(payload)
                types = [
                    rtde.IN_USE if name in self.taken else INPUTS.get(name, rtde.NOT_FOUND)
                    for name in names
                ]
                if not set(types) <= set(rtde.FORMATS):
                    return b'\0' + ','.join(types).encode()
                peer.inputs.append(Recipe(len(peer.inputs) + 1, names, types))
                return bytes([len(peer.inputs)]) + ','.join(types).encode()
            case rtde.START | rtde.PAUSE:
                peer.started = packet.kind == rtde.START
                return b'\x01'
        return b'\0'

    def _take(self, peer: _Peer, payload: bytes) -> None:
        for recipe in peer.inputs:
            fields = recipe.decode(payload)
            if fields is not None:
                for name in recipe.names:
                    self._registers[name] = fields[name].item()
                self._robot.received += COMMAND in recipe.names and self.value(COMMAND) == 1

    def publish(self, now: float, steps: int) -> None:
        """Send the states that are due after some control steps. now: s of the robot's clock."""
        for client in [client for client in self._peers if client.closed]:
            del self._peers[client]
        for client, peer in self._peers.items():
            peer.count += steps
            if not peer.started or peer.outputs is None or peer.count < peer.every:
                continue
            peer.count = 0
            self.sent += 1
            self._robot.send_rtde(client, peer.outputs.encode(self._fields(peer.outputs, now)))

    def _fields(self, recipe: Recipe, now: float) -> np.ndarray:
        robot = self._robot
        fields = np.zeros((), recipe.kind)
        values = {
            'timestamp': now,
            'actual_q': robot.q,
            'target_q': robot.q,
            'actual_qd': robot.qd,
            'runtime_state': robot.runtime_state,
            'robot_status_bits': 1,
        }
        for name in recipe.names:
            if name in values:
                fields[name] = values[name]
            elif name in ('robot_mode', 'safety_mode', 'safety_status', 'target_speed_fraction'):
                fields[name] = robot.reported(name)
            elif name in self._registers:
                fields[name] = self._registers[name]
        return fields


def _names(text: bytes) -> list[str]:
    """ur_rtde ends its list with a comma."""
    return [name for name in text.decode().split(',') if name]
