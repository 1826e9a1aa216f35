# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Serialized messages read and written in place.

A control loop that receives 200 messages a second needs a stamp and some arrays of each, but rclpy
creates a Python object for every field, 32 joint names included: most of a node's CPU time. From
one message to the next only the numbers change. So rclpy deserializes the first message, and the
places of its numbers are learned from it. A later one is read in place if everything else (text,
lengths of sequences, encoding, size) is equal bit for bit, and by rclpy otherwise. So every
standard publisher is understood, and what rclpy rejects is rejected.

The format is the CDR of ROS 2 (OMG DDSI-RTPS 2.2 §10, "plain CDR"): four bytes for the encoding,
then the fields in order, each number aligned to its own size counted from there, text as uint32
length with the closing zero, a sequence as uint32 count and its elements. Little endian is read in
place; big endian goes through rclpy.
"""

from __future__ import annotations

import importlib
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rclpy.serialization import deserialize_message, serialize_message
from rosidl_parser import definition

NANOSECONDS = 1_000_000_000
HEADER = 4
LITTLE_ENDIAN = b'\x00\x01'
_TIME = ('builtin_interfaces', 'Time')
_CODES = {
    'boolean': '?',
    'octet': 'B',
    'char': 'B',
    'uint8': 'B',
    'int8': 'b',
    'uint16': 'H',
    'int16': 'h',
    'uint32': 'I',
    'int32': 'i',
    'uint64': 'Q',
    'int64': 'q',
    'float': 'f',
    'double': 'd',
}


@dataclass(frozen=True)
class Slot:
    """A place: `count` numbers (None: a single one) of struct's format `code` from `offset`."""

    offset: int
    code: str
    count: int | None = None

    @property
    def stop(self) -> int:
        return self.offset + struct.calcsize(self.code) * (1 if self.count is None else self.count)


@dataclass
class Layout:
    """The places of the fields in one serialized message.

    slots: by path ('header.stamp.sec', 'position'). fixed: spans that are not numbers. flags:
    offsets of booleans, which have two values only.
    """

    slots: dict[str, Slot] = field(default_factory=dict)
    fixed: list[tuple[int, int]] = field(default_factory=lambda: [(0, HEADER)])
    flags: list[int] = field(default_factory=list)
    end: int = HEADER

    @classmethod
    def of(cls, kind: type, serialized: bytes) -> Layout:
        """The layout of one message, which rclpy must have accepted (or created).

        Raises ValueError: not plain little-endian CDR, or a field of an unsupported type.
        """
        if serialized[:2] != LITTLE_ENDIAN:
            raise ValueError('not little-endian CDR')
        layout = cls()
        layout._message(kind, serialized, '')
        return layout

    def _message(self, kind: type, serialized: bytes, path: str) -> None:
        for name, slot_type in _fields(kind):
            self._value(slot_type, serialized, f'{path}.{name}' if path else name)

    def _value(self, kind: Any, serialized: bytes, path: str) -> None:
        if isinstance(kind, definition.BasicType):
            self._number(path, _code(kind), None)
        elif isinstance(kind, definition.AbstractString):
            self._text(serialized)
        elif isinstance(kind, definition.NamespacedType):
            self._message(_class(kind), serialized, path)
        elif isinstance(kind, definition.Array):
            self._elements(kind.value_type, kind.size, serialized, path)
        elif isinstance(kind, definition.AbstractSequence):
            self._elements(kind.value_type, self._count(serialized), serialized, path)
        else:
            raise ValueError(f'{path}: {kind} is not supported')

    def _elements(self, kind: Any, count: int, serialized: bytes, path: str) -> None:
        if isinstance(kind, definition.BasicType):
            self._number(path, _code(kind), count)
            return
        for i in range(count):
            self._value(kind, serialized, f'{path}.{i}')

    def _number(self, path: str, code: str, count: int | None) -> None:
        if count != 0:  # an empty sequence is not aligned
            self._align(struct.calcsize(code))
        slot = self.slots[path] = Slot(self.end, code, count)
        self.end = slot.stop
        if code == '?':
            self.flags.extend(range(slot.offset, slot.stop))

    def _count(self, serialized: bytes) -> int:
        self._align(4)
        (count,) = struct.unpack_from('<I', serialized, self.end)
        self.fixed.append((self.end, self.end + 4))
        self.end += 4
        return count

    def _text(self, serialized: bytes) -> None:
        length = self._count(serialized)
        self.fixed.append((self.end, self.end + length))
        self.end += length

    def _align(self, size: int) -> None:
        self.end += -(self.end - HEADER) % size

    def mask(self, size: int) -> int:
        """An integer with ones at every bit that two messages of this layout share.

        Padding is left out: writers do not initialize it.
        """
        bits = bytearray(size)
        for start, stop in self.fixed:
            bits[start:stop] = b'\xff' * (stop - start)
        for offset in self.flags:
            bits[offset] = 0xFE
        return int.from_bytes(bits, 'little')

    def without_padding(self, serialized: bytes) -> bytearray:
        """A copy with zeros for the padding, which rclpy's serializer does not initialize."""
        clean = bytearray(self.end)
        for start, stop in (*self.fixed, *((s.offset, s.stop) for s in self.slots.values())):
            clean[start:stop] = serialized[start:stop]
        return clean

    def numbers(self, path: str) -> Slot:
        """The slot of a field, or of a message that consists of numbers of one type.

        Raises KeyError: there is no such field, or it is of another kind.
        """
        if path in self.slots:
            return self.slots[path]
        parts = [slot for name, slot in self.slots.items() if name.startswith(path + '.')]
        if parts and {slot.code for slot in parts} == {parts[0].code}:
            whole = sum(1 if slot.count is None else slot.count for slot in parts)
            slot = Slot(parts[0].offset, parts[0].code, whole)
            if slot.stop == parts[-1].stop:
                return slot
        raise KeyError(path)


