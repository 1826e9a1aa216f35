# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Messages as YAML and CSV, and messages filled from YAML."""

from __future__ import annotations

import array
import importlib
import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import yaml
from rosidl_parser.definition import (
    AbstractNestedType,
    AbstractString,
    AbstractWString,
    Array,
    BasicType,
    BoundedSequence,
    NamedType,
    NamespacedType,
    UnboundedSequence,
)

from ros2cli.text import suggest

_SEQUENCES = (list, tuple, array.array, np.ndarray)


class FieldError(ValueError):
    """A value does not fit a field; the message begins with the field's path."""


def get_interface(kind: str, name: str) -> type:
    """Return the class of an interface; `kind` is `msg`, `srv` or `action`.

    `package/Name` and `package/kind/Name` are both accepted. RuntimeError says what is wrong.
    """
    wording = {'msg': 'message', 'srv': 'service', 'action': 'action'}[kind]
    parts = name.split('/')
    if len(parts) == 2:
        parts.insert(1, kind)
    if len(parts) != 3 or not all(parts) or parts[1] != kind:
        raise RuntimeError(
            f"The passed {wording} type is invalid: '{name}' is not of the form package/{kind}/Name"
        )
    package, _, interface = parts
    try:
        module = importlib.import_module(f'{package}.{kind}')
    except ImportError as error:
        raise RuntimeError(
            f'The passed {wording} type is invalid: cannot import {package}.{kind} ({error}); '
            'is the package built and its setup sourced?'
        ) from None
    found = getattr(module, interface, None)
    if not isinstance(found, type):
        names = [word for word in vars(module) if word[:1].isupper()]
        raise RuntimeError(
            f'The passed {wording} type is invalid: {package} has no {wording} '
            f"'{interface}'{suggest(interface, names)}"
        )
    return found


def type_name(message: object) -> str:
    """Return `package/msg/Name` of a message or of its class."""
    cls = message if isinstance(message, type) else type(message)
    package, kind, *_ = cls.__module__.split('.')
    return f'{package}/{kind}/{cls.__name__}'


def _value_type_name(value_type: object) -> str:
    if isinstance(value_type, BasicType):
        return value_type.typename
    if isinstance(value_type, AbstractString):
        return 'string'
    if isinstance(value_type, AbstractWString):
        return 'wstring'
    if isinstance(value_type, NamedType):
        return value_type.name
    if isinstance(value_type, NamespacedType):
        return '/'.join(value_type.namespaced_name())
    return 'unknown'


def _sequence_note(value: object, slot: object) -> str:
    """What stands for a sequence that is not shown."""
    name = _value_type_name(slot.value_type)
    if isinstance(slot, Array):
        return f'<array type: {name}[{slot.size}]>'
    if isinstance(slot, BoundedSequence):
        return f'<sequence type: {name}[{slot.maximum_size}], length: {len(value)}>'
    if isinstance(slot, UnboundedSequence):
        return f'<sequence type: {name}, length: {len(value)}>'
    return 'unknown'


def _fields(message: object) -> list[tuple[str, object, object]]:
    names = message.get_fields_and_field_types()
    return [
        (name, getattr(message, name), slot)
        for name, slot in zip(names, message.SLOT_TYPES, strict=True)
    ]


def _plain(value: object, slot: object, length: int | None, no_arr: bool, no_str: bool) -> object:
    """Return the value as what YAML knows."""
    if isinstance(value, bytes):
        text = ''.join(map(chr, value if length is None else value[:length]))
        return text if length is None or len(value) <= length else f'{text}...'
    if isinstance(value, str):
        if no_str:
            return f'<string length: <{len(value)}>>'
        return value if length is None or len(value) <= length else f'{value[:length]}...'
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, _SEQUENCES):
        if no_arr and slot is not None:
            return _sequence_note(value, slot)
        shown = value if length is None else value[:length]
        items = [_plain(item, None, length, no_arr, no_str) for item in shown]
        return items if len(shown) == len(value) else [*items, '...']
    return message_to_dict(value, truncate_length=length, no_arr=no_arr, no_str=no_str)


def message_to_dict(
    message: object,
    *,
    truncate_length: int | None = None,
    no_arr: bool = False,
    no_str: bool = False,
) -> dict[str, object]:
    """Return a message as nested dictionaries in the order of its fields."""
    return {
        name: _plain(value, slot, truncate_length, no_arr, no_str)
        for name, value, slot in _fields(message)
    }


class _Dumper(yaml.SafeDumper):
    """Never writes anchors: two equal values are two values."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def to_yaml(value: object, *, flow_style: bool = False) -> str:
    """Return plain values as one YAML document, in their order."""
    return yaml.dump(
        value,
        Dumper=_Dumper,
        allow_unicode=True,
        width=sys.maxsize,
        default_flow_style=flow_style,
        sort_keys=False,
    )


def message_to_yaml(message: object, *, flow_style: bool = False, **options: object) -> str:
    """Return a message as YAML; the options are those of `message_to_dict`."""
    return to_yaml(message_to_dict(message, **options), flow_style=flow_style)


def message_to_csv(
    message: object,
    *,
    truncate_length: int | None = None,
    no_arr: bool = False,
    no_str: bool = False,
) -> str:
    """Return all the values of a message, nested ones too, separated by commas."""

    def text(value: object, slot: object) -> str:
        if isinstance(value, _SEQUENCES):
            if no_arr and slot is not None:
                return _sequence_note(value, slot)
            shown = value if truncate_length is None else value[:truncate_length]
            items = [text(item, None) for item in shown]
            return ','.join(items) + ('...' if len(shown) < len(value) else '')
        if isinstance(value, str) and no_str:
            return f'<string length: <{len(value)}>>'
        if isinstance(value, (str, bytes)):
            if truncate_length is not None and len(value) > truncate_length:
                value = value[:truncate_length] + (b'...' if isinstance(value, bytes) else '...')
            return str(value)
        if isinstance(value, (bool, int, float, np.generic)):
            return str(value)
        return ','.join(text(item, inner) for _, item, inner in _fields(value))

    return ','.join(text(value, slot) for _, value, slot in _fields(message))


def load_yaml(text: str) -> object:
    """Parse the YAML that a user typed; RuntimeError if it is none."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RuntimeError(f'the passed values are not valid YAML: {error}') from None


