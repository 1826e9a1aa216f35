# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""ROS parameter files, and the one order of precedence of a launch's parameters.

    default of the schema < config/<node>.yaml < default of a launch file < params_file
    < an argument given to the launch

rcl is not left to merge: it keeps `/node:` and `node:` as two sections, takes the one with the
slash whatever the order of the files, and ignores what no node declares. Here every value has one
place that it comes from, and each node gets one file.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vla_common.errors import ConfigError
from vla_common.parameters import Parameter, Parameters, ParameterSchema
from vla_common.yaml_file import Lines, load_yaml_lines

VALUES = 'ros__parameters'
DEFAULT = 'default'

NODES = {
    'hardware_driver': 'vla_hardware',
    'balance_monitor': 'vla_balance',
    'camera': 'vla_camera',
    'safety_filter': 'vla_safety',
    'inference': 'vla_inference',
    'recorder': 'vla_monitor',
    'dashboard': 'vla_monitor',
    'monitor': 'vla_monitor',
    'supervisor': 'vla_supervisor',
}
"""Nodes (and executables) of the launch, and their packages, which have the schemas."""

# Declared by rclpy and diagnostic_updater in every node.
BUILT_IN = (
    Parameter('use_sim_time', 'bool', ''),
    Parameter('start_type_description_service', 'bool', ''),
    Parameter('diagnostic_updater.period', 'double', '', 's', lo=0.01),
    Parameter('diagnostic_updater.use_fqn', 'bool', ''),
)


@dataclass(frozen=True)
class Setting:
    """A value, and the place that it comes from."""

    value: Any
    place: str


@dataclass(frozen=True)
class Section:
    """The values under one `ros__parameters`. key: of the node, as in the file."""

    file: str
    key: str
    settings: Mapping[str, Setting]

    def matches(self, node: str) -> bool:
        """Whether rcl applies it to `node` in the root namespace: `/node`, `node`, `/**`, `/*`."""
        tokens = {'**': r'(/\w+)*', '*': r'/\w+'}
        pattern = ''.join(tokens.get(t, '/' + re.escape(t)) for t in self.key.strip('/').split('/'))
        return re.fullmatch(pattern, f'/{node}') is not None

    @property
    def is_wildcard(self) -> bool:
        return '*' in self.key

    def error(self, name: str, found: object, wanted: str) -> ConfigError:
        return ConfigError(self.file, f'{self.key}.{name}' if name else self.key, found, wanted)


def read_sections(path: str | os.PathLike[str]) -> list[Section]:
    """The sections of a ROS parameter file, in order.

    Raises ConfigError: the file is missing or malformed, or sets a parameter twice.
    """
    path = os.fspath(path)
    content, lines = load_yaml_lines(path)
    return list(_sections(path, content, (), lines))


def _sections(path: str, tree: Mapping, keys: tuple[str, ...], lines: Lines) -> Iterator[Section]:
    for key, inner in tree.items():
        at = (*keys, str(key))
        node = '/'.join(at)
        if not isinstance(inner, Mapping) or not inner:
            raise ConfigError(path, node, inner, f'{VALUES}: and the values under it')
        if VALUES not in inner:
            direct = [name for name, value in inner.items() if not isinstance(value, Mapping)]
            if direct:
                found = f'{direct[0]} directly under it'
                raise ConfigError(path, node, found, f'{VALUES}: and the values under it')
            yield from _sections(path, inner, at, lines)
            continue
        if len(inner) > 1:
            extra = next(name for name in inner if name != VALUES)
            raise ConfigError(path, f'{node}.{extra}', f'a key beside {VALUES}', f'{VALUES}: only')
        values = inner[VALUES]
        if not isinstance(values, Mapping):
            raise ConfigError(path, f'{node}.{VALUES}', values, 'a mapping of keys to values')
        settings: dict[str, Setting] = {}
        for name, value, line in _leaves(values, (*at, VALUES), lines):
            if name in settings:
                found = f'it at {settings[name].place} and again in line {line}'
                raise ConfigError(path, f'{node}.{name}', found, 'each parameter once')
            settings[name] = Setting(value, f'{path}:{line}')
        yield Section(path, node, settings)


def _leaves(
    tree: Mapping, keys: tuple[str, ...], lines: Lines, prefix: str = '', line: int = 0
) -> Iterator[tuple[str, Any, int]]:
    """(dotted name, value, line) of each value; `a: {b: 1}` is `a.b`, as ROS reads it."""
    for key, value in tree.items():
        at = lines.get((*keys, str(key)), line)
        if isinstance(value, Mapping):
            yield from _leaves(value, (*keys, str(key)), lines, f'{prefix}{key}.', at)
        else:
            yield f'{prefix}{key}', value, at


def values_of(sections: Iterable[Section], node: str) -> dict[str, Setting]:
    """The settings of `node`: an exact name wins over a wildcard, of two wildcards the later.

    Raises ConfigError: two exact names (`/node:` and `node:`) set the same parameter.
    """
    found: dict[str, Setting] = {}
    exact: dict[str, Setting] = {}
    for section in sections:
        if not section.matches(node):
            continue
        if section.is_wildcard:
            found |= section.settings
            continue
        for name, setting in section.settings.items():
            if name in exact:
                places = f'it at {exact[name].place} and at {setting.place}'
                raise section.error(name, places, 'each parameter once')
            exact[name] = setting
    return found | exact


