# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 param set`."""

from __future__ import annotations

import argparse
import sys

from rcl_interfaces.msg import Parameter
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import get_parameter_value
from ros2cli.node import DirectNode
from ros2node.api import absolute_name

from ros2param.api import TIMEOUT_S, add_target_arguments, find


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_target_arguments(parser)
    parser.add_argument('parameter_name', help='name of the parameter')
    parser.add_argument('value', help='value, as YAML')


def main(args: argparse.Namespace) -> str | None:
    parameter = Parameter(name=args.parameter_name, value=get_parameter_value(args.value))
    with DirectNode(args) as node:
        problem = find(node, args)
        if problem is not None:
            return problem
        response = node.call(
            SetParameters,
            f'{absolute_name(args.node_name)}/set_parameters',
            SetParameters.Request(parameters=[parameter]),
            TIMEOUT_S,
        )
    (result,) = response.results
    reason = f': {result.reason}' if result.reason else ''
    # Exit status 0 in both cases, as the real verb has it.
    if result.successful:
        print(f'Set parameter successful{reason}')
    else:
        print(f'Setting parameter failed{reason}', file=sys.stderr)
    return None
