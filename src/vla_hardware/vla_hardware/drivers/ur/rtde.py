# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""RTDE, the real-time data exchange of Universal Robots: packets of protocol version 2.

A packet is its size (u16, big endian, with these three bytes), its type, and its payload.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PORT = 30004
PROTOCOL_VERSION = 2

REQUEST_PROTOCOL_VERSION = ord('V')
GET_CONTROLLER_VERSION = ord('v')
TEXT_MESSAGE = ord('M')
SETUP_OUTPUTS = ord('O')
SETUP_INPUTS = ord('I')
START = ord('S')
PAUSE = ord('P')
DATA = ord('U')

NOT_FOUND = 'NOT_FOUND'
IN_USE = 'IN_USE'

FORMATS = {
    'BOOL': 'u1',
    'UINT8': 'u1',
    'UINT32': '>u4',
    'UINT64': '>u8',
    'INT32': '>i4',
    'DOUBLE': '>f8',
    'VECTOR3D': '>(3,)f8',
    'VECTOR6D': '>(6,)f8',
    'VECTOR6INT32': '>(6,)i4',
    'VECTOR6UINT32': '>(6,)u4',
}
"""By RTDE's name of a type: NumPy's."""

_HEADER = struct.Struct('>HB')
LONGEST = 4096  # bytes; a larger packet is none of RTDE


@dataclass(frozen=True)
class RtdePacket:
    """kind: its type byte."""

    kind: int
    payload: bytes = b''

    def encode(self) -> bytes:
        return _HEADER.pack(_HEADER.size + len(self.payload), self.kind) + self.payload


class RtdeReader:
    """Packets out of a stream that arrives in pieces of any size."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, received: bytes) -> list[RtdePacket]:
        """The packets that are complete now.

        Raises ConnectionError: this is not RTDE. A stream without marks cannot be found again.
        """
        self._buffer += received
        packets, at = [], 0
        while len(self._buffer) - at >= _HEADER.size:
            size, kind = _HEADER.unpack_from(self._buffer, at)
            if not _HEADER.size <= size <= LONGEST:
                raise ConnectionError(f'a packet of {size} bytes: this is not RTDE')
            if len(self._buffer) - at < size:
                break
            packets.append(RtdePacket(kind, bytes(self._buffer[at + _HEADER.size : at + size])))
            at += size
        del self._buffer[:at]
        return packets


class Recipe:
    """A data package: names and types of its fields, agreed with the controller.

    number: by which the controller knows it. kind: (structured dtype) of one package.
    """

    def __init__(self, number: int, names: Sequence[str], types: Sequence[str]) -> None:
        self.number, self.names = number, tuple(names)
        fields = [(name, FORMATS[kind]) for name, kind in zip(names, types, strict=True)]
        self.kind = np.dtype(fields)

    def decode(self, payload: bytes) -> np.void | None:
        """The fields of a data package; None where it is another recipe's, or too short."""
        if len(payload) != 1 + self.kind.itemsize or payload[0] != self.number:
            return None
        return np.frombuffer(payload, self.kind, 1, 1)[0]

    def encode(self, fields: np.ndarray) -> bytes:
        """fields: () of `kind`."""
        return RtdePacket(DATA, bytes([self.number]) + fields.tobytes()).encode()


def setup_outputs(frequency: float, names: Sequence[str]) -> RtdePacket:
    """frequency: Hz at which the controller sends them."""
    return RtdePacket(SETUP_OUTPUTS, struct.pack('>d', frequency) + ','.join(names).encode())


def setup_inputs(names: Sequence[str]) -> RtdePacket:
    return RtdePacket(SETUP_INPUTS, ','.join(names).encode())


def text_of(payload: bytes) -> str:
    """The text of a text message of protocol version 2; '' where it is damaged."""
    if not payload or len(payload) < 1 + payload[0]:
        return ''
    return payload[1 : 1 + payload[0]].decode('utf-8', 'replace').strip()
