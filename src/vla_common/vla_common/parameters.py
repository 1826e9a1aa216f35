# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Node parameters from a schema: types, units, ranges and descriptions have one home.

Each node package has a `parameters.yaml`:

    command_timeout:
      type: double            # bool, int, double, string; double_array, int_array, string_array
      unit: s
      range: [0.01, 1.0]      # numbers: inclusive bounds (of each element of an array)
      choices: [a, b]         # texts
      default: 0.1            # left out: must be given; safety parameters have none
      description: Age of a command above which it is not executed.

From it come the declaration, the validation, `ros2 param describe`, and the table in the
package's README (`python -m vla_common.parameters <package folder>`). All parameters are read-only
while the node runs: they are read once, at configure.
"""

from __future__ import annotations

import math
import pathlib
import sys
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader, load_yaml

if TYPE_CHECKING:
    from rclpy.node import Node

TYPES = ('bool', 'int', 'double', 'string', 'double_array', 'int_array', 'string_array')
_MISSING = object()


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
        """What a valid value looks like, for error messages."""
        words = {
            'bool': 'true or false',
            'int': 'a whole number',
            'double': 'a finite number',
            'string': 'a text',
            'double_array': 'a list of finite numbers',
            'int_array': 'a list of whole numbers',
            'string_array': 'a list of texts',
        }[self.type]
        if self.choices:
            words = 'one of ' + ', '.join(self.choices)
        if self.lo is not None or self.hi is not None:
            lo = '-∞' if self.lo is None else f'{self.lo:g}'
            hi = '∞' if self.hi is None else f'{self.hi:g}'
            words += f' from {lo} to {hi}'
        return f'{words} ({self.unit})' if self.unit else words

    def check(self, value: object) -> str | None:
        """Return what is wrong with `value`, None if nothing is."""
        if self.type.endswith('_array'):
            if not isinstance(value, (list, tuple)) and not hasattr(value, 'tolist'):
                return repr(value)
            items = list(value)  # type: ignore[call-overload]
            single = self.type.removesuffix('_array')
        else:
            items, single = [value], self.type
        for item in items:
            if single == 'bool' and not isinstance(item, bool):
                return repr(value)
            if single == 'string' and not (
                isinstance(item, str) and (not self.choices or item in self.choices)
            ):
                return repr(value)
            if single in ('int', 'double'):
                kinds = int if single == 'int' else (int, float)
                if isinstance(item, bool) or not isinstance(item, kinds):
                    return repr(value)
                if not math.isfinite(item):
                    return repr(value)
                if (self.lo is not None and not item >= self.lo) or (
                    self.hi is not None and not item <= self.hi
                ):
                    return repr(value)
        return None


class Parameters(SimpleNamespace):
    """The values read, as attributes; a dot in a name nests."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f'parameters are read once, at configure; {name} cannot be set')


class ParameterSchema:
    """All parameters of one node."""

    def __init__(self, entries: list[Parameter]) -> None:
        self.entries = tuple(entries)

    @classmethod
    def from_file(cls, path: str | pathlib.Path) -> ParameterSchema:
        """Read a `parameters.yaml`; ConfigError where it is malformed."""
        entries = []
        for name, raw in load_yaml(path).items():
            fields = ConfigReader(path, raw, name)
            kind = fields.text('type', choices=TYPES)
            bounds = fields.raw('range', None)
            if bounds is not None and not (isinstance(bounds, list) and len(bounds) == 2):
                raise fields.error('range', bounds, '[lowest, highest], null for none')
            entry = Parameter(
                name=name,
                type=kind,
                description=fields.text('description'),
                unit=fields.text('unit', ''),
                lo=bounds[0] if bounds else None,
                hi=bounds[1] if bounds else None,
                choices=tuple(fields.texts('choices', [])),
                default=fields.raw('default', _MISSING),
            )
            fields.close()
            if not entry.required:
                wrong = entry.check(entry.default)
                if wrong is not None:
                    raise fields.error('default', wrong, entry.wanted)
            entries.append(entry)
        return cls(entries)

    @classmethod
    def load(cls, package: str) -> ParameterSchema:
        """Read the schema that `package` installed."""
        from ament_index_python.packages import get_package_share_directory

        return cls.from_file(pathlib.Path(get_package_share_directory(package)) / 'parameters.yaml')

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
        """Return the validated values.

        Raises:
            ConfigError: a required one is missing, or a value has the wrong type or range.
        """
        place = f'parameters of {node.get_fully_qualified_name()}'
        values: dict[str, Any] = {}
        for entry in self.entries:
            value = node.get_parameter(entry.name).value
            if value is None:
                raise ConfigError(place, entry.name, 'nothing', entry.wanted)
            if hasattr(value, 'tolist'):
                value = value.tolist()
            if entry.type == 'double' and isinstance(value, int) and not isinstance(value, bool):
                value = float(value)  # `5` in a YAML file is meant as 5.0
            if entry.type == 'double_array' and isinstance(value, (list, tuple)):
                value = [float(v) if type(v) is int else v for v in value]
            wrong = entry.check(value)
            if wrong is not None:
                raise ConfigError(place, entry.name, wrong, entry.wanted)
            values[entry.name] = value
        return nest(values)

    def defaults(self, **given: Any) -> Parameters:
        """Return parameters without a node: the defaults, and `given` (`a__b` for `a.b`).

        Raises:
            ConfigError: a required one is missing, unknown, or has the wrong type or range.
        """
        given = {name.replace('__', '.'): value for name, value in given.items()}
        known = {entry.name for entry in self.entries}
        for name in given:
            if name not in known:
                raise ConfigError(
                    'parameters', name, 'an unknown parameter', ', '.join(sorted(known))
                )
        values = {}
        for entry in self.entries:
            value = given.get(entry.name, entry.default)
            if value is _MISSING:
                raise ConfigError('parameters', entry.name, 'nothing', entry.wanted)
            wrong = entry.check(value)
            if wrong is not None:
                raise ConfigError('parameters', entry.name, wrong, entry.wanted)
            values[entry.name] = value
        return nest(values)

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


def nest(values: dict[str, Any]) -> Parameters:
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


BEGIN, END = '<!-- parameters: begin -->', '<!-- parameters: end -->'


def write_readme_table(package: pathlib.Path) -> bool:
    """Put the table between the two markers of `package`/README.md; return whether it changed."""
    readme = package / 'README.md'
    text = readme.read_text(encoding='utf-8')
    if BEGIN not in text or END not in text:
        raise ConfigError(readme, '', 'no markers', f'{BEGIN} and {END}')
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    table = ParameterSchema.from_file(package / 'parameters.yaml').table()
    fresh = f'{before}{BEGIN}\n{table}\n{END}{after}'
    if fresh != text:
        readme.write_text(fresh, encoding='utf-8')
    return fresh != text


def main() -> int:
    """Print the table of each package folder given, and write it into its README."""
    for folder in sys.argv[1:]:
        try:
            print(ParameterSchema.from_file(pathlib.Path(folder) / 'parameters.yaml').table())
            write_readme_table(pathlib.Path(folder))
        except ConfigError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
