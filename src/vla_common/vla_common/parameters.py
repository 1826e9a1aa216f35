# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Node parameters from a schema: the one home of types, units, ranges and descriptions.

Each node package has a `parameters.yaml`; a second node of a package has a
`<node>_parameters.yaml`:

    command_timeout:
      type: double            # bool, int, double, string; double_array, int_array, string_array
      unit: s
      range: [0.01, 1.0]      # numbers: inclusive bounds (of each element of an array)
      choices: [a, b]         # texts
      default: 0.1            # left out: must be given; safety parameters have none
      description: Age of a command above which it is not executed.

Declaration, validation, `ros2 param describe` and the table in the package's README
(`vla_common.readme`) come from it. Parameters are read once, at configure.
"""

from __future__ import annotations

import difflib
import math
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader, load_yaml

if TYPE_CHECKING:
    from rclpy.node import Node

TYPES = {
    'bool': 'true or false',
    'int': 'a whole number',
    'double': 'a finite number',
    'string': 'a text',
    'double_array': 'a list of finite numbers',
    'int_array': 'a list of whole numbers',
    'string_array': 'a list of texts',
}
"""Types of parameters, each with its valid values in words."""
_MISSING = object()
T = TypeVar('T')


@dataclass(frozen=True)
class Parameter:
    """One entry of a schema."""

    name: str
    type: str
    description: str
    unit: str = ''
    lo: float | None = None
    hi: float | None = None
    choices: tuple[str, ...] = ()
    default: Any = _MISSING

    @property
    def required(self) -> bool:
        return self.default is _MISSING

    @property
    def wanted(self) -> str:
        """A valid value in words, for error messages."""
        words = TYPES[self.type]
        if self.choices:
            words = 'one of ' + ', '.join(self.choices)
        if self.lo is not None or self.hi is not None:
            lo = '-∞' if self.lo is None else f'{self.lo:g}'
            hi = '∞' if self.hi is None else f'{self.hi:g}'
            words += f' from {lo} to {hi}'
        return f'{words} ({self.unit})' if self.unit else words

    def converted(self, value: Any) -> Any:
        """`value` with arrays as lists, and with whole numbers as floats where those are wanted."""
        if hasattr(value, 'tolist'):
            value = value.tolist()
        if self.type == 'double' and type(value) is int:
            return float(value)  # `5` in a YAML file is meant as 5.0
        if self.type == 'double_array' and isinstance(value, (list, tuple)):
            return [float(v) if type(v) is int else v for v in value]
        return value

    def check(self, value: object) -> str | None:
        """Return the value as text if it is not valid, None if it is."""
        single = self.type.removesuffix('_array')
        if single == self.type:
            valid = self._valid(single, value)
        elif isinstance(value, (list, tuple)):
            valid = all(self._valid(single, item) for item in value)
        else:
            valid = False
        return None if valid else repr(value)

    def _valid(self, single: str, item: Any) -> bool:
        if single == 'bool':
            return isinstance(item, bool)
        if single == 'string':
            return isinstance(item, str) and (not self.choices or item in self.choices)
        kinds = int if single == 'int' else (int, float)
        if isinstance(item, bool) or not isinstance(item, kinds) or not math.isfinite(item):
            return False
        lo = -math.inf if self.lo is None else self.lo
        return lo <= item <= (math.inf if self.hi is None else self.hi)


def argument_value(name: str, text: str, kind: str) -> Any:
    """The value of a launch argument, as its parameter's type. Raises ConfigError."""
    if kind == 'bool':
        return text == 'true'
    if kind != 'double':
        return text
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError('launch arguments', name, text, 'a number')
    return number


