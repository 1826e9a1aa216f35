# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for `ros2 topic`."""

import argparse
import math
import time
from collections import deque
from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.qos import qos_profile_sensor_data
from rclpy.task import Future
from rclpy.time import Time
from ros2cli.command import NODE, VerbCommand, arg, flag, positive, suggest
from ros2cli.messages import fill_message, get_interface, message_filter, plain, to_csv, to_yaml
from ros2cli.node import DirectNode, print_names, print_types, visible
from ros2cli.qos import choose_qos, qos_arguments, qos_from

_STEADY = ClockType.STEADY_TIME
_TOPIC = arg('topic_name', help='name of the topic, such as /chatter')


class TopicCommand(VerbCommand):
    """Various topic related sub-commands."""

    NOT_HERE = ('find',)


# What topics there are.


@TopicCommand.verb(
    *NODE,
    flag('-t', '--show-types', help='show the types too'),
    flag('-c', '--count-topics', dest='count', help='show only the number'),
    flag('-v', '--verbose', help='list full details'),
)
def list_(args: argparse.Namespace) -> None:
    """Output a list of available topics."""
    with DirectNode(args) as node:
        node.discover()
        found = visible(node.get_topic_names_and_types())
        if args.count:
            print(len(found))
            return
        if not args.verbose:
            print_names(args, found)
            return
        for title, noun, count_of in (
            ('Published', 'publisher', node.count_publishers),
            ('Subscribed', 'subscriber', node.count_subscribers),
        ):
            print(f'{title} topics:')
            for name, types in found:
                count = count_of(name)
                if count:
                    plural = 's' if count > 1 else ''
                    print(f' * {name} [{", ".join(types)}] {count} {noun}{plural}')
            print()


@TopicCommand.verb(*NODE, _TOPIC)
def type_(args: argparse.Namespace) -> int:
    """Print a topic's type."""
    return print_types(args, 'topic', args.topic_name)


@TopicCommand.verb(
    *NODE, _TOPIC, flag('-v', '--verbose', help='show nodes and QoS of every endpoint')
)
def info(args: argparse.Namespace) -> str | None:
    """Print information about a topic."""
    with DirectNode(args) as node:
        name = node.expand(args.topic_name)
        if not node.discover_until(lambda: node.topic_types(name)):
            return f"Unknown topic '{name}'{node.suggest_topic(name)}"
        types = node.topic_types(name)
        end = '\n\n' if args.verbose else '\n'
        print(f'Type: {types[0] if len(types) == 1 else types}', end=end)
        for noun, count, infos in (
            ('Publisher', node.count_publishers, node.get_publishers_info_by_topic),
            ('Subscription', node.count_subscribers, node.get_subscriptions_info_by_topic),
        ):
            print(f'{noun} count: {count(name)}', end=end)
            for endpoint in infos(name) if args.verbose else ():
                print(endpoint, end=end)
    return None


@TopicCommand.verb(
    *NODE,
    _TOPIC,
    arg('message_type', nargs='?', help='type, such as std_msgs/msg/String'),
    *qos_arguments('subscribe', 'sensor_data'),
    arg('--field', help="only this field; '.' selects sub-fields"),
    flag('--csv', help='all values separated by commas'),
    flag('-f', '--full-length', help='do not shorten arrays and strings'),
    arg('-l', '--truncate-length', type=positive(int), default=128, help='default: 128'),
    flag('--no-arr', help='do not print arrays'),
    flag('--no-str', help='do not print strings'),
    flag('--flow-style', help='YAML in flow style'),
    arg('--filter', help='Python expression of the message m to print it'),
    flag('--once', help='print one message and exit'),
    arg('--timeout', metavar='N', type=positive(float), help='exit after N seconds'),
)
def echo(args: argparse.Namespace) -> None:
    """Output messages from a topic."""
    fields = [part for part in (args.field or '').split('.') if part]
    if args.field is not None and not fields:
        raise RuntimeError(f"Invalid field value '{args.field}'")
    wanted = message_filter(args.filter)
    with DirectNode(args) as node:
        name = node.expand(args.topic_name)
        if args.message_type is None:
            message_type = node.message_type(name)
            if message_type is None:
                raise RuntimeError('Could not determine the type for the passed topic')
        else:
            message_type = get_interface('msg', args.message_type)
            node.discover_until(lambda: node.count_publishers(name) > 0, at_most=1.0)
        done = Future()

        def show(message: object) -> None:
            part = _select(message, fields)
            if not done.done() and wanted(part):
                _print(part, args)
                if args.once:
                    done.set_result(True)

        node.create_subscription(message_type, name, show, choose_qos(node, name, args))
        # rclpy's own timeout: it holds even if messages never stop coming.
        node.wait_for(done, args.timeout)


