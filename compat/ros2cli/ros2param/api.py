# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Parameter services of a node."""

from __future__ import annotations

import argparse

from rcl_interfaces.msg import ParameterDescriptor, ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters
from rclpy.parameter import parameter_value_to_python
from ros2cli.arguments import add_hidden_argument, add_node_arguments
from ros2cli.node import DirectNode
from ros2node.api import absolute_name, find_node

TIMEOUT_S = 5.0

TYPE_NAMES = {
    ParameterType.PARAMETER_NOT_SET: 'not set',
    ParameterType.PARAMETER_BOOL: 'boolean',
    ParameterType.PARAMETER_INTEGER: 'integer',
    ParameterType.PARAMETER_DOUBLE: 'double',
    ParameterType.PARAMETER_STRING: 'string',
    ParameterType.PARAMETER_BYTE_ARRAY: 'byte array',
    ParameterType.PARAMETER_BOOL_ARRAY: 'boolean array',
    ParameterType.PARAMETER_INTEGER_ARRAY: 'integer array',
    ParameterType.PARAMETER_DOUBLE_ARRAY: 'double array',
    ParameterType.PARAMETER_STRING_ARRAY: 'string array',
}


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """The node, and how long to wait for it."""
    add_node_arguments(parser)
    parser.add_argument('node_name', help='name of the node')
    add_hidden_argument(parser, 'nodes')
    parser.add_argument(
        '--timeout',
        metavar='N',
        type=float,
        default=None,
        help='seconds to wait for the node (default: 3)',
    )


def find(node: DirectNode, args: argparse.Namespace) -> str | None:
    """Wait for the node; returns None if it is there, else the error for the user."""
    hidden = getattr(args, 'include_hidden_nodes', False)
    return find_node(node, args.node_name, hidden, args.timeout)


def list_names(node: DirectNode, name: str, prefixes: list[str] | None = None) -> list[str]:
    """Return the names of a node's parameters, sorted."""
    request = ListParameters.Request(prefixes=prefixes or [])
    service = f'{absolute_name(name)}/list_parameters'
    return sorted(node.call(ListParameters, service, request, TIMEOUT_S).result.names)


def get_values(node: DirectNode, name: str, parameters: list[str]) -> list[ParameterValue]:
    """Return the values; empty if one of them is not declared."""
    request = GetParameters.Request(names=parameters)
    service = f'{absolute_name(name)}/get_parameters'
    return list(node.call(GetParameters, service, request, TIMEOUT_S).values)


def describe(node: DirectNode, name: str, parameters: list[str]) -> list[ParameterDescriptor]:
    """Return the descriptors; empty if one of them is not declared."""
    request = DescribeParameters.Request(names=parameters)
    service = f'{absolute_name(name)}/describe_parameters'
    return list(node.call(DescribeParameters, service, request, TIMEOUT_S).descriptors)


def to_python(value: ParameterValue) -> object:
    """Return a parameter's value as plain Python."""
    found = parameter_value_to_python(value)
    return found.tolist() if hasattr(found, 'tolist') else found