class Parameters(SimpleNamespace):
    """The values read, as attributes; a dot in a name nests."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f'parameters are read once, at configure; {name} cannot be set')

    def to(self, kind: type[T]) -> T:
        """The dataclass `kind`, whose fields are all parameters of this section, by name.

        Raises ConfigError: a field has no parameter, or a parameter no field.
        """
        extra = sorted(set(flatten(self, '_')) - {field.name for field in fields(kind)})
        if extra:
            raise ConfigError('parameters', extra[0], 'a parameter', f'a field of {kind.__name__}')
        return self.select(kind)

    def select(self, kind: type[T], **given: Any) -> T:
        """The dataclass `kind`: a field is `given`, or the parameter of its name.

        A dot is an underscore in the field's name: `danger.stop_after` is `danger_stop_after`.

        Raises ConfigError: a field is not given and has no parameter.
        """
        values = flatten(self, '_')
        for field in fields(kind):
            if field.name not in given:
                if field.name not in values:
                    wanted = f'a parameter for {kind.__name__}.{field.name}'
                    raise ConfigError('parameters', field.name, 'nothing', wanted)
                given[field.name] = values[field.name]
        return kind(**given)


class ParameterSchema:
    """All parameters of one node."""

    def __init__(self, entries: list[Parameter]) -> None:
        self.entries = tuple(entries)

    @classmethod
    def from_file(cls, path: str | pathlib.Path) -> ParameterSchema:
        """Read a `parameters.yaml`; ConfigError where it is malformed."""
        entries = []
        for name, raw in load_yaml(path).items():
            reader = ConfigReader(path, raw, name)
            kind = reader.text('type', choices=tuple(TYPES))
            bounds = reader.raw('range', None)
            if bounds is not None and not (isinstance(bounds, list) and len(bounds) == 2):
                raise reader.error('range', bounds, '[lowest, highest], null for none')
            entry = Parameter(
                name=name,
                type=kind,
                description=reader.text('description'),
                unit=reader.text('unit', ''),
                lo=bounds[0] if bounds else None,
                hi=bounds[1] if bounds else None,
                choices=tuple(reader.texts('choices', [])),
                default=reader.raw('default', _MISSING),
            )
            reader.close()
            if not entry.required:
                wrong = entry.check(entry.default)
                if wrong is not None:
                    raise reader.error('default', wrong, entry.wanted)
            entries.append(entry)
        return cls(entries)

    @classmethod
    def load(cls, package: str, node: str = '') -> ParameterSchema:
        """Read the schema that `package` installed: `<node>_parameters.yaml` for a node that has
        its own, else `parameters.yaml`."""
        from ament_index_python.packages import get_package_share_directory

        share = pathlib.Path(get_package_share_directory(package))
        own = share / f'{node}_parameters.yaml'
        return cls.from_file(own if node and own.is_file() else share / 'parameters.yaml')

    def declare(self, node: Node) -> None:
        """Declare every parameter on `node`; required ones without a value stay unset."""
        from rcl_interfaces.msg import ParameterDescriptor, ParameterType

        types = {
            'bool': ParameterType.PARAMETER_BOOL,
            'int': ParameterType.PARAMETER_INTEGER,
            'double': ParameterType.PARAMETER_DOUBLE,
            'string': ParameterType.PARAMETER_STRING,
            'double_array': ParameterType.PARAMETER_DOUBLE_ARRAY,
            'int_array': ParameterType.PARAMETER_INTEGER_ARRAY,
            'string_array': ParameterType.PARAMETER_STRING_ARRAY,
        }
        for entry in self.entries:
            unit = f' [{entry.unit}]' if entry.unit else ''
            descriptor = ParameterDescriptor(
                description=entry.description + unit,
                type=types[entry.type],
                # A wrong type or range in a parameter file is found by read(), with a better
                # message than rclpy's exception from the constructor.
                dynamic_typing=True,
                additional_constraints=entry.wanted,
            )
            default = None if entry.required else entry.default
            node.declare_parameter(entry.name, default, descriptor)

    def read(self, node: Node) -> Parameters:
        """The values of `node`'s parameters.

        Raises ConfigError: a required one is missing, or a value has the wrong type or range.
        """
        values = {entry.name: node.get_parameter(entry.name).value for entry in self.entries}
        return self.check(values, f'parameters of {node.get_fully_qualified_name()}')

    def defaults(self, **given: Any) -> Parameters:
        """Parameters without a node: the defaults, and `given` (`a__b` for `a.b`).

        Raises ConfigError: one is missing, unknown, or has the wrong type or range.
        """
        return self.check({name.replace('__', '.'): value for name, value in given.items()})

    def check(self, values: Mapping[str, Any], place: str = 'parameters') -> Parameters:
        """Validate `values` by dotted name; None and a missing one take the default.

        place: file or node of the values, for errors.

        Raises ConfigError: one is missing, unknown, or has the wrong type or range.
        """
        known = [entry.name for entry in self.entries]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1) or sorted(known)
                raise ConfigError(place, name, 'an unknown parameter', ', '.join(near))
        checked = {}
        for entry in self.entries:
            value = values.get(entry.name)
            if value is None:
                if entry.required:
                    raise ConfigError(place, entry.name, 'nothing', entry.wanted)
                value = entry.default
            value = entry.converted(value)
            wrong = entry.check(value)
            if wrong is not None:
                raise ConfigError(place, entry.name, wrong, entry.wanted)
            checked[entry.name] = value
        return nest(checked)

    def table(self) -> str:
        """Return the Markdown table for the package's README."""
        rows = ['| parameter | type | unit | allowed | default | |', '|---|---|---|---|---|---|']
        for entry in self.entries:
            if entry.choices:
                allowed = ', '.join(entry.choices)
            elif entry.lo is not None or entry.hi is not None:
                lo = '' if entry.lo is None else f'{entry.lo:g}'
                hi = '' if entry.hi is None else f'{entry.hi:g}'
                allowed = f'{lo} … {hi}'
            else:
                allowed = ''
            default = '**must be given**' if entry.required else f'`{entry.default}`'
            rows.append(
                f'| `{entry.name}` | {entry.type} | {entry.unit} | {allowed} | {default} '
                f'| {entry.description} |'
            )
        return '\n'.join(rows)


def nest(values: Mapping[str, Any]) -> Parameters:
    """Turn dotted names into nested attributes."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *path, leaf = name.split('.')
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        branch[leaf] = value

    def grow(branch: dict[str, Any]) -> Parameters:
        return Parameters(**{k: grow(v) if isinstance(v, dict) else v for k, v in branch.items()})

    return grow(tree)


def flatten(tree: Mapping[str, Any] | Parameters, separator: str = '.') -> dict[str, Any]:
    """Turn nested sections into joined names, as ROS reads them: `a: {b: 1}` is `a.b`."""
    values: dict[str, Any] = {}
    for name, value in (tree if isinstance(tree, Mapping) else vars(tree)).items():
        if isinstance(value, (Mapping, Parameters)):
            inner = flatten(value, separator)
            values |= {f'{name}{separator}{key}': item for key, item in inner.items()}
        else:
            values[name] = value
    return values
