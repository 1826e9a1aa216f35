# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""LowCmd and LowState of Unitree's humanoids: layout, checksum, remote control.

A message has two layouts: the C struct, little endian and naturally aligned, over which its
checksum is computed, and plain CDR on the network, where a nested struct has no alignment of its
own. Both follow from one description of the fields.

The checksum is CRC-32/MPEG-2 (polynomial 04C11DB7, initial value FFFFFFFF, no reflection, no final
xor) of the struct's 32-bit words, each with its most significant bit first, without the last word,
which holds it.
"""

from __future__ import annotations

import zlib

import numpy as np

SLOTS = 35  # motors of a message; the G1 has 29
WEIGHT = 29  # slot of /arm_sdk whose q is the weight of the command, 0 to 1

_MOTOR_CMD = [
    ('mode', 'u1'),  # 1 enabled, 0 disabled
    ('q', '<f4'),  # rad
    ('dq', '<f4'),  # rad/s
    ('tau', '<f4'),  # Nm
    ('kp', '<f4'),  # Nm/rad
    ('kd', '<f4'),  # Nms/rad
    ('reserve', '<u4'),
]
_MOTOR_STATE = [
    ('mode', 'u1'),
    ('q', '<f4'),  # rad
    ('dq', '<f4'),  # rad/s
    ('ddq', '<f4'),  # rad/s²
    ('tau_est', '<f4'),  # Nm
    ('temperature', '<i2', 2),  # °C
    ('vol', '<f4'),  # V
    ('sensor', '<u4', 2),
    ('motorstate', '<u4'),  # 0, or an error code
    ('reserve', '<u4', 4),
]
_IMU_STATE = [
    ('quaternion', '<f4', 4),  # wxyz
    ('gyroscope', '<f4', 3),  # rad/s
    ('accelerometer', '<f4', 3),  # m/s²
    ('rpy', '<f4', 3),  # rad
    ('temperature', '<i2'),
]
LOW_CMD = np.dtype(
    [
        ('mode_pr', 'u1'),  # 0: ankles and waist by pitch and roll; 1: by their two motors
        ('mode_machine', 'u1'),
        ('motor_cmd', np.dtype(_MOTOR_CMD, align=True), SLOTS),
        ('reserve', '<u4', 4),
        ('crc', '<u4'),
    ],
    align=True,
)
LOW_STATE = np.dtype(
    [
        ('version', '<u4', 2),
        ('mode_pr', 'u1'),
        ('mode_machine', 'u1'),
        ('tick', '<u4'),  # counts up
        ('imu_state', np.dtype(_IMU_STATE, align=True)),
        ('motor_state', np.dtype(_MOTOR_STATE, align=True), SLOTS),
        ('wireless_remote', 'u1', 40),
        ('reserve', '<u4', 4),
        ('crc', '<u4'),
    ],
    align=True,
)
_ENCAPSULATION = b'\x00\x01\x00\x00'  # plain CDR, little endian
_REVERSED = bytes(int(f'{value:08b}'[::-1], 2) for value in range(256))

BUTTONS = (
    *('R1', 'L1', 'start', 'select', 'R2', 'L2', 'F1', 'F2'),
    *('A', 'B', 'X', 'Y', 'up', 'right', 'down', 'left'),
)
"""Of the remote control, by bit of bytes 2 and 3 of `wireless_remote`."""


def _places(kind: np.dtype, at: int, cdr: int, out: np.ndarray) -> int:
    """Set the place in CDR of each byte of a C struct at `at`; return the place behind it."""
    if kind.subdtype is not None:
        item, shape = kind.subdtype
        for i in range(shape[0]):
            cdr = _places(item, at + i * item.itemsize, cdr, out)
        return cdr
    if kind.fields is not None:
        for name in kind.names or ():
            field, offset = kind.fields[name][:2]
            cdr = _places(field, at + offset, cdr, out)
        return cdr
    size = kind.itemsize
    cdr += -cdr % size
    out[at : at + size] = np.arange(cdr, cdr + size)
    return cdr + size


class Layout:
    """Conversion of one message between its C struct and CDR."""

    def __init__(self, kind: np.dtype) -> None:
        places = np.full(kind.itemsize, -1)
        self.kind = kind
        self.size = len(_ENCAPSULATION) + _places(kind, 0, 0, places)
        self._struct = np.flatnonzero(places >= 0)
        self._cdr = places[self._struct] + len(_ENCAPSULATION)

    def read(self, message: bytes) -> np.void:
        """The record of a serialized message. Raises ValueError: it has another layout."""
        if len(message) != self.size or message[:2] != _ENCAPSULATION[:2]:
            raise ValueError(f'{len(message)} bytes that begin with {message[:4].hex()}')
        struct = np.zeros(self.kind.itemsize, np.uint8)
        struct[self._struct] = np.frombuffer(message, np.uint8)[self._cdr]
        return struct.view(self.kind)[0]

    def write(self, record: np.ndarray) -> bytes:
        """The serialized message of a record (0-d array), whose crc is set first."""
        struct = np.zeros(self.kind.itemsize, np.uint8)  # NumPy leaves anything in the padding
        struct[self._struct] = record.reshape(1).view(np.uint8)[self._struct]
        record['crc'] = crc = checksum(struct[:-4].tobytes())
        struct[-4:] = np.frombuffer(crc.to_bytes(4, 'little'), np.uint8)
        message = np.zeros(self.size, np.uint8)
        message[: len(_ENCAPSULATION)] = list(_ENCAPSULATION)
        message[self._cdr] = struct[self._struct]
        return message.tobytes()


def checksum(words: bytes) -> int:
    """See the module. zlib computes the reflected CRC: bits of each byte and of the result are
    reversed, which is 100 times as fast as the loop over the bits."""
    big_endian = np.frombuffer(words, '<u4').astype('>u4').tobytes()
    value = zlib.crc32(big_endian.translate(_REVERSED)) ^ 0xFFFFFFFF
    return int(f'{value:032b}'[::-1], 2)


def crc_is_right(state: np.void) -> bool:
    """Whether a record that `Layout.read` returned has the checksum of its content."""
    return checksum(state.tobytes()[:-4]) == int(state['crc'])


def pressed(remote: bytes) -> frozenset[str]:
    """Names of the buttons that are pressed, from the 40 bytes of `wireless_remote`."""
    bits = remote[2] | remote[3] << 8
    return frozenset(name for i, name in enumerate(BUTTONS) if bits >> i & 1)


def remote_bytes(buttons: frozenset[str] | set[str]) -> bytes:
    """The 40 bytes of `wireless_remote` with these buttons pressed, sticks at rest."""
    bits = sum(1 << BUTTONS.index(name) for name in buttons)
    return bytes([0, 0, bits & 0xFF, bits >> 8]) + bytes(36)


COMMAND, STATE = Layout(LOW_CMD), Layout(LOW_STATE)