def check_sections(sections: Iterable[Section], schemas: Mapping[str, ParameterSchema]) -> None:
    """Raise ConfigError for what no node of `schemas` takes, or takes with another value."""
    for section in sections:
        nodes = [node for node in schemas if section.matches(node)]
        if not nodes:
            found = 'a node that this launch does not start'
            raise section.error('', found, _nearest_node(section.key, list(schemas)))
        for name, setting in section.settings.items():
            entries = [entry for node in nodes if (entry := _entry(schemas[node], name))]
            if not entries:
                raise section.error(name, 'an unknown parameter', _nearest(name, nodes, schemas))
            for entry in entries:
                value = entry.converted(setting.value)
                if (wrong := entry.check(value)) is not None:
                    raise section.error(name, wrong, entry.wanted)
                if value == []:
                    # rcl reads an empty list as no value: the default would be in force.
                    raise section.error(name, '[]', f'{entry.wanted}; rcl has no empty lists')


def _entry(schema: ParameterSchema, name: str) -> Parameter | None:
    return next((entry for entry in (*schema.entries, *BUILT_IN) if entry.name == name), None)


def _nearest_node(key: str, nodes: list[str]) -> str:
    name = key.rpartition('/')[2]
    near = difflib.get_close_matches(name, nodes, n=1, cutoff=0.5)
    return f'/{near[0]} (in no namespace)' if near else ', '.join(nodes)


def _nearest(name: str, nodes: list[str], schemas: Mapping[str, ParameterSchema]) -> str:
    """The parameter that was probably meant, in words."""
    elsewhere = [node for node in schemas if node not in nodes and _entry(schemas[node], name)]
    if elsewhere:
        return f'it under {" or ".join(elsewhere)}'
    known = sorted({entry.name for node in nodes for entry in schemas[node].entries})
    near = difflib.get_close_matches(name, known, n=1)
    if not near:  # the right name in the wrong section
        near = [known_name for known_name in known if known_name.split('.')[-1] == name]
    return near[0] if near else ', '.join(known)


def effective(
    schemas: Mapping[str, ParameterSchema],
    config: str | os.PathLike[str],
    params_file: str | os.PathLike[str] | None = None,
    given: Mapping[str, Mapping[str, Setting]] | None = None,
    shipped_as: Mapping[str, str] | None = None,
    of_launch: Mapping[str, Mapping[str, Setting]] | None = None,
) -> dict[str, dict[str, Setting]]:
    """Each parameter of each node, with its place, in the order of precedence.

    config: folder of one <node>.yaml each. given: arguments of the launch, by node and parameter.
    shipped_as: nodes that take the values that config has for another one. of_launch: what a launch
    file has instead of the values in config, as `given`.

    Raises ConfigError: see `read_sections`, `values_of` and `check_sections`.
    """
    users: list[Section] = []
    if params_file is not None:
        users = read_sections(params_file)
        check_sections(users, schemas)
    result: dict[str, dict[str, Setting]] = {}
    for node, schema in schemas.items():
        known = (shipped_as or {}).get(node, node)
        shipped = read_sections(Path(config) / f'{known}.yaml')
        check_sections(shipped, {known: schema})
        files = values_of(shipped, known)
        for later in ((of_launch or {}).get(node, {}), values_of(users, node)):
            files |= later
        files |= (given or {}).get(node, {})
        result[node] = {}
        for entry in (*schema.entries, *BUILT_IN):
            if entry.name in files:
                setting = files[entry.name]
                result[node][entry.name] = replace(setting, value=entry.converted(setting.value))
            elif not entry.required:
                result[node][entry.name] = Setting(entry.default, DEFAULT)
    return result


def load_node_parameters(
    package: str, node: str, path: str | os.PathLike[str] | None = None
) -> Parameters:
    """The parameters of a node from a ROS parameter file, for use without the node.

    package: whose schema it is. path: None for config/<node>.yaml of the workspace, as installed.

    Raises ConfigError: the file is missing or malformed, or a value is missing or out of range.
    """
    if path is None:
        from ament_index_python.packages import get_package_share_directory

        share = get_package_share_directory('vla_bringup')
        path = os.path.join(share, 'config', f'{node}.yaml')
    sections = [section for section in read_sections(path) if section.matches(node)]
    if not sections:
        raise ConfigError(path, node, 'nothing', f'{VALUES}: and the values under it')
    settings = values_of(sections, node)
    values = {name: setting.value for name, setting in settings.items()}
    return ParameterSchema.load(package, node).check(values, os.fspath(path))


def plain_values(parameters: Mapping[str, Mapping[str, Setting]]) -> dict[str, dict[str, Any]]:
    """The values of each node's parameters, without their places."""
    return {node: {k: s.value for k, s in found.items()} for node, found in parameters.items()}


def write_node_file(path: Path, node: str, settings: Mapping[str, Setting]) -> None:
    """Write the settings of one node for rcl, each with its place; defaults are left to the node.

    Every text is quoted: rcl would read `017322071690`, a camera's serial number, as a number.
    """
    lines = [f'/{node}:', f'  {VALUES}:']
    for name, setting in settings.items():
        if setting.place != DEFAULT:
            value = json.dumps(setting.value, ensure_ascii=False)
            lines.append(f'    {json.dumps(name)}: {value}  # {setting.place}')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)  # the URL of a policy server may hold a password
    path.write_text('\n'.join([*lines, '']), encoding='utf-8')
