# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 topic echo`."""

from __future__ import annotations

import argparse

from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
from rclpy.qos import QoSDurabilityPolicy, QoSPresetProfiles, QoSProfile, QoSReliabilityPolicy
from rclpy.task import Future
from ros2cli.arguments import add_node_arguments, nonnegative_int, positive_float
from ros2cli.messages import get_interface, message_to_csv, message_to_yaml, to_yaml
from ros2cli.names import expanded
from ros2cli.node import DirectNode
from ros2cli.qos import add_qos_arguments, overrides_given, profile_from_arguments
from ros2cli.text import suggest

from ros2topic.api import get_msg_class, message_filter

DEFAULT_TRUNCATE_LENGTH = 128


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_node_arguments(parser)
    parser.add_argument('topic_name', help='name of the topic, such as /chatter')
    parser.add_argument('message_type', nargs='?', help='type, such as std_msgs/msg/String')
    add_qos_arguments(parser, 'subscribe', 'sensor_data')
    parser.add_argument('--csv', action='store_true', help='all values separated by commas')
    parser.add_argument('--field', help="only this field; '.' selects sub-fields")
    parser.add_argument(
        '-f', '--full-length', action='store_true', help='do not shorten arrays and strings'
    )
    parser.add_argument(
        '-l',
        '--truncate-length',
        type=nonnegative_int,
        default=DEFAULT_TRUNCATE_LENGTH,
        help=f'length to shorten to (default: {DEFAULT_TRUNCATE_LENGTH})',
    )
    parser.add_argument('--no-arr', action='store_true', help='do not print arrays')
    parser.add_argument('--no-str', action='store_true', help='do not print strings')
    parser.add_argument('--flow-style', action='store_true', help='YAML in flow style')
    parser.add_argument(
        '--no-lost-messages', action='store_true', help='do not report lost messages'
    )
    parser.add_argument('--raw', action='store_true', help='the serialized bytes')
    parser.add_argument(
        '--filter', dest='filter_expr', help='Python expression of the message m to print it'
    )
    parser.add_argument('--once', action='store_true', help='print one message and exit')
    parser.add_argument('--timeout', metavar='N', type=positive_float, help='exit after N seconds')
    parser.add_argument(
        '-i', '--include-message-info', action='store_true', help='show stamps and numbers too'
    )


def main(args: argparse.Namespace) -> None:
    fields = [part for part in args.field.split('.') if part] if args.field is not None else []
    if args.field is not None and not fields:
        raise RuntimeError(f"Invalid field value '{args.field}'")
    wanted = message_filter(args.filter_expr)
    with DirectNode(args) as node:
        name = expanded(node, args.topic_name)
        if args.message_type is None:
            message_type = get_msg_class(node, name)
            if message_type is None:
                raise RuntimeError('Could not determine the type for the passed topic')
        else:
            message_type = get_interface('msg', args.message_type)
            node.discover_until(lambda: node.count_publishers(name) > 0, at_most=1.0)
        done = Future()

        def show(message: object, info: dict[str, int]) -> None:
            if done.done():
                return
            part = message if args.raw else _select(message, fields)
            if wanted is not None and not wanted(part):
                return
            _print(part, info, args)
            if args.once:
                done.set_result(True)

        _subscribe(node, message_type, name, show, _choose_qos(node, name, args), args)
        # rclpy's own timeout: it holds even if messages never stop coming.
        node.wait_for(done, args.timeout)


def _select(message: object, fields: list[str]) -> object:
    part = message
    for field in fields:
        names = list(getattr(part, 'get_fields_and_field_types', dict)())
        if field not in names:
            raise RuntimeError(
                f"Invalid field '{'.'.join(fields)}': '{type(part).__name__}' has no field "
                f"'{field}'{suggest(field, names)}"
                + (f' (fields: {", ".join(names)})' if names else '')
            )
        part = getattr(part, field)
    return part


def _print(part: object, info: dict[str, int], args: argparse.Namespace) -> None:
    if not hasattr(part, 'SLOT_TYPES'):
        if args.include_message_info:
            print(f'---Got new message, message info:---\n{info}\n---Message data:---')
        print(part, end='\n---\n')
        return
    options = {
        'truncate_length': None if args.full_length else args.truncate_length,
        'no_arr': args.no_arr,
        'no_str': args.no_str,
    }
    if args.csv:
        before = ''.join(f'{value},' for value in info.values() if args.include_message_info)
        print(before + message_to_csv(part, **options))
        return
    if args.include_message_info:
        print(to_yaml(dict(sorted(info.items()))), end='---\n')
    print(message_to_yaml(part, flow_style=args.flow_style, **options), end='---\n')


def _choose_qos(node: DirectNode, name: str, args: argparse.Namespace) -> QoSProfile:
    """Return the profile that hears every publisher there is."""
    if overrides_given(args):
        return profile_from_arguments(args)
    profile = QoSPresetProfiles.get_from_short_key(args.qos_profile)
    offered = [info.qos_profile for info in node.get_publishers_info_by_topic(name)]
    if not offered:
        return profile
    reliable = [qos.reliability == QoSReliabilityPolicy.RELIABLE for qos in offered]
    latched = [qos.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL for qos in offered]
    _warn_if_mixed(reliable, 'QoSReliabilityPolicy.RELIABLE', 'QoSReliabilityPolicy.BEST_EFFORT')
    _warn_if_mixed(latched, 'QoSDurabilityPolicy.TRANSIENT_LOCAL', 'QoSDurabilityPolicy.VOLATILE')
    profile.reliability = (
        QoSReliabilityPolicy.RELIABLE if all(reliable) else QoSReliabilityPolicy.BEST_EFFORT
    )
    profile.durability = (
        QoSDurabilityPolicy.TRANSIENT_LOCAL if all(latched) else QoSDurabilityPolicy.VOLATILE
    )
    return profile


def _warn_if_mixed(offers: list[bool], strong: str, weak: str) -> None:
    if any(offers) and not all(offers):
        print(
            f'Some, but not all, publishers are offering {strong}. Falling back to {weak} as it '
            'will connect to all publishers'
        )


def _report_lost(status: object) -> None:
    print(
        f'A message was lost!!!\n\ttotal count change:{status.total_count_change}'
        f'\n\ttotal count: {status.total_count}',
        end='---\n',
    )


def _subscribe(
    node: DirectNode,
    message_type: type,
    name: str,
    callback: object,
    qos: QoSProfile,
    args: argparse.Namespace,
) -> None:
    events = None
    if not args.no_lost_messages:
        events = SubscriptionEventCallbacks(message_lost=_report_lost)
    try:
        node.create_subscription(
            message_type, name, callback, qos, event_callbacks=events, raw=args.raw
        )
    except UnsupportedEventTypeError:
        node.create_subscription(message_type, name, callback, qos, raw=args.raw)
