# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for `ros2 action`."""

import argparse
import time

from action_msgs.msg import GoalStatus
from rclpy.action import (
    ActionClient,
    get_action_client_names_and_types_by_node,
    get_action_server_names_and_types_by_node,
)
from rclpy.executors import ExternalShutdownException
from rclpy.task import Future
from ros2cli.command import NODE, VerbCommand, arg, flag
from ros2cli.messages import fill_message, get_interface, message_to_yaml
from ros2cli.node import (
    NODE_NAME_PREFIX,
    DirectNode,
    print_names,
    print_types,
    split_name,
    types_of,
)

_NOTE_EVERY_S = 3.0
_SERVER_POLL_S = 0.1
_CANCEL_WITHIN_S = 5.0
_STATUS_NAMES = {
    getattr(GoalStatus, f'STATUS_{name}'): name
    for name in ('ACCEPTED', 'EXECUTING', 'CANCELING', 'SUCCEEDED', 'CANCELED', 'ABORTED')
}


class ActionCommand(VerbCommand):
    """Various action related sub-commands."""


@ActionCommand.verb(*NODE, flag('-t', '--show-types', help='show the types too'))
def list_(args: argparse.Namespace) -> None:
    """Output a list of action names."""
    with DirectNode(args) as node:
        node.discover()
        print_names(args, node.get_action_names_and_types())


@ActionCommand.verb(*NODE, arg('action_name', help='name of the action'))
def type_(args: argparse.Namespace) -> int:
    """Print an action's type."""
    return print_types(args, 'action', args.action_name)


@ActionCommand.verb(
    *NODE,
    arg('action_name', help='name of the action'),
    flag('-t', '--show-types', help='show the types too'),
)
def info(args: argparse.Namespace) -> None:
    """Print information about an action."""
    with DirectNode(args) as node:
        action = node.expand(args.action_name)
        node.discover_until(lambda: types_of(node.get_action_names_and_types(), action))
        print(f'Action: {args.action_name}')
        for side, ask in (
            ('clients', get_action_client_names_and_types_by_node),
            ('servers', get_action_server_names_and_types_by_node),
        ):
            names = [
                (name, types)
                for name in node.node_names(include_hidden=True)
                if not name.endswith(f'/{node.get_name()}')
                and (types := types_of(ask(node.node, *split_name(name)), action))
            ]
            print(f'Action {side}: {len(names)}')
            for name, types in names:
                print(f'    {name} [{", ".join(types)}]' if args.show_types else f'    {name}')


@ActionCommand.verb(
    arg('action_name', help='name of the action'),
    arg('action_type', help='type, such as example_interfaces/action/Fibonacci'),
    arg('goal', nargs='?', default='{}', help="YAML, such as '{order: 10}'"),
    flag('-f', '--feedback', help='print the feedback'),
    *NODE,
)
def send_goal(args: argparse.Namespace) -> None:
    """Send an action goal."""
    action_type = get_interface('action', args.action_type)
    goal = action_type.Goal()
    fill_message(goal, args.goal, what='message fields')
    name = f'{NODE_NAME_PREFIX}_send_goal_{args.action_type.replace("/", "_")}'
    # rclpy's handlers shut the context down, and then the goal of a user who pressed Ctrl-C could
    # no longer be cancelled.
    with DirectNode(args, node_name=name, own_signals=True) as node:
        client = ActionClient(node.node, action_type, node.expand(args.action_name))
        try:
            _send(node, client, goal, args)
        finally:
            client.destroy()


def _send(node: DirectNode, client: ActionClient, goal: object, args: argparse.Namespace) -> None:
    print('Waiting for an action server to become available...')
    note_at = time.monotonic() + _NOTE_EVERY_S
    while not client.wait_for_server(timeout_sec=_SERVER_POLL_S):
        node.check_signals()
        if time.monotonic() >= note_at:
            print(f"No server offers '{args.action_name}' yet")
            note_at += _NOTE_EVERY_S
    print(f'Sending goal:\n     {message_to_yaml(goal)}')

    def print_feedback(message: object) -> None:
        print(f'Feedback:\n    {message_to_yaml(message.feedback)}')

    accepted = client.send_goal_async(goal, print_feedback if args.feedback else None)
    try:
        node.wait_for(accepted)
        handle = accepted.result()
        if not handle.accepted:
            print('Goal was rejected.')
            return
        print(f'Goal accepted with ID: {bytes(handle.goal_id.uuid).hex()}\n')
        finished = handle.get_result_async()
        node.wait_for(finished)
    except ExternalShutdownException:
        _cancel(node, accepted)
        raise
    result = finished.result()
    print(f'Result:\n    {message_to_yaml(result.result)}')
    print(f'Goal finished with status: {_STATUS_NAMES.get(result.status, "UNKNOWN")}')


def _cancel(node: DirectNode, accepted: Future) -> None:
    """Cancel the goal; also one that the server accepts only now."""
    late = RuntimeError(f'the server did not answer within {_CANCEL_WITHIN_S:g} s')
    if not node.wait_for(accepted, _CANCEL_WITHIN_S):
        raise late
    handle = accepted.result()
    if not handle.accepted:
        return
    print('Canceling goal...')
    future = handle.cancel_goal_async()
    if not node.wait_for(future, _CANCEL_WITHIN_S):
        raise late
    if [goal.goal_id for goal in future.result().goals_canceling] != [handle.goal_id]:
        raise RuntimeError('Failed to cancel goal')
    print('Goal canceled.')
