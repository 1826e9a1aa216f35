# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for `ros2 param`."""

import argparse
import sys

from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters
from rclpy.parameter import get_parameter_value, parameter_value_to_python
from ros2cli.command import NODE, VerbCommand, arg, flag, suggest
from ros2cli.messages import to_yaml
from ros2cli.node import DirectNode

_TIMEOUT_S = 5.0
_TARGET = (*NODE, arg('node_name', help='name of the node'))
_NOT_SET = ParameterType.PARAMETER_NOT_SET
#: By the numbers of rcl_interfaces/msg/ParameterType.
_TYPE_NAMES = (
    *('not set', 'boolean', 'integer', 'double', 'string', 'byte array'),
    *('boolean array', 'integer array', 'double array', 'string array'),
)


class ParamCommand(VerbCommand):
    """Various param related sub-commands."""

    NOT_HERE = ('delete', 'load')


def _list_names(node: DirectNode, name: str) -> list[str]:
    """Return the names of a node's parameters, sorted."""
    return sorted(node.call(ListParameters, f'{name}/list_parameters', _TIMEOUT_S).result.names)


def _get_values(node: DirectNode, name: str, parameters: list[str]) -> list[ParameterValue]:
    """Return the values; empty if one of them is not declared."""
    service = f'{name}/get_parameters'
    return list(node.call(GetParameters, service, _TIMEOUT_S, names=parameters).values)


def _to_python(value: ParameterValue) -> object:
    found = parameter_value_to_python(value)
    return found.tolist() if hasattr(found, 'tolist') else found


@ParamCommand.verb(*NODE, arg('node_name', nargs='?', help='name of the node (default: all)'))
def list_(args: argparse.Namespace) -> None:
    """Output a list of available parameters."""
    with DirectNode(args) as node:
        if args.node_name:
            nodes = [node.require_node(args.node_name)]
        else:
            node.discover()
            nodes = sorted(set(node.node_names()))
        for name in nodes:
            try:
                names = _list_names(node, name)
            except RuntimeError as error:
                print(f"Exception while calling service of node '{name}': {error}", file=sys.stderr)
                continue
            if not args.node_name and names:
                print(f'{name}:')
            for parameter in names:
                print(f'  {parameter}')


@ParamCommand.verb(
    *_TARGET,
    arg('parameter_name', help='name of the parameter'),
    flag('--hide-type', help='print only the value'),
)
def get(args: argparse.Namespace) -> str | None:
    """Get parameter."""
    with DirectNode(args) as node:
        name = node.require_node(args.node_name)
        values = _get_values(node, name, [args.parameter_name])
        known = _list_names(node, name)
    if not values:
        return f"Parameter not set: '{args.parameter_name}'{suggest(args.parameter_name, known)}"
    (value,) = values
    kind = _TYPE_NAMES[value.type]
    if args.hide_type:
        print(_to_python(value))
    elif value.type == _NOT_SET:
        print('Parameter not set.')
    else:
        noun = 'values are' if kind.endswith(' array') else 'value is'
        print(f'{kind.split()[0].capitalize()} {noun}:', _to_python(value))
    return None


@ParamCommand.verb(
    *_TARGET,
    arg('parameter_name', help='name of the parameter'),
    arg('value', help='value, as YAML'),
)
def set_(args: argparse.Namespace) -> None:
    """Set parameter."""
    parameter = Parameter(name=args.parameter_name, value=get_parameter_value(args.value))
    with DirectNode(args) as node:
        service = f'{node.require_node(args.node_name)}/set_parameters'
        response = node.call(SetParameters, service, _TIMEOUT_S, parameters=[parameter])
    (result,) = response.results
    reason = f': {result.reason}' if result.reason else ''
    # Exit status 0 in both cases, as the real verb has it.
    if result.successful:
        print(f'Set parameter successful{reason}')
    else:
        print(f'Setting parameter failed{reason}', file=sys.stderr)


@ParamCommand.verb(*_TARGET, arg('parameter_names', nargs='+', help='names of the parameters'))
def describe(args: argparse.Namespace) -> str | None:
    """Show descriptive information about declared parameters."""
    with DirectNode(args) as node:
        name = node.require_node(args.node_name)
        service = f'{name}/describe_parameters'
        # Empty if one of them is not declared.
        descriptors = node.call(
            DescribeParameters, service, _TIMEOUT_S, names=args.parameter_names
        ).descriptors
    if len(descriptors) != len(args.parameter_names):
        return f'Not all of these parameters are declared: {", ".join(args.parameter_names)}'
    for item in descriptors:
        # A parameter of dynamic type is described as not set.
        dynamic = item.dynamic_typing and item.type != _NOT_SET
        print(f'Parameter name: {item.name}')
        print(f'  Type: {"dynamic" if dynamic else _TYPE_NAMES[item.type]}')
        if item.description:
            print(f'  Description: {item.description}')
        constraints = _constraints(item)
        if constraints:
            print('  Constraints:', *constraints, sep='\n    ')
    return None


def _constraints(item: object) -> list[str]:
    lines = ['Read only: true'] if item.read_only else []
    for bounds in (*item.integer_range, *item.floating_point_range):
        lines += [f'Min value: {bounds.from_value}', f'Max value: {bounds.to_value}']
        lines += [f'Step: {bounds.step}'] if bounds.step else []
    if item.additional_constraints:
        lines.append(f'Additional constraints: {item.additional_constraints}')
    return lines


@ParamCommand.verb(*_TARGET)
def dump(args: argparse.Namespace) -> None:
    """Show all of the parameters of a node in a YAML file format."""
    with DirectNode(args) as node:
        name = node.require_node(args.node_name)
        names = _list_names(node, name)
        values = _get_values(node, name, names)
    tree: dict[str, object] = {}
    for parameter, value in zip(names, values, strict=True):
        _insert(tree, parameter, _to_python(value))
    print(to_yaml({name: {'ros__parameters': tree}}))


def _insert(tree: dict[str, object], name: str, value: object) -> None:
    """Put `a.b.c` where a parameter file has it."""
    head, dot, rest = name.partition('.')
    if dot and isinstance(tree.setdefault(head, {}), dict):
        _insert(tree[head], rest, value)
    else:
        tree[name] = value
