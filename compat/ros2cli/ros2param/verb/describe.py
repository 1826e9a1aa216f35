# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 param describe`."""

from __future__ import annotations

import argparse

from rcl_interfaces.msg import ParameterType
from ros2cli.node import DirectNode

from ros2param.api import TYPE_NAMES, add_target_arguments, describe, find


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_target_arguments(parser)
    parser.add_argument('parameter_names', nargs='+', help='names of the parameters')


def main(args: argparse.Namespace) -> str | None:
    with DirectNode(args) as node:
        problem = find(node, args)
        if problem is not None:
            return problem
        descriptors = describe(node, args.node_name, args.parameter_names)
    if len(descriptors) != len(args.parameter_names):
        return (
            f'Requested {len(args.parameter_names)} parameters, but received '
            f'{len(descriptors)} descriptions: not all of {", ".join(args.parameter_names)} '
            'are declared'
        )
    for item in descriptors:
        # A parameter of dynamic type is described as not set.
        type_name = 'dynamic' if item.dynamic_typing else TYPE_NAMES[item.type]
        print(f'Parameter name: {item.name}')
        print(f'  Type: {type_name if item.type != ParameterType.PARAMETER_NOT_SET else "not set"}')
        if item.description:
            print(f'  Description: {item.description}')
        constraints = _constraints(item)
        if constraints:
            print('  Constraints:')
            print(*(f'    {line}' for line in constraints), sep='\n')
    return None


def _constraints(item: object) -> list[str]:
    lines = ['Read only: true'] if item.read_only else []
    for bounds in (*item.integer_range, *item.floating_point_range):
        lines.append(f'Min value: {bounds.from_value}')
        lines.append(f'Max value: {bounds.to_value}')
        if bounds.step:
            lines.append(f'Step: {bounds.step}')
    if item.additional_constraints:
        lines.append(f'Additional constraints: {item.additional_constraints}')
    return lines