def set_message_fields(
    message: object, values: object, *, expand_now: bool = False
) -> list[Callable[[object], None]]:
    """Fill a message from nested dictionaries.

    Returns setters to call with the current time: with `expand_now` there is one for each header
    given as `auto` and each time given as `now`. Raises FieldError, which begins with the field's
    path. Values are converted as the real `ros2` does (an int for a float, a number for a
    string), except where that loses or invents something: text for a bool, 1.5 for an int.
    """
    setters: list[Callable[[object], None]] = []
    _fill(message, values, '', setters if expand_now else None)
    return setters


def _fill(message: object, values: object, path: str, setters: list | None) -> None:
    if not isinstance(values, dict):
        raise FieldError(
            f'{path or type_name(message)}: expected a dictionary with fields of '
            f'{type_name(message)}, got {type(values).__name__} {values!r}'
        )
    slots = dict(zip(message.get_fields_and_field_types(), message.SLOT_TYPES, strict=True))
    for name, value in values.items():
        where = f'{path}.{name}' if path else str(name)
        if name not in slots:
            raise FieldError(
                f"{where}: {type_name(message)} has no field '{name}'"
                f'{suggest(str(name), slots)} (fields: {", ".join(slots) or "none"})'
            )
        current = getattr(message, name)
        if setters is not None and isinstance(value, str):
            kind = type_name(current) if hasattr(current, 'SLOT_TYPES') else ''
            if kind == 'std_msgs/msg/Header' and value == 'auto':
                setters.append(partial(setattr, current, 'stamp'))
                continue
            if kind == 'builtin_interfaces/msg/Time' and value == 'now':
                setters.append(partial(setattr, message, name))
                continue
        converted = _converted(slots[name], current, value, where, setters)
        # Off by default in Jazzy: without it 1000 goes into an int8 and nobody says so.
        checked, message._check_fields = message._check_fields, True
        try:
            setattr(message, name, converted)
        except (AssertionError, TypeError, ValueError, OverflowError) as error:
            raise FieldError(f'{where}: {" ".join(str(error).split())}, got {value!r}') from None
        finally:
            message._check_fields = checked


def _converted(slot: object, current: object, value: object, where: str, setters: list | None):
    if isinstance(slot, AbstractNestedType):
        if not isinstance(value, (list, tuple, bytes)):
            raise FieldError(f'{where}: expected a list, got {type(value).__name__} {value!r}')
        inner = slot.value_type
        if isinstance(inner, NamespacedType):
            cls = get_interface_of(inner)
            items = [cls() for _ in value]
            for index, (item, given) in enumerate(zip(items, value, strict=True)):
                _fill(item, given, f'{where}[{index}]', setters)
            return items
        items = [_scalar(inner, item, f'{where}[{i}]') for i, item in enumerate(value)]
        try:
            if isinstance(current, array.array):
                return array.array(current.typecode, items)
            if isinstance(current, np.ndarray):
                return np.array(items, dtype=current.dtype)
        except (OverflowError, TypeError, ValueError) as error:
            raise FieldError(f'{where}: {error}, got {value!r}') from None
        return items
    if isinstance(slot, NamespacedType):
        item = type(current)()
        _fill(item, value, where, setters)
        return item
    return _scalar(slot, value, where)


def get_interface_of(slot: NamespacedType) -> type:
    """Return the class that a message's slot type names."""
    return getattr(importlib.import_module('.'.join(slot.namespaces)), slot.name)


def _scalar(slot: object, value: object, where: str) -> object:
    kind = _value_type_name(slot)
    wrong = FieldError(f'{where}: expected {kind}, got {type(value).__name__} {value!r}')
    if isinstance(value, (dict, list, tuple)) or value is None:
        raise wrong
    if kind in ('string', 'wstring'):
        return value if isinstance(value, str) else str(value)
    if kind == 'boolean':
        if not isinstance(value, bool) and value not in (0, 1):
            raise wrong
        return bool(value)
    if kind in ('octet', 'byte'):
        if isinstance(value, bytes) and len(value) == 1:
            return value
        if isinstance(value, str) and len(value) == 1 and ord(value) < 256:
            return bytes([ord(value)])
        if isinstance(value, int) and 0 <= value < 256:
            return bytes([value])
        raise wrong
    try:
        number = float(value) if kind in ('float', 'double', 'long double') else int(value)
    except (TypeError, ValueError, OverflowError):
        raise wrong from None
    if isinstance(number, int) and isinstance(value, float) and number != value:
        raise wrong
    return number
