# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The lifecycle service calls of the bring-up, asynchronous.

A call to an ended process is never answered; the lifecycle manager abandons it after a time, and
its future is dropped here. The supervisor's tick continues meanwhile.

Two pitfalls of discovery decide how a node is looked up. `get_node_names`: a participant whose
lease ran out (a process that was frozen for 6 s) and that is found again never repeats the message
with its node name, so the name stays away for good, though all its topics and services work.
`service_is_ready`: False for minutes where remains of an ended process in the graph make the
numbers of request readers and response writers differ.
"""

import traceback
from collections.abc import Callable, Iterable
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.node import Node

from vla_supervisor.lifecycle_manager import Call, LifecycleManager, LifecycleRequest

_TRANSITION = {
    LifecycleRequest.CONFIGURE: Transition.TRANSITION_CONFIGURE,
    LifecycleRequest.ACTIVATE: Transition.TRANSITION_ACTIVATE,
}


_LISTED_CHECKS = 2
"""Checks in a row after which a listed service is called though it is not "ready": a request that
is sent before its reader is matched is lost, and costs the query timeout."""
_UNANSWERED = 2
"""Calls in a row without an answer after which the client is recreated: new endpoints are announced
again to a process that has lost the old ones."""


class LifecycleCalls:
    """Clients for every managed node.

    Args:
        node: whose clients these are.
        names: of the nodes to bring up.
        manager: wants the calls and receives the answers.
        clock: steady seconds.
    """

    def __init__(
        self,
        node: Node,
        names: Iterable[str],
        manager: LifecycleManager,
        clock: Callable[[], float],
    ) -> None:
        self._node = node
        self._manager = manager
        self._clock = clock
        names = tuple(names)
        self._get = {n: node.create_client(GetState, f'/{n}/get_state') for n in names}
        self._change = {n: node.create_client(ChangeState, f'/{n}/change_state') for n in names}
        self._listed = dict.fromkeys(names, 0)
        self._unanswered = dict.fromkeys(names, 0)
        self._futures: dict[int, tuple[Any, Any]] = {}
        self._reasons: dict[str, str] = {}

    def present(self, alive: Callable[[str], bool]) -> list[str]:
        """Managed nodes that are present: alive, or with lifecycle services on the graph."""
        return [name for name in self._get if self._is_listed(name) or alive(name)]

    def _is_listed(self, name: str) -> bool:
        get, change = self._get[name], self._change[name]
        if get.service_is_ready() and change.service_is_ready():
            self._listed[name] = _LISTED_CHECKS
        elif all(self._node.count_services(client.srv_name) for client in (get, change)):
            self._listed[name] += 1
        else:
            self._listed[name] = 0
        return self._listed[name] >= _LISTED_CHECKS

    def reason(self, name: str, message: str) -> None:
        """The reason of a failed transition, from /diagnostics; may come before the answer."""
        if name in self._get:
            self._reasons[name] = message
            self._manager.on_reason(name, message)

    def step(self) -> None:
        """Make the calls that are due, and drop the abandoned ones."""
        for call in self._manager.calls(self._clock()):
            self._make(call)
        for call in self._manager.abandoned():
            client, future = self._futures.pop(call.number, (None, None))
            if client is not None:
                client.remove_pending_request(future)
            self._unanswered[call.node] += 1
            if self._unanswered[call.node] >= _UNANSWERED:
                self._recreate_clients(call.node)

    def _recreate_clients(self, name: str) -> None:
        self._unanswered[name] = 0
        for kind, clients in ((GetState, self._get), (ChangeState, self._change)):
            old = clients[name]
            clients[name] = self._node.create_client(kind, old.srv_name)
            self._node.destroy_client(old)

    def _make(self, call: Call) -> None:
        if call.request is LifecycleRequest.STATE:
            client, request = self._get[call.node], GetState.Request()
        else:
            self._reasons.pop(call.node, None)
            client = self._change[call.node]
            request = ChangeState.Request(transition=Transition(id=_TRANSITION[call.request]))
        future = client.call_async(request)
        self._futures[call.number] = (client, future)
        future.add_done_callback(lambda done: self._guarded_answer(call, done))

    def _guarded_answer(self, call: Call, future: Any) -> None:
        # An exception that leaves a future's callback ends the process with a segmentation fault
        # in Jazzy's EventsExecutor.
        try:
            self._answered(call, future)
        except Exception:
            self._node.get_logger().error(f'answer of {call} failed:\n{traceback.format_exc()}')

    def _answered(self, call: Call, future: Any) -> None:
        self._futures.pop(call.number, None)
        self._unanswered[call.node] = 0
        if future.cancelled() or future.exception() is not None:
            return  # the deadline of the manager deals with it
        answer = future.result()
        now = self._clock()
        if call.request is LifecycleRequest.STATE:
            self._manager.on_state(now, call, answer.current_state.id)
        else:
            reason = self._reasons.get(call.node, '')
            self._manager.on_transition(now, call, answer.success, reason)
            # Two lines of source: rclpy raises when one line logs at two severities.
            if answer.success:
                self._node.get_logger().info(f'{call.node}: {call.request.value} done')
            else:
                self._node.get_logger().error(
                    f'{call.node}: {reason or call.request.value + " failed"}'
                )

    def close(self) -> None:
        """Destroy the clients; outstanding answers are dropped."""
        self._futures.clear()
        for client in (*self._get.values(), *self._change.values()):
            self._node.destroy_client(client)