def _fields(kind: type) -> list[tuple[str, Any]]:
    # SLOT_TYPES belongs to __slots__, whose names have an underscore before.
    names = kind.get_fields_and_field_types()
    return list(zip(names, kind.SLOT_TYPES, strict=True))


def _code(kind: definition.BasicType) -> str:
    try:
        return _CODES[kind.typename]
    except KeyError:
        raise ValueError(f'{kind.typename} is not supported') from None


def _class(kind: definition.NamespacedType) -> type:
    return getattr(importlib.import_module('.'.join(kind.namespaces)), kind.name)


def _kind_of(kind: type, path: str) -> Any:
    """The type of a field, or of an element ('violations.0'); KeyError where there is none."""
    found: Any = None
    for name in path.split('.'):
        if name.isdecimal() and hasattr(found, 'value_type'):
            found = found.value_type
            continue
        if found is not None:
            if not isinstance(found, definition.NamespacedType):
                raise KeyError(path)
            kind = _class(found)
        found = dict(_fields(kind))[name]
    return found


def _is_time(kind: Any) -> bool:
    return isinstance(kind, definition.NamespacedType) and (kind.namespaces[0], kind.name) == _TIME


def _has_text(kind: Any) -> bool:
    inner = getattr(kind, 'value_type', kind)
    return isinstance(inner, definition.AbstractString)


