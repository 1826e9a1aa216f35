# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Log of everything that the filter's ticks consumed, and its replay, bit for bit.

The topics alone do not determine a command: a tick takes the newest reading at its own time, ages
are by the steady clock, and the coupled limits have a time budget. So the node logs each call of
`FilterRuntime` with its arguments, the clock values of the budget, and a checksum of the command.
Entries are collected for TICKS ticks: one message of them costs what one message of a tick would.
"""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from vla_common.states import FilterState, Mode
from vla_safety.filter_runtime import FilterRuntime, Report
from vla_safety.grippers import GripperOrder
from vla_safety.supervisor_command import SupervisorCommand
from vla_safety.violations import Violation, ViolationKind, violation

VERSION = 1
TICKS = 10
LARGEST = 32_768
"""Bytes after which a message is due, whatever the number of ticks."""

LONGEST_WAIT = 1 << 20
"""Bytes of entries that wait for a tick; then they are dropped: the gap shows in the numbers."""

_HEAD = struct.Struct('<BQH')  # version, number of the message, joints
_SUPERVISOR = struct.Struct('<BIdqQd')
_JOINTS = struct.Struct('<Bqdq')
_IMU = struct.Struct('<4dqdq')
_CONTACTS = struct.Struct('<??Qd')
_RANGE = struct.Struct('<dqdq')
_CHUNK = struct.Struct('<III??qdd')
_GRIPPERS = struct.Struct('<IIIIqdd')
_REJECTED = struct.Struct('<ddd')
_TICK = struct.Struct('<dqBBIH')
_LENGTH = struct.Struct('<I')
(
    RESTART, FLUSH, SUPERVISOR, JOINTS, IMU, CONTACTS, RANGE, CHUNK, REJECTED, TICK,
    GRIPPERS, KNOWN,
) = range(12)  # fmt: skip


def checksum(report: Report) -> int:
    """CRC-32 of a tick's command, position, velocity and effort; 0 without one."""
    command = report.command
    if command is None:
        return 0
    first = zlib.crc32(command.velocity, zlib.crc32(command.position))
    return zlib.crc32(command.effort, first)


