# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Messages as YAML and CSV, and messages filled from YAML."""

import array
import importlib
import sys
from collections.abc import Callable, Sequence
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
    NamespacedType,
)

from ros2cli.command import suggest

_SEQUENCES = (list, tuple, array.array, np.ndarray)


class FieldError(ValueError):
    """A value does not fit a field; the message begins with the field's path."""


def get_interface(kind: str, name: str) -> type:
    """Return the class of an interface; `kind` is `msg`, `srv` or `action`.

    `package/Name` and `package/kind/Name` are both accepted. RuntimeError names the error.
    """
    wording = {'msg': 'message', 'srv': 'service', 'action': 'action'}[kind]
    invalid = f'The passed {wording} type is invalid: '
    package, *middle, interface = name.split('/')
    if not package or not interface or middle not in ([], [kind]):
        raise RuntimeError(f"{invalid}'{name}' is not of the form package/{kind}/Name")
    try:
        module = importlib.import_module(f'{package}.{kind}')
    except ImportError as error:
        raise RuntimeError(
            f'{invalid}cannot import {package}.{kind} ({error}); '
            'is the package built and its setup sourced?'
        ) from None
    found = getattr(module, interface, None)
    if not isinstance(found, type):
        hint = suggest(interface, [word for word in vars(module) if word[:1].isupper()])
        raise RuntimeError(f"{invalid}{package} has no {wording} '{interface}'{hint}")
    return found


def _type_name(message: object) -> str:
    """Return `package/msg/Name` of a message."""
    package, kind, *_ = type(message).__module__.split('.')
    return f'{package}/{kind}/{type(message).__name__}'


def _value_type_name(value_type: object) -> str:
    if isinstance(value_type, BasicType):
        return value_type.typename
    if isinstance(value_type, NamespacedType):
        return '/'.join(value_type.namespaced_name())
    return 'wstring' if isinstance(value_type, AbstractWString) else 'string'


def plain(
    value: object,
    length: int | None = None,
    no_arr: bool = False,
    no_str: bool = False,
    slot: object = None,
) -> object:
    """Return a message or a value in it as YAML knows it, fields in their order.

    Texts and arrays are shortened to `length`, or only described with `no_str` and `no_arr`.
    """
    if isinstance(value, bytes):
        value = ''.join(map(chr, value))
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
            return _described(value, slot)
        items = [plain(item, length, no_arr, no_str) for item in value[:length]]
        return items if len(items) == len(value) else [*items, '...']
    return {
        name: plain(item, length, no_arr, no_str, inner) for name, item, inner in _fields(value)
    }


def to_csv(value: object) -> str:
    """Return all values in what `plain` returns, separated by commas."""
    if isinstance(value, dict):
        value = list(value.values())
    return ','.join(map(to_csv, value)) if isinstance(value, list) else str(value)


def _described(value: Sequence, slot: object) -> str:
    name = _value_type_name(slot.value_type)
    if isinstance(slot, Array):
        return f'<array type: {name}[{slot.size}]>'
    bound = f'[{slot.maximum_size}]' if isinstance(slot, BoundedSequence) else ''
    return f'<sequence type: {name}{bound}, length: {len(value)}>'


def _fields(message: object) -> list[tuple[str, object, object]]:
    names = message.get_fields_and_field_types()
    return [
        (name, getattr(message, name), slot)
        for name, slot in zip(names, message.SLOT_TYPES, strict=True)
    ]


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


def message_to_yaml(message: object) -> str:
    return to_yaml(plain(message))


def fill_message(
    message: object, text: str, *, what: str = 'field', expand_now: bool = False
) -> list[Callable[[object], None]]:
    """Fill a message from the YAML that a user typed.

    Returns setters to call with the current time: with `expand_now` there is one for each header
    given as `auto` and each time given as `now`. RuntimeError names the path of a wrong field.
    Values are converted as by the real `ros2` (an int for a float, a number for a string), except
    where that loses or invents something: text for a bool, 1.5 for an int.
    """
    setters: list[Callable[[object], None]] = []
    try:
        _fill(message, yaml.safe_load(text), '', setters if expand_now else None)
    except yaml.YAMLError as error:
        raise RuntimeError(f'the passed values are not valid YAML: {error}') from None
    except FieldError as error:
        raise RuntimeError(f'Failed to populate {what}: {error}') from None
    return setters


