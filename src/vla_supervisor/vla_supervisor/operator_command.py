# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The operator's steps over the middleware; `command` starts this program.

Every step but the stops; and the stops where this machine has no supervisor.
"""

import argparse
import math
import signal
import sys
import time
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import Trigger

from vla_common import qos
from vla_interfaces.msg import SupervisorState
from vla_interfaces.srv import EndpointCheckin, RegisterEndpoint
from vla_supervisor.command import (
    DEFAULT_TIMEOUT,
    GRANTED,
    NO_SUPERVISOR,
    REFUSED,
    arguments_of,
    show,
)
from vla_supervisor.decision import OperatorStep
from vla_supervisor.endpoints import answer_to
from vla_supervisor.local_stops import STOPS
from vla_supervisor.state_summary import summary

_READY_WITHIN = 1.0  # s; usually 0.2 s
_ANSWER_WITHIN = 1.5  # s; usually some milliseconds


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

    def state(self, timeout: float = math.inf) -> SupervisorState | None:
        """A state published after this call began, None if none came in time."""
        self._states.clear()
        return self._states[-1] if self._spin(lambda: self._states, timeout) else None

    def close(self) -> None:
        self._node.destroy_node()


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


def main(argv: list[str] | None = None) -> None:
    """Run one command and exit."""
    arguments = arguments_of(argv)
    # Ends by SystemExit: without its clean-up, the services stay half discovered for minutes.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    patience = math.inf if arguments.what in STOPS else DEFAULT_TIMEOUT
    client = ServiceClient(arguments.timeout or patience)
    try:
        code, result = _carry_out(client, arguments)
    finally:
        client.close()
        rclpy.try_shutdown()
    show(arguments.what, result, arguments.json)
    sys.exit(code)


def _carry_out(client: ServiceClient, arguments: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    answer: tuple[bool, str] | None = (True, '')
    patience = f'{arguments.timeout or DEFAULT_TIMEOUT:g} s'
    if arguments.what == 'forget':
        answer = _forget(client, arguments.endpoint)
    elif arguments.what != 'status':
        name = f'/supervisor/{OperatorStep(arguments.what).value}'
        response = client.call(Trigger, name, Trigger.Request())
        answer = None if response is None else (response.success, response.message)
    if answer is None:
        message = f'no supervisor answered in {patience}'
        return NO_SUPERVISOR, {'success': False, 'message': message}
    success, message = answer
    state = client.state(DEFAULT_TIMEOUT)
    result: dict[str, Any] = {'success': success, 'message': message}
    if state is not None:
        result.update(summary(state))
    if arguments.what == 'status':
        if state is None:
            result.update(success=False, message=f'no /supervisor/state in {patience}')
            return NO_SUPERVISOR, result
        result['success'] = arguments.any_mode or result['mode'] in ('READY', 'RUNNING')
    return (GRANTED if result['success'] else REFUSED), result


if __name__ == '__main__':
    main()