class InputLog:
    """Collects entries while `enabled`.

    Args:
        n: joints of the robot.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._parts: list[bytes] = []
        self._size = self._ticks = self._number = 0
        self._clocks: list[float] = []
        self.enabled = False

    def clock(self) -> float:
        """The clock of the coupled limits' time budget: processor time of the thread, s."""
        now = time.thread_time()
        if self.enabled:
            self._clocks.append(now)
        return now

    def _add(self, kind: int, *parts: bytes) -> None:
        self._parts.append(bytes((kind,)))
        self._parts += parts
        self._size += 1 + sum(map(len, parts))
        if self._size > LONGEST_WAIT:  # no tick takes them: the filter is inactive
            self.drop()

    def restart(self) -> None:
        if self.enabled:
            self._add(RESTART)

    def flush(self) -> None:
        """The motion was ended from outside (the node was deactivated)."""
        if self.enabled:
            self._add(FLUSH)

    def supervisor(self, c: SupervisorCommand, now: float) -> None:
        if self.enabled:
            numbers = int(c.mode), c.motion_epoch, c.speed_scale, c.stamp, c.sequence, now
            self._add(SUPERVISOR, _SUPERVISOR.pack(*numbers))

    def joints(
        self, reference: bool, position: np.ndarray, velocity: np.ndarray, stamp: int,
        arrived: float, wall_ns: int,
    ) -> None:  # fmt: skip
        """A reading of the driver's reference, or of the measured joints."""
        if self.enabled:
            head = _JOINTS.pack(reference, stamp, arrived, wall_ns)
            self._add(JOINTS, head, position.tobytes(), velocity.tobytes())

    def imu(
        self, orientation: tuple[float, float, float, float], stamp: int, arrived: float,
        wall_ns: int,
    ) -> None:  # fmt: skip
        if self.enabled:
            self._add(IMU, _IMU.pack(*orientation, stamp, arrived, wall_ns))

    def contacts(self, left: bool, right: bool, sequence: int, arrived: float) -> None:
        if self.enabled:
            self._add(CONTACTS, _CONTACTS.pack(left, right, sequence, arrived))

    def range(self, frame: str, distance: float, stamp: int, now: float, wall_ns: int) -> None:
        if self.enabled:
            self._add(RANGE, _RANGE.pack(distance, stamp, now, wall_ns), *_text(frame))

    def chunk(
        self, names: list[str], times: np.ndarray, positions: np.ndarray | None,
        velocities: np.ndarray | None, stamp: int, age: float, now: float,
    ) -> None:  # fmt: skip
        if not self.enabled:
            return
        tables = [table for table in (positions, velocities) if table is not None]
        given = positions is not None, velocities is not None
        width = tables[0].shape[1] if tables else 0
        head = _CHUNK.pack(len(names), len(times), width, *given, stamp, age, now)
        numbers = (np.asarray(table, float).tobytes() for table in (times, *tables))
        self._add(CHUNK, head, *(part for name in names for part in _text(name)), *numbers)

    def grippers(self, order: GripperOrder, stamp: int, age: float, now: float) -> None:
        """A command to grippers."""
        if not self.enabled:
            return
        arrays = order.opening, order.force, order.speed
        head = _GRIPPERS.pack(len(order.names), *map(len, arrays), stamp, age, now)
        names = (part for name in order.names for part in _text(name))
        self._add(GRIPPERS, head, *names, *(array.tobytes() for array in arrays))

    def rejected(self, why: Violation, now: float) -> None:
        """A chunk that could not be read."""
        if self.enabled:
            head = _REJECTED.pack(why.value, why.limit, now)
            self._add(REJECTED, head, *_text(why.kind.value), *_text(why.subject))

    def known(self, *entries: str) -> None:
        """Obstacles or carried objects; see `KnownWorld.replay`."""
        if self.enabled:
            for entry in entries:
                self._add(KNOWN, *_text(entry))

    def tick(self, now: float, stamp: int, report: Report) -> None:
        """A tick, after it; stamp: of its command, ns."""
        if not self.enabled:
            return
        clocks, self._clocks = self._clocks, []
        numbers = now, stamp, int(report.state), report.command is not None, checksum(report)
        self._add(TICK, _TICK.pack(*numbers, len(clocks)), struct.pack(f'<{len(clocks)}d', *clocks))
        self._ticks += 1

    @property
    def due(self) -> bool:
        return self._ticks >= TICKS or self._size >= LARGEST

    def take(self) -> bytes:
        """The entries so far, as a message."""
        head = _HEAD.pack(VERSION, self._number, self._n)
        data = head + b''.join(self._parts)
        self.drop()
        return data

    def drop(self) -> None:
        """Forget the entries so far; a message that was not taken is missing in the numbers."""
        self._number += 1
        self._parts.clear()
        self._clocks.clear()
        self._size = self._ticks = 0


def _text(text: str) -> tuple[bytes, bytes]:
    data = text.encode()
    return _LENGTH.pack(len(data)), data


@dataclass(frozen=True)
class ReplayedTick:
    """A tick as recorded, and what the replay made of the same inputs.

    Attributes:
        stamp: of the recorded command, ns.
        state, checksum: as recorded.
        report: of the replay.
        settled: the replay has the recorder's state: it began with the filter, or while it was at
            rest under the supervisor, and no message of the log is missing since.
    """

    stamp: int
    state: FilterState
    checksum: int
    report: Report
    settled: bool

    @property
    def same(self) -> bool:
        return self.checksum == checksum(self.report) and self.state == self.report.state


