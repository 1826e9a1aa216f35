# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_supervisor command <what>``: the operator's steps from a terminal.

Exit status 0: the step was granted (`status`: alive, and READY or RUNNING); 1: refused, or another
mode; 2: no supervisor answered. With `--json` the last line of stdout is one object.
"""

import argparse
import json
import math
import sys
import time
from typing import Any

import rclpy
from rclpy.node import Node
from std_srvs.srv import Trigger

from vla_common import qos
from vla_common.states import Behaviour, Mode
from vla_interfaces.msg import SupervisorState
from vla_interfaces.srv import EndpointCheckin, RegisterEndpoint
from vla_supervisor.core import OperatorStep
from vla_supervisor.endpoints import answer_to

GRANTED, REFUSED, NO_SUPERVISOR = 0, 1, 2

_READY_WITHIN = 1.0  # s; usually 0.2 s
_ANSWER_WITHIN = 1.5  # s; usually some milliseconds

_HELP = {
    'estop': 'emergency stop: ESTOP, latched',
    'safe_stop': 'stop and stand: SAFE_STOP',
    'reset': 'leave ESTOP for INACTIVE, when every cause is gone',
    'resume': 'leave SAFE_STOP for READY, when standing and every cause is gone',
    'arm': 'leave INACTIVE for READY, when every node is active',
    'start': 'leave READY for RUNNING (the inference node does this for an accepted instruction)',
    'status': 'print mode, causes and what clears each (--any-mode: succeed in every mode)',
    'forget': 'deregister the lost e-stop endpoint --endpoint NAME',
}


class ServiceClient:
    """A short-lived node with blocking calls."""

    def __init__(self, timeout: float) -> None:
        self._node = Node(
            f'supervisor_command_{time.monotonic_ns()}', start_parameter_services=False
        )
        self._deadline = time.monotonic() + timeout
        self._states: list[SupervisorState] = []
        self._node.create_subscription(
            SupervisorState, '/supervisor/state', self._states.append, qos.STATE_SUB
        )

    def _spin(self, done: Any, timeout: float = math.inf) -> bool:
        deadline = min(self._deadline, time.monotonic() + timeout)
        while not done():
            if time.monotonic() > deadline:
                return False
            rclpy.spin_once(self._node, timeout_sec=0.02)
        return True

    def call(self, kind: Any, name: str, request: Any) -> Any | None:
        """The answer of a service, None if none came in time.

        A service that is not "ready" is called all the same: rmw_fastrtps calls it ready when
        discovery lists as many request readers as response writers, and remains of an ended process
        prevent that for minutes. Without an answer it is called again by new endpoints. Every step
        may be requested twice: the second is granted too, or refused because the first was made.
        """
        while time.monotonic() < self._deadline:
            client = self._node.create_client(kind, name)
            self._spin(client.service_is_ready, _READY_WITHIN)
            future = client.call_async(request)
            answered = self._spin(future.done, _ANSWER_WITHIN)
            self._node.destroy_client(client)
            if answered:
                return future.result()
        return None

    def state(self) -> SupervisorState | None:
        """A state published after this call began, None if none came in time."""
        self._states.clear()
        return self._states[-1] if self._spin(lambda: self._states) else None

    def close(self) -> None:
        self._node.destroy_node()


def summary(state: SupervisorState) -> dict[str, Any]:
    """A state as plain values."""
    return {
        'mode': Mode(state.mode).name,
        'behaviour': Behaviour(state.behaviour).name,
        'armed': state.armed,
        'motion_epoch': state.motion_epoch,
        'speed_scale': state.speed_scale,
        'causes': [
            {key: getattr(c, key) for key in ('name', 'source', 'detail', 'clears', 'present')}
            for c in state.causes
        ],
        'nodes_active': list(state.nodes_active),
        'nodes_missing': list(state.nodes_missing),
    }


def text(state: dict[str, Any]) -> str:
    """A summary for the terminal."""
    lines = [
        f'mode {state["mode"]}, behaviour {state["behaviour"]}, speed {state["speed_scale"]:.0%}, '
        f'epoch {state["motion_epoch"]}'
    ]
    for c in state['causes']:
        lines.append(f'  {"now " if c["present"] else "gone"} {c["name"]}: {c["detail"]}')
        if c['present']:
            lines.append(f'       clears when: {c["clears"]}')
    lines += [f'  node {missing}' for missing in state['nodes_missing']]
    return '\n'.join(lines)


def _forget(client: ServiceClient, name: str) -> tuple[bool, str] | None:
    """Register under the name of the endpoint and leave."""
    request = RegisterEndpoint.Request(name=name, soft_timeout=0.9, hard_timeout=1.0)
    entered = client.call(RegisterEndpoint, '/supervisor/register_endpoint', request)
    if entered is None or not entered.accepted:
        return None if entered is None else (False, entered.reason)
    leave = EndpointCheckin.Request(
        name=name, response=answer_to(entered.challenge), pressed=False, leaving=True
    )
    left = client.call(EndpointCheckin, '/supervisor/checkin', leave)
    return None if left is None else (left.accepted, left.reason or f'{name} deregistered')


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='command',
        description="The operator's steps: reset, arm, start; and the stops.",
        epilog='\n'.join(f'{what:10} {text}' for what, text in _HELP.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('what', choices=tuple(_HELP))
    parser.add_argument('--any-mode', action='store_true', help='status: succeed in every mode')
    parser.add_argument('--endpoint', metavar='NAME', help='forget: the endpoint')
    parser.add_argument('--timeout', type=float, default=5.0, metavar='S', help='default 5 s')
    parser.add_argument('--json', action='store_true', help='one object as the last line')
    return parser


def main(argv: list[str] | None = None) -> None:
    """Run one command and exit."""
    parser = _parser()
    arguments = parser.parse_args(rclpy.utilities.remove_ros_args(argv or sys.argv)[1:])
    if arguments.what == 'forget' and not arguments.endpoint:
        parser.error('forget needs --endpoint NAME')
    rclpy.init()
    client = ServiceClient(arguments.timeout)
    try:
        code, result = _carry_out(client, arguments)
    finally:
        client.close()
        rclpy.try_shutdown()
    if arguments.json:
        print(json.dumps(result))
    else:
        if result.get('message'):
            print(f'{arguments.what}: {result["message"]}')
        if result.get('mode'):
            print(text(result))
    sys.exit(code)


def _carry_out(client: ServiceClient, arguments: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    answer: tuple[bool, str] | None = (True, '')
    if arguments.what == 'forget':
        answer = _forget(client, arguments.endpoint)
    elif arguments.what != 'status':
        name = f'/supervisor/{OperatorStep(arguments.what).value}'
        response = client.call(Trigger, name, Trigger.Request())
        answer = None if response is None else (response.success, response.message)
    if answer is None:
        message = f'no supervisor answered in {arguments.timeout:g} s'
        return NO_SUPERVISOR, {'success': False, 'message': message}
    success, message = answer
    state = client.state()
    result: dict[str, Any] = {'success': success, 'message': message}
    if state is not None:
        result.update(summary(state))
    if arguments.what == 'status':
        if state is None:
            result.update(success=False, message=f'no /supervisor/state in {arguments.timeout:g} s')
            return NO_SUPERVISOR, result
        result['success'] = arguments.any_mode or result['mode'] in ('READY', 'RUNNING')
    return (GRANTED if result['success'] else REFUSED), result


if __name__ == '__main__':
    main()
