# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 param get`."""

from __future__ import annotations

import argparse

from rcl_interfaces.msg import ParameterType
from ros2cli.node import DirectNode
from ros2cli.text import suggest

from ros2param.api import add_target_arguments, find, get_values, list_names, to_python

_LABELS = {
    ParameterType.PARAMETER_BOOL: 'Boolean value is:',
    ParameterType.PARAMETER_INTEGER: 'Integer value is:',
    ParameterType.PARAMETER_DOUBLE: 'Double value is:',
    ParameterType.PARAMETER_STRING: 'String value is:',
    ParameterType.PARAMETER_BYTE_ARRAY: 'Byte values are:',
    ParameterType.PARAMETER_BOOL_ARRAY: 'Boolean values are:',
    ParameterType.PARAMETER_INTEGER_ARRAY: 'Integer values are:',
    ParameterType.PARAMETER_DOUBLE_ARRAY: 'Double values are:',
    ParameterType.PARAMETER_STRING_ARRAY: 'String values are:',
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_target_arguments(parser)
    parser.add_argument('parameter_name', help='name of the parameter')
    parser.add_argument('--hide-type', action='store_true', help='print only the value')


def main(args: argparse.Namespace) -> str | None:
    with DirectNode(args) as node:
        problem = find(node, args)
        if problem is not None:
            return problem
        values = get_values(node, args.node_name, [args.parameter_name])
        known = list_names(node, args.node_name)
    if not values:
        return f"Parameter not set: '{args.parameter_name}'{suggest(args.parameter_name, known)}"
    (value,) = values
    label = _LABELS.get(value.type, 'Parameter not set.')
    if args.hide_type:
        print(to_python(value))
    elif value.type == ParameterType.PARAMETER_NOT_SET:
        print(label)
    else:
        print(label, to_python(value))
    return None