class ReplayClock:
    """The recorded clock values, one by one; then the last one, so that no budget ends."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self._last = 0.0

    def __call__(self) -> float:
        if self.values:
            self._last = self.values.pop(0)
        return self._last


SETTLING = 1.0
"""s of log after which every input that is in use has come once."""


class FilterReplay:
    """Feeds a log to a filter.

    Args:
        create: returns a new runtime that reads the given clock.
        n: joints of its robot.
    """

    def __init__(self, create: Callable[[ReplayClock], FilterRuntime], n: int) -> None:
        self._create, self._n = create, n
        self._number: int | None = None
        self.gaps = 0
        self._begin()

    def _begin(self) -> None:
        self._clock = ReplayClock()
        self._runtime = self._create(self._clock)
        self._began: float | None = None
        self._settled = False

    def feed(self, data: bytes) -> Iterator[ReplayedTick]:
        """The ticks of one message. Raises ValueError: another version, or another robot."""
        version, number, n = _HEAD.unpack_from(data)
        if version != VERSION:
            raise ValueError(f'log of version {version}, wanted {VERSION}')
        if n != self._n:
            raise ValueError(f'log of a robot with {n} joints, wanted {self._n}')
        if self._number is not None and number != self._number + 1:
            self.gaps += 1
            self._begin()
        self._number = number
        cursor = _Cursor(data, _HEAD.size)
        while cursor.at < len(data):
            tick = self._entry(cursor)
            if tick is not None:
                yield tick

    def _entry(self, c: _Cursor) -> ReplayedTick | None:
        runtime = self._runtime
        kind = c.byte()
        if kind == TICK:
            return self._tick(c)
        if kind == RESTART:
            runtime.restart()
            if runtime.ticks == 0:
                self._settled = True
        elif kind == FLUSH:
            runtime.core.flush('deactivated')
        elif kind == SUPERVISOR:
            mode, *rest, now = c.unpack(_SUPERVISOR)
            runtime.on_supervisor(SupervisorCommand(Mode(mode), *rest), now)
        elif kind == JOINTS:
            reference, stamp, arrived, wall_ns = c.unpack(_JOINTS)
            readings = runtime.reference if reference else runtime.measured
            readings.update(c.numbers(self._n), c.numbers(self._n), stamp, arrived, wall_ns)
        elif kind == IMU:
            w, x, y, z, stamp, arrived, wall_ns = c.unpack(_IMU)
            runtime.on_imu((w, x, y, z), stamp, arrived, wall_ns)
        elif kind == CONTACTS:
            runtime.on_contacts(*c.unpack(_CONTACTS))
        elif kind == RANGE:
            numbers = c.unpack(_RANGE)
            runtime.on_range(c.text(), *numbers)
        elif kind == CHUNK:
            count, points, width, has_positions, has_velocities, *rest = c.unpack(_CHUNK)
            names, times = [c.text() for _ in range(count)], c.numbers(points)
            positions = c.numbers(points, width) if has_positions else None
            velocities = c.numbers(points, width) if has_velocities else None
            runtime.on_chunk(names, times, positions, velocities, *rest)
        elif kind == GRIPPERS:
            count, openings, forces, speeds, *rest = c.unpack(_GRIPPERS)
            given = tuple(c.text() for _ in range(count))
            arrays = [c.numbers(size) for size in (openings, forces, speeds)]
            runtime.on_grippers(GripperOrder(given, *arrays), *rest)
        elif kind == KNOWN:
            runtime.world.replay(c.text())
        elif kind == REJECTED:
            value, limit, now = c.unpack(_REJECTED)
            why = violation(ViolationKind(c.text()), c.text(), value, limit)
            runtime.reject_chunk(why, now)
        else:
            raise ValueError(f'log with an entry of kind {kind}')
        return None

    def _tick(self, c: _Cursor) -> ReplayedTick:
        now, stamp, state, has_command, crc, clocks = c.unpack(_TICK)
        self._clock.values = c.numbers(clocks).tolist()
        self._began = now if self._began is None else self._began
        known = now - self._began >= SETTLING and state == FilterState.GATED and has_command
        self._settled = self._settled or bool(known)
        report = self._runtime.tick(now)
        return ReplayedTick(stamp, FilterState(state), crc, report, self._settled)


class _Cursor:
    """Reads a message of the log from front to back."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self.at = data, at

    def byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def unpack(self, layout: struct.Struct) -> tuple:
        values = layout.unpack_from(self._data, self.at)
        self.at += layout.size
        return values

    def text(self) -> str:
        (size,) = self.unpack(_LENGTH)
        self.at += size
        return self._data[self.at - size : self.at].decode()

    def numbers(self, *shape: int) -> np.ndarray:
        count = int(np.prod(shape))
        # A copy: aligned, and writable as the filter's own arrays are.
        values = np.frombuffer(self._data, np.float64, count, self.at).reshape(shape).copy()
        self.at += 8 * count
        return values