class Reader:
    """Reads some fields of serialised messages of one type. Not thread-safe.

    Args:
        kind: the message's class.
        fields: paths, 'header.stamp', 'position'. `read` returns for each: a Time in ns (int); a
            number; an array, or a message that consists of numbers of one type, as a read-only
            NumPy array (a Quaternion as x y z w); text and sequences of text as they are (the
            same object as long as the text is the same).

    Raises KeyError: there is no such field.
    """

    def __init__(self, kind: type, *fields: str) -> None:
        self._kind = kind
        self._fields = fields
        for path in fields:
            if any(name.isdecimal() for name in path.split('.')):
                raise KeyError(path)  # not every message has this element
        self._types = [_kind_of(kind, path) for path in fields]
        self._size = -1
        self._mask = self._fixed = 0
        self._constants: list[Any] = []
        self._arrays: list[tuple[int, np.dtype, int, int]] = []
        self._times: list[tuple[int, int]] = []
        self._scalars: list[tuple[int, int]] = []
        self._struct = struct.Struct('<')
        self.read_in_full = 0
        """Number of messages that were not read in place."""

    def read(self, serialized: bytes) -> list[Any]:
        """The fields' values, in order. Arrays are views of `serialized`.

        Raises Exception: as rclpy raises for a message that it cannot deserialize.
        """
        if (
            len(serialized) != self._size
            or int.from_bytes(serialized, 'little') & self._mask != self._fixed
        ):
            serialized = self._learn(serialized)
        values = self._constants.copy()
        numbers = self._struct.unpack_from(serialized)
        for place, i in self._times:
            values[place] = numbers[i] * NANOSECONDS + numbers[i + 1]
        for place, i in self._scalars:
            values[place] = numbers[i]
        for place, dtype, count, offset in self._arrays:
            values[place] = np.frombuffer(serialized, dtype, count, offset)
        return values

    def _learn(self, serialized: bytes) -> bytes:
        """Deserialize with rclpy, learn the layout; return the message in little-endian CDR."""
        self._size = -1
        self.read_in_full += 1
        message = deserialize_message(serialized, self._kind)
        if serialized[:2] != LITTLE_ENDIAN:
            serialized = serialize_message(message)
        layout = Layout.of(self._kind, serialized)
        if layout.end > len(serialized):
            raise ValueError(f'{self._kind.__name__}: {len(serialized)} of {layout.end} bytes')
        self._constants = [None] * len(self._fields)
        self._arrays, self._times, self._scalars = [], [], []
        singles: list[tuple[int, str, list[tuple[int, int]], int]] = []
        for place, (path, kind) in enumerate(zip(self._fields, self._types, strict=True)):
            if _has_text(kind):
                self._constants[place] = _get(message, path)
            elif _is_time(kind):
                offset = layout.slots[f'{path}.sec'].offset
                singles.append((offset, 'iI', self._times, place))
            else:
                slot = layout.numbers(path)
                if slot.count is None:
                    singles.append((slot.offset, slot.code, self._scalars, place))
                else:
                    dtype = np.dtype(slot.code).newbyteorder('<')
                    self._arrays.append((place, dtype, slot.count, slot.offset))
        # One struct for all single numbers, in the order of their places.
        pattern, at, count = '<', 0, 0
        for offset, code, goes_to, place in sorted(singles, key=lambda single: single[0]):
            pattern += f'{offset - at}x{code}'
            at = offset + struct.calcsize('<' + code)
            goes_to.append((place, count))
            count += len(code)
        self._struct = struct.Struct(pattern)
        self._mask = layout.mask(len(serialized))
        self._fixed = int.from_bytes(serialized, 'little') & self._mask
        self._size = len(serialized)
        return serialized


class Writer:
    """Serializes messages that differ in some numbers only. Not thread-safe.

    Args:
        template: the message with everything else in it; its sequences have the length that is
            sent.
        fields: paths of the numbers that change, see Reader; 'causes.0.level' for an element's.

    Raises KeyError: there is no such field, or it is not numbers.
    """

    def __init__(self, template: Any, *fields: str) -> None:
        kind, serialized = type(template), serialize_message(template)
        layout = Layout.of(kind, serialized)
        self._buffer = layout.without_padding(serialized)
        self._put = [
            _put_time(self._buffer, layout.slots[f'{path}.sec'].offset)
            if _is_time(_kind_of(kind, path))
            else _put_numbers(self._buffer, layout.numbers(path))
            for path in fields
        ]

    def write(self, *values: Any) -> bytes:
        """The serialized message with these values, in the order of the fields, for `publish`.

        Raises:
            ValueError: an array of another length than the template's.
            struct.error: a number that the field cannot hold.
        """
        for put, value in zip(self._put, values, strict=True):
            put(value)
        return bytes(self._buffer)


def _put_time(buffer: bytearray, offset: int) -> Any:
    pack = struct.Struct('<iI').pack_into

    def put(nanoseconds: int) -> None:
        pack(buffer, offset, *divmod(nanoseconds, NANOSECONDS))

    return put


def _put_numbers(buffer: bytearray, slot: Slot) -> Any:
    if slot.count is None:
        pack = struct.Struct('<' + slot.code).pack_into

        def put(value: Any) -> None:
            pack(buffer, slot.offset, value)

        return put
    dtype = np.dtype(slot.code).newbyteorder('<')
    view = np.frombuffer(buffer, dtype, slot.count, slot.offset)

    def put_array(value: Any) -> None:
        if len(value) != len(view):
            raise ValueError(f'{len(value)} numbers, wanted {len(view)}')
        view[:] = value

    return put_array


def uint8_array(data: bytes) -> bytes:
    """A serialized std_msgs/UInt8MultiArray of one unnamed dimension, as `publish` takes it."""
    return LITTLE_ENDIAN + b'\0\0' + struct.pack('<III', 0, 0, len(data)) + data


def uint8_array_data(serialized: bytes) -> bytes:
    """The data of a serialized UInt8MultiArray that `uint8_array` made.

    By its length: the middleware pads a message to a multiple of four bytes.
    """
    begin = HEADER + 12
    (count,) = struct.unpack_from('<I', serialized, begin - 4)
    return serialized[begin : begin + count]


def _get(message: Any, path: str) -> Any:
    for name in path.split('.'):
        message = getattr(message, name)
    return message
