# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The dashboard's services and action: what the server's loop requests of the robot.

Everything of rclpy is called by the thread that spins the node. rclpy's action client notes a
request after it has sent it: another thread would lose a response that comes in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

from rclpy.action import ActionClient
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_common import topics
from vla_common.clock import steady_now
from vla_common.lifecycle import VlaLifecycleNode
from vla_interfaces.action import RunInstruction
from vla_interfaces.srv import EndpointCheckin, RegisterEndpoint
from vla_monitor.dashboard.requests import Answer, EndpointAnswer, Seen, Situation
from vla_monitor.dashboard.stops import Stops
from vla_supervisor.local_stops import STOPS

ENDPOINT = 'dashboard'
ACTION = '/vla/run_instruction'
ANSWER_WITHIN = 1.0  # s; usually some milliseconds
FOUND_WITHIN = 3.0  # s
_STEPS = ('reset', 'resume', 'arm')


class RobotLink:
    """`RobotPort` over ROS.

    Args:
        node: spun by an executor.
        situation: refreshes and returns what the supervisor reports; called by the executor.
        note: takes a line for the page's log.
        timeouts: soft and hard, of the e-stop endpoint, s.
    """

    def __init__(
        self,
        node: VlaLifecycleNode,
        situation: Callable[[], Situation | None],
        note: Callable[[str], None],
        timeouts: tuple[float, float],
    ) -> None:
        self._node = node
        self._situation = situation
        self.note = note
        self._timeouts = timeouts
        self._clients: dict[str, Any] = {}
        kinds = {step: Trigger for step in (*STOPS, *_STEPS)}
        for name, kind in (
            kinds | {'register_endpoint': RegisterEndpoint, 'checkin': EndpointCheckin}
        ).items():
            self._create(name, kind)
        self._instruction = node.add_publisher(topics.INSTRUCTION)
        self._stops = Stops(node.context.get_domain_id(), self._call_stop)
        self._goals: set[ActionClient] = set()
        self._stop_calls: dict[str, Future[Any]] = {}

    def close(self) -> None:
        """Release what the node does not track."""
        self._stops.close()
        for client in self._clients.values():
            self._node.destroy_client(client)
        for goal in self._goals:
            goal.destroy()
        self._clients.clear()
        self._goals.clear()

    @property
    def pending_stops(self) -> tuple[str, ...]:
        """Stops that were requested and are not granted yet."""
        return self._stops.pending

    # -- RobotPort -----------------------------------------------------------------------------

    async def stop(self, step: str) -> Answer:
        request = self._stops.request(step)
        # Shielded: who does not wait any longer does not cancel the stop.
        return await asyncio.shield(asyncio.wrap_future(request))

    async def step(self, step: str, seen: Seen) -> Answer:
        def begin() -> Future[Any]:
            situation = self._situation()
            changed = 'no supervisor is received'
            if situation is not None:
                changed = situation.changed_since(seen)
            if changed:
                refused: Future[Any] = Future()
                refused.set_result(Trigger.Response(success=False, message=f'refused: {changed}'))
                return refused
            return self._call(step, Trigger.Request())

        response = await self._answer(step, begin)
        if response is None:
            return Answer(None, f'{step}: the supervisor did not answer')
        return Answer(response.success, response.message)

    async def situation(self) -> Situation | None:
        return await self._in_executor(self._situation)

    async def register(self) -> EndpointAnswer:
        soft, hard = self._timeouts
        request = RegisterEndpoint.Request(name=ENDPOINT, soft_timeout=soft, hard_timeout=hard)
        return await self._endpoint('register_endpoint', request)

    async def check_in(self, response: int, pressed: bool, leaving: bool) -> EndpointAnswer:
        request = EndpointCheckin.Request(
            name=ENDPOINT, response=response & (2**64 - 1), pressed=pressed, leaving=leaving
        )
        return await self._endpoint('checkin', request)

    async def run(self, text: str, time_limit: float) -> Answer:
        goal = RunInstruction.Goal(instruction=text, time_limit=time_limit)
        client = await self._in_executor(self._action_client)
        try:
            end = steady_now() + FOUND_WITHIN
            while not client.server_is_ready() and steady_now() < end:
                await asyncio.sleep(0.05)
            handle = await asyncio.wait_for(
                self._in_executor(lambda: _chained(client.send_goal_async(goal))), FOUND_WITHIN
            )
        except TimeoutError:
            await self._in_executor(lambda: self._drop(client))
            return Answer(None, 'the inference node did not answer')
        if not handle.accepted:
            await self._in_executor(lambda: self._drop(client))
            return Answer(False, 'refused by the inference node; see its log')
        await self._in_executor(lambda: self._follow(client, handle, text))
        return Answer(True, 'accepted')

    async def cancel(self) -> Answer:
        # Of any client: the action would cancel goals of its own client only.
        await self._in_executor(lambda: self._instruction.publish(String()))
        return Answer(True, 'requested')

    # -- calls ---------------------------------------------------------------------------------

    def _in_executor(self, work: Callable[[], Any]) -> asyncio.Future[Any]:
        return asyncio.wrap_future(self._submit(work))

    def _submit(self, work: Callable[[], Any]) -> Future[Any]:
        """Do it in the node's thread; a Future that it returns is waited for."""
        result: Future[Any] = Future()

        def call() -> None:
            try:
                value = work()
            except Exception as error:
                self._node.report_error('a request of the dashboard')
                _settle(result, None, error)
                return
            if isinstance(value, Future):
                value.add_done_callback(lambda done: _settle(result, *_outcome(done)))
            else:
                _settle(result, value, None)

        executor = self._node.executor
        if executor is None:
            result.set_exception(RuntimeError('the node is not spun'))
        else:
            executor.create_task(call)
        return result

    def _create(self, name: str, kind: Any) -> None:
        self._clients[name] = self._node.create_client(kind, f'/supervisor/{name}')

    def _call(self, name: str, request: Any) -> Future[Any]:
        """One call, in the node's thread. None: it was given up.

        The service is called whether or not it is reported as ready: rmw_fastrtps denies that for
        minutes after a process ended.
        """
        return _chained(self._clients[name].call_async(request))

    def _renew(self, name: str) -> None:
        """A client that got no answer is replaced: an early call went to an ended process."""
        old = self._clients.get(name)
        if old is not None:
            self._create(name, old.srv_type)
            self._node.destroy_client(old)

    async def _answer(self, name: str, begin: Callable[[], Future[Any]]) -> Any | None:
        try:
            return await asyncio.wait_for(self._in_executor(begin), ANSWER_WITHIN)
        except TimeoutError:
            self._submit(lambda: self._renew(name))
            return None

    async def _endpoint(self, name: str, request: Any) -> EndpointAnswer:
        response = await self._answer(name, lambda: self._call(name, request))
        if response is None:
            return EndpointAnswer(False, 'the supervisor did not answer', 0)
        return EndpointAnswer(response.accepted, response.reason, response.challenge)

    def _call_stop(self, step: str) -> Future[Answer]:
        """For `Stops`, from its thread; the client is renewed with each repetition."""
        answer: Future[Answer] = Future()

        def done(future: Future[Any]) -> None:
            if future.exception() is None:
                response = future.result()
                answer.set_result(Answer(response.success, response.message))

        def begin() -> Future[Any]:
            before = self._stop_calls.get(step)
            if before is not None and not before.done():
                self._renew(step)
            call = self._stop_calls[step] = self._call(step, Trigger.Request())
            return call

        self._submit(begin).add_done_callback(done)
        return answer

    # -- the action ----------------------------------------------------------------------------

    def _action_client(self) -> ActionClient:
        """For one goal. A client that stays would hide from the inference node, after a command
        line's client died, that nobody waits for its goal any more."""
        client = ActionClient(self._node, RunInstruction, ACTION)
        self._goals.add(client)
        return client

    def _drop(self, client: ActionClient) -> None:
        if client in self._goals:
            self._goals.discard(client)
            client.destroy()

    def _follow(self, client: ActionClient, handle: Any, text: str) -> None:
        def ended(future: Any) -> None:
            result = future.result().result
            self.note(f'"{text}": {result.reason} after {max(0.0, result.duration):.1f} s')
            # Not in the callback of its own response.
            self._node.executor.create_task(lambda: self._drop(client))

        handle.get_result_async().add_done_callback(ended)


def _chained(future: Any) -> Future[Any]:
    """A concurrent future with the result of rclpy's."""
    chained: Future[Any] = Future()

    future.add_done_callback(lambda done: _settle(chained, *_outcome(done)))
    return chained


def _outcome(future: Any) -> tuple[Any, BaseException | None]:
    error = future.exception()
    return (None if error else future.result()), error


def _settle(future: Future[Any], value: Any, error: BaseException | None) -> None:
    """Who waits for it may have cancelled it, in another thread."""
    with suppress(InvalidStateError):
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)
