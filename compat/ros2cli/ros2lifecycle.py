# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for `ros2 lifecycle`."""

import argparse
import sys

from lifecycle_msgs.srv import ChangeState, GetAvailableTransitions, GetState
from ros2cli.command import NODE, VerbCommand, arg, flag, suggest
from ros2cli.node import DirectNode, absolute_name, types_of

#: A transition is work of the node itself, such as loading a model.
_TRANSITION_TIMEOUT_S = 120.0
_QUERY_TIMEOUT_S = 5.0
_TARGET = (*NODE, arg('node_name', help='name of the node'))


class LifecycleCommand(VerbCommand):
    """Various lifecycle related sub-commands."""


def _lifecycle_nodes(node: DirectNode) -> list[str]:
    """Return the full names of the nodes that offer `get_state`."""
    services = node.get_service_names_and_types()
    return [
        name
        for name in sorted(set(node.node_names()))
        if 'lifecycle_msgs/srv/GetState' in types_of(services, f'{name}/get_state')
    ]


def _require(node: DirectNode, name: str) -> str:
    """Wait for a lifecycle node and return its full name; RuntimeError if it is not there."""
    full = absolute_name(name)
    if node.discover_until(lambda: full in _lifecycle_nodes(node)):
        return full
    reason = f"Node not found: '{full}'"
    if full in node.node_names():
        raise RuntimeError(f'{reason} is there, but has no lifecycle')
    known = _lifecycle_nodes(node)
    raise RuntimeError(
        f'{reason}{suggest(full, known)} (lifecycle nodes: {", ".join(known) or "none"})'
    )


def _transitions(node: DirectNode, name: str, service: str) -> list[object]:
    service = f'{name}/{service}'
    response = node.call(GetAvailableTransitions, service, _QUERY_TIMEOUT_S)
    return list(response.available_transitions)


@LifecycleCommand.verb(*NODE)
def nodes(args: argparse.Namespace) -> None:
    """Output a list of nodes with lifecycle."""
    with DirectNode(args) as node:
        node.discover()
        for name in _lifecycle_nodes(node):
            print(name)


@LifecycleCommand.verb(*NODE, arg('node_name', nargs='?', help='name of the node (default: all)'))
def get(args: argparse.Namespace) -> int | None:
    """Get lifecycle state for one or more nodes."""
    with DirectNode(args) as node:
        if args.node_name:
            names = [_require(node, args.node_name)]
        else:
            node.discover()
            names = _lifecycle_nodes(node)
        for name in names:
            try:
                state = node.call(GetState, f'{name}/get_state', _QUERY_TIMEOUT_S).current_state
            except RuntimeError as error:
                print(f"Exception while calling service of node '{name}': {error}", file=sys.stderr)
                if args.node_name:
                    return 1
                continue
            prefix = '' if args.node_name else f'{name}: '
            print(f'{prefix}{state.label} [{state.id}]')
    return None


@LifecycleCommand.verb(*_TARGET, flag('-a', '--all', help='display all transitions'))
def list_(args: argparse.Namespace) -> None:
    """Output a list of available transitions."""
    service = 'get_transition_graph' if args.all else 'get_available_transitions'
    with DirectNode(args) as node:
        for item in _transitions(node, _require(node, args.node_name), service):
            print(
                f'- {item.transition.label} [{item.transition.id}]\n'
                f'\tStart: {item.start_state.label}\n'
                f'\tGoal: {item.goal_state.label}'
            )


@LifecycleCommand.verb(*_TARGET, arg('transition', help='label or number of the transition'))
def set_(args: argparse.Namespace) -> str | None:
    """Trigger lifecycle state transition."""
    with DirectNode(args) as node:
        name = _require(node, args.node_name)
        available = _transitions(node, name, 'get_available_transitions')
        possible = [item.transition for item in available]
        matching = [one for one in possible if args.transition in (one.label, str(one.id))]
        if not matching:
            return 'Unknown transition requested, available ones are:' + ''.join(
                f'\n- {one.label} [{one.id}]' for one in possible
            )
        response = node.call(
            ChangeState, f'{name}/change_state', _TRANSITION_TIMEOUT_S, transition=matching[0]
        )
        # Exit status 0 in both cases, as the real verb has it.
        if response.success:
            print('Transitioning successful')
        else:
            print('Transitioning failed', file=sys.stderr)
    return None