def _fill(message: object, values: object, path: str, setters: list | None) -> None:
    kind = _type_name(message)
    if not isinstance(values, dict):
        raise FieldError(
            f'{path or kind}: the value needs to be a dictionary with fields of {kind}, '
            f'got {type(values).__name__} {values!r}'
        )
    slots = {name: (current, slot) for name, current, slot in _fields(message)}
    for name, value in values.items():
        where = f'{path}.{name}' if path else str(name)
        if name not in slots:
            raise FieldError(
                f"{where}: {kind} has no field '{name}'{suggest(str(name), slots)} "
                f'(fields: {", ".join(slots) or "none"})'
            )
        current, slot = slots[name]
        if setters is not None and isinstance(slot, NamespacedType):
            wanted = (_type_name(current), value)
            if wanted == ('std_msgs/msg/Header', 'auto'):
                setters.append(partial(setattr, current, 'stamp'))
                continue
            if wanted == ('builtin_interfaces/msg/Time', 'now'):
                setters.append(partial(setattr, message, name))
                continue
        # Off by default in Jazzy: without it 1000 goes into an int8 without an error.
        checked, message._check_fields = message._check_fields, True
        try:
            setattr(message, name, _converted(slot, current, value, where, setters))
        except FieldError:
            raise
        except (AssertionError, TypeError, ValueError, OverflowError) as error:
            raise FieldError(f'{where}: {" ".join(str(error).split())}, got {value!r}') from None
        finally:
            message._check_fields = checked


def _converted(slot: object, current: object, value: object, where: str, setters: list | None):
    if isinstance(slot, AbstractNestedType):
        if not isinstance(value, (list, tuple, bytes)):
            raise FieldError(f'{where}: expected a list, got {type(value).__name__} {value!r}')
        return _sequence(slot.value_type, current, value, where, setters)
    if isinstance(slot, NamespacedType):
        item = type(current)()
        _fill(item, value, where, setters)
        return item
    return _scalar(slot, value, where)


def _sequence(inner: object, current: object, value: Sequence, where: str, setters: list | None):
    if isinstance(inner, NamespacedType):
        cls = getattr(importlib.import_module('.'.join(inner.namespaces)), inner.name)
        items = [cls() for _ in value]
        for index, (item, given) in enumerate(zip(items, value, strict=True)):
            _fill(item, given, f'{where}[{index}]', setters)
        return items
    items = [_scalar(inner, item, f'{where}[{i}]') for i, item in enumerate(value)]
    if isinstance(current, array.array):
        return array.array(current.typecode, items)
    if isinstance(current, np.ndarray):
        return np.array(items, dtype=current.dtype)
    return items


def _scalar(slot: object, value: object, where: str) -> object:
    kind = _value_type_name(slot)
    wrong = FieldError(f'{where}: expected {kind}, got {type(value).__name__} {value!r}')
    if isinstance(value, (dict, list, tuple)) or value is None:
        raise wrong
    if isinstance(slot, AbstractString | AbstractWString):
        return str(value)
    if kind == 'boolean':
        if value not in (0, 1):
            raise wrong
        return bool(value)
    if kind in ('octet', 'byte'):
        if isinstance(value, str) and len(value) == 1:
            value = ord(value)
        if isinstance(value, int) and 0 <= value < 256:
            return bytes([value])
        if isinstance(value, bytes) and len(value) == 1:
            return value
        raise wrong
    try:
        number = float(value) if kind in ('float', 'double', 'long double') else int(value)
    except (TypeError, ValueError, OverflowError):
        raise wrong from None
    if isinstance(number, int) and isinstance(value, float) and number != value:
        raise wrong
    return number


def message_filter(expression: str | None) -> Callable[[object], object]:
    """Return a function of the message `m`; without an expression it accepts all."""
    if expression is None:
        return lambda m: True
    try:
        code = compile(expression, '<--filter>', 'eval')
    except SyntaxError as error:
        raise RuntimeError(f"--filter '{expression}' is not a Python expression: {error}") from None
    # The user's own expression on the user's own machine, as in the real command.
    return lambda m: eval(code, {'m': m})
