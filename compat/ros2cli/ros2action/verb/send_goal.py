# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 action send_goal`."""

from __future__ import annotations

import argparse
import signal

import rclpy
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from ros2cli.arguments import add_node_arguments, add_values_argument, given_values
from ros2cli.messages import (
    FieldError,
    get_interface,
    load_yaml,
    message_to_yaml,
    set_message_fields,
)
from ros2cli.names import expanded, types_of
from ros2cli.node import NODE_NAME_PREFIX, DirectNode
from ros2cli.text import suggest

_NOTE_EVERY_S = 3.0
_CANCEL_WITHIN_S = 5.0

_STATUS_NAMES = {
    GoalStatus.STATUS_ACCEPTED: 'ACCEPTED',
    GoalStatus.STATUS_EXECUTING: 'EXECUTING',
    GoalStatus.STATUS_CANCELING: 'CANCELING',
    GoalStatus.STATUS_SUCCEEDED: 'SUCCEEDED',
    GoalStatus.STATUS_CANCELED: 'CANCELED',
    GoalStatus.STATUS_ABORTED: 'ABORTED',
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('action_name', help='name of the action')
    parser.add_argument('action_type', help='type, such as example_interfaces/action/Fibonacci')
    add_values_argument(parser, 'goal', "YAML, such as '{order: 10}' (default: {})")
    parser.add_argument('-f', '--feedback', action='store_true', help='print the feedback')
    add_node_arguments(parser)


class _Terminated(BaseException):
    """SIGTERM arrived."""


def _on_sigterm(*_: object) -> None:
    raise _Terminated


def main(args: argparse.Namespace) -> str | int | None:
    action_type = get_interface('action', args.action_type)
    goal = action_type.Goal()
    try:
        set_message_fields(goal, load_yaml(given_values(args, 'goal')))
    except FieldError as error:
        return f'Failed to populate message fields: {error}'
    # Signals are handled here: rclpy's handlers shut the context down, and then the goal of a
    # user who pressed Ctrl-C could no longer be cancelled.
    signal.signal(signal.SIGTERM, _on_sigterm)
    name = f'{NODE_NAME_PREFIX}_send_goal_{args.action_type.replace("/", "_")}'
    with DirectNode(args, node_name=name, own_signals=True) as node:
        client = ActionClient(node.node, action_type, expanded(node, args.action_name))
        try:
            return _send(node, client, goal, args)
        except _Terminated:
            return int(signal.SIGTERM)
        finally:
            client.destroy()


def _send(node: DirectNode, client: ActionClient, goal: object, args: argparse.Namespace) -> None:
    print('Waiting for an action server to become available...')
    while not client.wait_for_server(timeout_sec=_NOTE_EVERY_S):
        _explain_absence(node, expanded(node, args.action_name), args.action_type)
    print(f'Sending goal:\n     {message_to_yaml(goal)}')
    feedback = _print_feedback if args.feedback else None
    accepted = client.send_goal_async(goal, feedback)
    handle = None
    try:
        node.wait_for(accepted)
        handle = accepted.result()
        if not handle.accepted:
            print('Goal was rejected.')
            handle = None
            return
        print(f'Goal accepted with ID: {bytes(handle.goal_id.uuid).hex()}\n')
        finished = handle.get_result_async()
        node.wait_for(finished)
        result = finished.result()
        handle = None
        print(f'Result:\n    {message_to_yaml(result.result)}')
        print(f'Goal finished with status: {_STATUS_NAMES.get(result.status, "UNKNOWN")}')
    finally:
        if handle is not None:
            _cancel(node, handle)


def _print_feedback(message: object) -> None:
    print(f'Feedback:\n    {message_to_yaml(message.feedback)}')


def _cancel(node: DirectNode, handle: object) -> None:
    print('Canceling goal...')
    future = handle.cancel_goal_async()
    if not rclpy.ok() or not node.wait_for(future, _CANCEL_WITHIN_S):
        raise RuntimeError(f'the server did not answer within {_CANCEL_WITHIN_S:g} s')
    cancelled = future.result().goals_canceling
    if [goal.goal_id for goal in cancelled] != [handle.goal_id]:
        raise RuntimeError('Failed to cancel goal')
    print('Goal canceled.')


def _explain_absence(node: DirectNode, name: str, wanted: str) -> None:
    known = node.get_action_names_and_types()
    types = types_of(known, name)
    # This client makes the name appear in the graph, with its own type.
    package, *_, interface = wanted.split('/')
    others = [found for found in types if found != f'{package}/action/{interface}']
    if others:
        print(f"Note: '{name}' exists with type {', '.join(others)}, not {wanted}")
    else:
        print(
            f"Note: nobody offers '{name}' yet{suggest(name, [n for n, _ in known if n != name])}"
        )