def _select(message: object, fields: list[str]) -> object:
    part = message
    for field in fields:
        names = list(getattr(part, 'get_fields_and_field_types', dict)())
        if field not in names:
            raise RuntimeError(
                f"Invalid field '{'.'.join(fields)}': '{type(part).__name__}' has no field "
                f"'{field}'{suggest(field, names)} (fields: {', '.join(names) or 'none'})"
            )
        part = getattr(part, field)
    return part


def _print(part: object, args: argparse.Namespace) -> None:
    if not hasattr(part, 'SLOT_TYPES'):
        print(part, end='\n---\n')
        return
    length = None if args.full_length else args.truncate_length
    values = plain(part, length, args.no_arr, args.no_str)
    if args.csv:
        print(to_csv(values))
    else:
        print(to_yaml(values, flow_style=args.flow_style), end='---\n')


# How it is published.


def _window(default: int) -> Callable:
    return arg(
        *('-w', '--window'),
        type=positive(int),
        default=default,
        help=f'messages to average over (default: {default})',
    )


def _watch(
    args: argparse.Namespace,
    receive: Callable[[DirectNode, object], None],
    report: Callable[[], str | None],
    *,
    raw: bool = False,
    needs: str = '',
) -> None:
    """Receive the messages of a topic, and print a report every second, until a signal."""
    with DirectNode(args) as node:
        name = node.expand(args.topic_name)
        message_type = node.message_type(name, blocking=True)
        if message_type is None:
            return
        if needs and needs not in message_type.get_fields_and_field_types():
            raise RuntimeError(f'msg does not have {needs}')
        node.create_subscription(
            message_type, name, lambda m: receive(node, m), qos_profile_sensor_data, raw=raw
        )

        def print_report() -> None:
            text = report()
            if text is not None:
                print(text)

        node.create_timer(1.0, print_report, clock=Clock(clock_type=_STEADY))
        node.spin()


def _spread(numbers: deque[float]) -> str:
    mean = sum(numbers) / len(numbers)
    deviation = math.sqrt(sum((number - mean) ** 2 for number in numbers) / len(numbers))
    return (
        f'\n\tmin: {min(numbers):.3f}s max: {max(numbers):.3f}s std dev: {deviation:.5f}s '
        f'window: {len(numbers)}'
    )


@TopicCommand.verb(
    _TOPIC,
    _window(10000),
    arg('--filter', metavar='EXPR', help='count only messages m that match'),
    *NODE,
)
def hz(args: argparse.Namespace) -> None:
    """Print the average publishing rate to screen."""
    wanted = message_filter(args.filter)
    intervals: deque[float] = deque(maxlen=args.window)
    last, fresh = 0.0, False

    def receive(node: DirectNode, message: object) -> None:
        nonlocal last, fresh
        now = node.get_clock().now().nanoseconds * 1e-9
        if not wanted(message):
            return
        if now < last:
            intervals.clear()  # the clock went back
        elif last:
            intervals.append(now - last)
            fresh = True
        last = now

    def report() -> str | None:
        nonlocal fresh
        if not fresh:
            return None
        fresh = False
        total = sum(intervals)
        return f'average rate: {len(intervals) / total if total else 0.0:.3f}{_spread(intervals)}'

    # Raw unless the filter needs it: deserializing an image takes longer than counting it.
    _watch(args, receive, report, raw=args.filter is None)


