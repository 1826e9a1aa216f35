# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The TCP protocol of UFACTORY controllers: requests, replies, reports.

A request: number, protocol, length of the rest (u16 each, big endian), function, parameters. A
reply has a state byte before its parameters. Floats are little endian.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONTROL_PORT, FAST_PORT, SLOW_PORT = 502, 30003, 30001
PROTOCOL, FEEDBACK_PROTOCOL = 2, 3
"""Ours; and the other that firmware from 1.8.6 on answers in, for clients that want feedback."""
JOINTS = 7  # in every frame; arms with fewer joints leave the last ones 0

GET_VERSION, GET_STATE, GET_ERROR = 1, 13, 15
SET_STATE, SET_MODE, SERVO_JOINTS = 12, 19, 29

RUN, STOP = 0, 4  # for SET_STATE
SERVO_MODE = 1  # for SET_MODE

HAS_ERROR, HAS_WARNING, INVALID = 0x40, 0x20, 0x08
"""Bits of the state byte of a reply."""

_HEADER = struct.Struct('>HHH')
LONGEST = 1024  # bytes of a frame or report; a larger one is none of this protocol

FAST = np.dtype(
    [
        ('size', '>u4'),
        ('state_mode', 'u1'),
        ('queued', '>u2'),
        ('position', '<f4', JOINTS),
        ('pose', '<f4', 6),
        ('torque', '<f4', JOINTS),
    ]
)
"""A report of `FAST_PORT`, 100 Hz: state in the low four bits, mode above; rad, Nm."""
SLOW = np.dtype(
    [*FAST.descr, ('brakes', 'u1'), ('enabled', 'u1'), ('error', 'u1'), ('warning', 'u1')]
)
"""The begin of a report of `SLOW_PORT`, about 10 Hz; brakes (released), enabled: a bit a joint."""


def request(number: int, function: int, parameters: bytes = b'') -> bytes:
    return _HEADER.pack(number, PROTOCOL, 1 + len(parameters)) + bytes([function]) + parameters


def servo_joints(number: int, position: Sequence[float]) -> bytes:
    """Move to a position, rad, at once: the controller interpolates nothing."""
    padded = [*position, *[0.0] * (JOINTS - len(position))]
    return request(number, SERVO_JOINTS, struct.pack('<10f', *padded, 0.0, 0.0, 0.0))


@dataclass(frozen=True)
class XArmReply:
    """number, function: of the request. state: bits, see above."""

    number: int
    function: int
    state: int
    parameters: bytes

    def encode(self, protocol: int = PROTOCOL) -> bytes:
        return (
            _HEADER.pack(self.number, protocol, 2 + len(self.parameters))
            + bytes([self.function, self.state])
            + self.parameters
        )


class FrameReader:
    """Frames out of a stream in pieces of any size: (number, protocol, rest) each."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, received: bytes) -> list[tuple[int, int, bytes]]:
        """Raises ConnectionError: this is not the protocol."""
        self._buffer += received
        frames, at = [], 0
        while len(self._buffer) - at >= _HEADER.size:
            number, protocol, size = _HEADER.unpack_from(self._buffer, at)
            if not 1 <= size <= LONGEST:
                raise ConnectionError(f'a frame of {size} bytes: this is no xArm')
            end = at + _HEADER.size + size
            if len(self._buffer) < end:
                break
            frames.append((number, protocol, bytes(self._buffer[at + _HEADER.size : end])))
            at = end
        del self._buffer[:at]
        return frames


def replies(frames: Sequence[tuple[int, int, bytes]]) -> list[XArmReply]:
    """The replies among frames; others (heartbeats) are left out."""
    return [
        XArmReply(number, rest[0], rest[1], rest[2:])
        for number, protocol, rest in frames
        if protocol == PROTOCOL and len(rest) >= 2
    ]


class ReportReader:
    """Reports of one port out of a stream. kind: `FAST` or `SLOW`; what follows is left out."""

    def __init__(self, kind: np.dtype) -> None:
        self._kind = kind
        self._buffer = bytearray()

    def feed(self, received: bytes) -> list[np.void]:
        """Raises ConnectionError: these are no such reports."""
        self._buffer += received
        reports = []
        while len(self._buffer) >= 4:
            size = int.from_bytes(self._buffer[:4], 'big')
            if not self._kind.itemsize <= size <= LONGEST:
                raise ConnectionError(f'a report of {size} bytes: this is no xArm')
            if len(self._buffer) < size:
                break
            reports.append(np.frombuffer(bytes(self._buffer[: self._kind.itemsize]), self._kind)[0])
            del self._buffer[:size]
        return reports
