# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 service call`."""

from __future__ import annotations

import argparse
import time

import rclpy
from rclpy.executors import ExternalShutdownException
from ros2cli.arguments import (
    add_node_arguments,
    add_values_argument,
    given_values,
    positive_float,
)
from ros2cli.messages import FieldError, get_interface, load_yaml, set_message_fields
from ros2cli.names import expanded, types_of, visible
from ros2cli.node import DirectNode
from ros2cli.text import suggest

_NOTE_EVERY_S = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_node_arguments(parser)
    parser.add_argument('service_name', help='name of the service')
    parser.add_argument('service_type', help='type, such as std_srvs/srv/Trigger')
    add_values_argument(parser, 'values', "YAML, such as '{data: true}' (default: {})")
    parser.add_argument(
        '-r', '--rate', metavar='N', type=positive_float, help='repeat the call at N Hz'
    )


def main(args: argparse.Namespace) -> str | None:
    service_type = get_interface('srv', args.service_type)
    request = service_type.Request()
    try:
        set_message_fields(request, load_yaml(given_values(args, 'values')))
    except FieldError as error:
        return f'Failed to populate field: {error}'
    with DirectNode(args) as node:
        name = expanded(node, args.service_name)
        client = node.create_client(service_type, name)
        if not client.service_is_ready():
            print('waiting for service to become available...')
            _wait(node, client, name, args.service_type)
        while True:
            begin = time.monotonic()
            print(f'requester: making request: {request!r}\n')
            future = client.call_async(request)
            node.wait_for(future)
            if future.exception() is not None:
                raise RuntimeError(f'Exception while calling service: {future.exception()!r}')
            print(f'response:\n{future.result()!r}\n')
            if args.rate is None:
                break
            node.sleep(begin + 1.0 / args.rate - time.monotonic())
    return None


def _wait(node: DirectNode, client: object, name: str, wanted: str) -> None:
    """Wait as long as it takes, and say what may be wrong."""
    while not _is_offered(client):
        known = visible(node.get_service_names_and_types())
        kind, _, interface = wanted.rpartition('/')
        full = wanted if kind.endswith('/srv') else f'{kind}/srv/{interface}'
        # This client makes the name appear in the graph too.
        names = [found for found, _ in known if found != name]
        others = [found for found in types_of(known, name) if found != full]
        if others:
            print(f"Note: '{name}' exists with type {', '.join(others)}, not {full}")
        else:
            print(f"Note: nobody offers '{name}' yet{suggest(name, names)}")


def _is_offered(client: object) -> bool:
    """Wait a little for the service; raises if a signal shut the context down meanwhile."""
    found = client.wait_for_service(timeout_sec=_NOTE_EVERY_S)
    if not found and not rclpy.ok():
        raise ExternalShutdownException
    return found