@TopicCommand.verb(_TOPIC, _window(10000), *NODE)
def delay(args: argparse.Namespace) -> None:
    """Display delay of topic from timestamp in header."""
    delays: deque[float] = deque(maxlen=args.window)
    fresh = False

    def receive(node: DirectNode, message: object) -> None:
        nonlocal fresh
        stamp = Time.from_msg(message.header.stamp)
        delays.append((node.get_clock().now() - stamp).nanoseconds * 1e-9)
        fresh = True

    def report() -> str | None:
        nonlocal fresh
        if not fresh:
            return 'no new messages' if delays else None
        fresh = False
        return f'average delay: {sum(delays) / len(delays):.3f}{_spread(delays)}'

    _watch(args, receive, report, needs='header')


@TopicCommand.verb(_TOPIC, _window(100), *NODE)
def bw(args: argparse.Namespace) -> None:
    """Display bandwidth used by topic."""
    received: deque[tuple[float, int]] = deque(maxlen=args.window)

    def report() -> str | None:
        if len(received) < 2:
            return None
        sizes = [size for _, size in received]
        rate = sum(sizes) / (time.monotonic() - received[0][0])
        # The rate chooses the unit of all.
        scale, unit, digits = (1e6, 'MB', 2) if rate >= 1e6 else (1e3, 'KB', 2)
        if rate < 1e3:
            scale, unit, digits = 1.0, 'B', 0
        rate, mean, least, most = (
            f'{value / scale:.{digits}f} {unit}'
            for value in (rate, sum(sizes) / len(sizes), min(sizes), max(sizes))
        )
        return (
            f'{rate}/s from {len(sizes)} messages\n'
            f'\tMessage size mean: {mean} min: {least} max: {most}'
        )

    _watch(args, lambda _, data: received.append((time.monotonic(), len(data))), report, raw=True)


# Publishing.


@TopicCommand.verb(
    _TOPIC,
    arg('message_type', help='type, such as std_msgs/msg/String'),
    arg('values', nargs='?', default='{}', help="YAML, such as '{data: hello}'"),
    arg('-r', '--rate', metavar='N', type=positive(float), default=1.0, help='Hz (default: 1)'),
    flag('-1', '--once', help='publish one message and exit'),
    arg('-t', '--times', type=positive(int), default=0, help='publish this many times and exit'),
    arg(
        *('-w', '--wait-matching-subscriptions'),
        type=int,
        help='wait for this many subscriptions (default: 1 with --once and --times, else 0)',
    ),
    arg('--max-wait-time-secs', type=positive(float), help='give up waiting after this time'),
    *qos_arguments('publish', 'default'),
    *NODE,
)
def pub(args: argparse.Namespace) -> str | None:
    """Publish a message to a topic."""
    times = 1 if args.once else args.times
    wait_for = args.wait_matching_subscriptions
    if wait_for is None:
        wait_for = int(times != 0)
    message = get_interface('msg', args.message_type)()
    stamps = fill_message(message, args.values, expand_now=True)
    with DirectNode(args) as node:
        publisher = node.create_publisher(
            type(message), node.expand(args.topic_name), qos_from(args)[0]
        )
        problem = _wait(publisher, wait_for, args.max_wait_time_secs)
        if problem is not None:
            return problem
        print('publisher: beginning loop')
        count = 0

        def publish() -> None:
            nonlocal count
            for set_stamp in stamps:
                set_stamp(node.get_clock().now().to_msg())
            count += 1
            print(f'publishing #{count}: {message!r}\n')
            publisher.publish(message)

        publish()
        if times != 1:
            timer = node.create_timer(1.0 / args.rate, publish, clock=Clock(clock_type=_STEADY))
            while times == 0 or count < times:
                node.spin_once()
            node.destroy_timer(timer)
        # What is not delivered yet is lost with the process: reliable readers acknowledge, best
        # effort needs a moment.
        publisher.wait_for_all_acked(Duration(seconds=2.0))
        node.sleep(0.1)
    return None


def _wait(publisher: object, count: int, at_most: float | None) -> str | None:
    begin = next_note = time.monotonic()
    while (matched := publisher.get_subscription_count()) < count:
        now = time.monotonic()
        if now >= next_note:
            next_note = now + 1.0
            print(f'Waiting for at least {count} matching subscription(s)...')
        if at_most is not None and now - begin >= at_most:
            return (
                f'Timed out waiting for subscribers: Expected {count} subscribers but only got '
                f'{matched} subscribers'
            )
        time.sleep(0.1)
    return None
