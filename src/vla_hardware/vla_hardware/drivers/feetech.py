# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The bus protocol of Feetech's STS and SMS servos, without a port.

A packet is FF FF, id, length, instruction (or error), parameters, checksum; the length counts
everything after itself, the checksum is the inverted sum of everything after FF FF. Numbers of two
bytes have the low byte first; negative ones have a sign bit (Feetech, STS series memory table).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

BROADCAST = 0xFE
PING, READ, WRITE, SYNC_READ, SYNC_WRITE = 0x01, 0x02, 0x03, 0x82, 0x83
HEADER = b'\xff\xff'
LONGEST = 250  # bytes after the length; a longer one is no packet

MODEL = 3  # 2 bytes; 777 is the STS3215
MIN_POSITION = 9  # 2 bytes, then the highest position
HOMING_OFFSET = 31  # 2 bytes, sign bit 11
OPERATING_MODE = 33  # 0: position
TORQUE_ENABLE = 40
GOAL_POSITION = 42  # 2 bytes; then time, speed, torque limit (per mille) with 2 bytes each
PRESENT_POSITION = 56  # 2 bytes; then speed (sign bit 15), load (sign bit 10), voltage, temperature
STATUS = 65
TURN = 4096  # steps


@dataclass(frozen=True)
class Packet:
    """code: the instruction, or the error byte of a status packet."""

    servo: int
    code: int
    data: bytes

    def encode(self) -> bytes:
        body = bytes((self.servo, len(self.data) + 2, self.code)) + self.data
        return HEADER + body + bytes((checksum(body),))


def checksum(body: bytes) -> int:
    return ~sum(body) & 0xFF


def read_request(servo: int, address: int, count: int) -> bytes:
    return Packet(servo, READ, bytes((address, count))).encode()


def sync_read_request(servos: Iterable[int], address: int, count: int) -> bytes:
    """Each servo answers with a status packet, in this order."""
    return Packet(BROADCAST, SYNC_READ, bytes((address, count, *servos))).encode()


def sync_write_request(address: int, values: Mapping[int, bytes]) -> bytes:
    """values: by servo, all of the same length. Nobody answers."""
    count = len(next(iter(values.values())))
    data = b''.join(bytes((servo,)) + value for servo, value in values.items())
    return Packet(BROADCAST, SYNC_WRITE, bytes((address, count)) + data).encode()


def two_bytes(value: int) -> bytes:
    """Raises OverflowError: not within 0 to 65535."""
    return value.to_bytes(2, 'little')


def number(data: bytes, at: int, sign_bit: int = 16) -> int:
    """The number of two bytes at an index; with its sign bit set it is negative."""
    value = data[at] | data[at + 1] << 8
    sign = 1 << sign_bit
    return -(value & (sign - 1)) if value & sign else value


class PacketReader:
    """Packets from a stream of bytes that comes in any pieces and may be damaged."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.damaged = 0  # packets with a wrong checksum, and bytes between packets

    def clear(self) -> None:
        """Forget an incomplete packet."""
        self._buffer.clear()

    def feed(self, received: bytes) -> list[Packet]:
        """The packets that are complete with these bytes."""
        buffer, found = self._buffer, []
        buffer += received
        while len(buffer) >= 4:
            if buffer[:2] != HEADER or buffer[2] == 0xFF or not 2 <= buffer[3] <= LONGEST:
                self._skip()
                continue
            end = 4 + buffer[3]
            if len(buffer) < end:
                break
            body = bytes(buffer[2 : end - 1])
            if checksum(body) != buffer[end - 1]:
                self._skip()  # the next packet may begin inside: a byte was lost
                continue
            found.append(Packet(body[0], body[2], body[3:]))
            del buffer[:end]
        return found

    def _skip(self) -> None:
        self.damaged += 1
        at = self._buffer.find(0xFF, 1)
        del self._buffer[: at if at > 0 else len(self._buffer)]
