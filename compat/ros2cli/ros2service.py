# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for `ros2 service`."""

import argparse

import rclpy
from rclpy.executors import ExternalShutdownException
from ros2cli.command import NODE, VerbCommand, arg, flag
from ros2cli.messages import fill_message, get_interface
from ros2cli.node import DirectNode, print_names, print_types, visible

_NOTE_EVERY_S = 3.0


class ServiceCommand(VerbCommand):
    """Various service related sub-commands."""

    NOT_HERE = ('echo', 'find', 'info')


@ServiceCommand.verb(*NODE, flag('-t', '--show-types', help='show the types too'))
def list_(args: argparse.Namespace) -> None:
    """Output a list of available services."""
    with DirectNode(args) as node:
        node.discover()
        print_names(args, visible(node.get_service_names_and_types()))


@ServiceCommand.verb(*NODE, arg('service_name', help='name of the service'))
def type_(args: argparse.Namespace) -> int:
    """Output a service's type."""
    return print_types(args, 'service', args.service_name)


@ServiceCommand.verb(
    *NODE,
    arg('service_name', help='name of the service'),
    arg('service_type', help='type, such as std_srvs/srv/Trigger'),
    arg('values', nargs='?', default='{}', help="YAML, such as '{data: true}'"),
)
def call(args: argparse.Namespace) -> None:
    """Call a service."""
    service_type = get_interface('srv', args.service_type)
    request = service_type.Request()
    fill_message(request, args.values)
    with DirectNode(args) as node:
        name = node.expand(args.service_name)
        client = node.create_client(service_type, name)
        if not client.service_is_ready():
            print('waiting for service to become available...')
            while not client.wait_for_service(timeout_sec=_NOTE_EVERY_S):
                if not rclpy.ok():
                    raise ExternalShutdownException
                print(f"No server offers '{name}' yet")
        print(f'requester: making request: {request!r}\n')
        future = client.call_async(request)
        node.wait_for(future)
        if future.exception() is not None:
            raise RuntimeError(f'Exception while calling service: {future.exception()!r}')
        print(f'response:\n{future.result()!r}\n')
