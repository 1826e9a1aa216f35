# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Instructions over ROS: the action `/vla/run_instruction`, the topic `/vla/instruction`, and the
start request to the supervisor."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_common import topics
from vla_common.clock import steady_now
from vla_common.lifecycle import VlaLifecycleNode
from vla_common.messages import stamp_to_ns
from vla_common.states import Mode
from vla_inference.messages import assessment_text, put_assessment
from vla_inference.session import (
    ClientPresence,
    InstructionOutcome,
    Offer,
    Phase,
    Result,
    Session,
    StartupInstruction,
    check_time_limit,
    instruction_text,
)
from vla_inference.stop_words import is_stop
from vla_interfaces.action import RunInstruction
from vla_interfaces.msg import SupervisorState
from vla_policy.types import InstructionRefused

FOUND_WITHIN = 1.0
"""s in which discovery normally lists a service."""


_ACTION = '/vla/run_instruction'
_GONE_AFTER = 1.0  # s


class InstructionServer:
    """Passes instructions to the session and results to their goals, in the executor's thread.

    Args:
        node: goals are rejected while it is not active.
        session: guarded by `lock`.
        check: raises InstructionRefused for an instruction that the policy cannot carry out.
        startup, text: the parameter `instruction`, empty for none.
    """

    def __init__(
        self,
        node: VlaLifecycleNode,
        session: Session,
        lock: AbstractContextManager,
        check: Callable[[str], None],
        startup: StartupInstruction,
        text: str,
    ) -> None:
        self._node = node
        self._session = session
        self._lock = lock
        self._check = check
        self._startup = startup
        self._text = text
        self._ends: dict[int, Future] = {}
        self._goals: dict[int, Any] = {}
        self._clients = ClientPresence(_GONE_AFTER)
        self.states_rejected = 0  # of the supervisor
        self.instructions_rejected = 0
        node.subscribe(topics.SUPERVISOR_STATE, self._on_supervisor)
        node.subscribe(topics.INSTRUCTION, self._on_instruction)
        self._start_client = node.create_client(Trigger, '/supervisor/start')
        node.track(lambda: node.destroy_client(self._start_client))
        server = ActionServer(
            node,
            RunInstruction,
            _ACTION,
            execute_callback=self._execute,
            goal_callback=self._on_goal,
            handle_accepted_callback=self._on_accepted,
            cancel_callback=self._on_cancel,
        )
        node.track(server.destroy)

    def deliver(self) -> None:
        """Give the results of ended instructions to their goals."""
        while True:
            with self._lock:
                if not self._session.results:
                    return
                result = self._session.results.popleft()
            seen = assessment_text(result.report)
            reason = '' if result.reason == result.outcome.value else f' ({result.reason})'
            self._node.get_logger().info(
                f'instruction {result.id} ended after {result.duration:.1f} s: '
                f'{result.outcome.value}{reason}' + (f'; {seen}' if seen else '')
            )
            self._goals.pop(result.id, None)
            end = self._ends.get(result.id)
            if end is not None:
                end.set_result(result)

    def publish_feedback(self, confidence: float, speed_scale: float) -> None:
        """To the goal of the current instruction, if it has one."""
        with self._lock:
            id_, phase = self._session.id, self._session.phase.value
            elapsed = self._session.elapsed(steady_now())
            report = self._session.report
        goal = self._goals.get(id_)
        if goal is not None and goal.is_active:
            feedback = RunInstruction.Feedback(
                phase=phase, confidence=confidence, speed_scale=speed_scale, elapsed=elapsed
            )
            put_assessment(feedback, report)
            feedback.held_by = list(report.holding)
            goal.publish_feedback(feedback)

    def check_client(self) -> None:
        """Cancel the current goal if no action client is left on the graph."""
        with self._lock:
            id_, now = self._session.id, steady_now()
            if id_ not in self._goals:
                return
            # Every action client has one of these; a recorder or `topic echo` does not.
            clients = self._node.count_clients(f'{_ACTION}/_action/send_goal')
            if self._clients.gone(clients, now):
                self._session.cancel(id_, now, 'its action client is gone')

    # -- instructions ----------------------------------------------------------------------------

    def _accept(self, text: str, time_limit: float = 0.0, patient: bool = False) -> int:
        with self._lock:
            now = steady_now()
            if is_stop(text):
                # Not for the policy: it may hang, or know the word as a task.
                self._node.get_logger().info(f'stop: "{text}"')
                return self._session.stop(text, now)
            id_ = self._session.accept(text, now, time_limit, patient)
            self._node.get_logger().info(f'instruction {id_}: "{text}"')
            try:
                self._check(text)
            except InstructionRefused as error:
                self._session.end(id_, InstructionOutcome.ABORTED, str(error), now)
        return id_

    def _cancel(self, id_: int) -> None:
        with self._lock:
            self._session.cancel(id_, steady_now())

    def _on_instruction(self, message: String) -> None:
        """An empty text cancels the current instruction."""
        try:
            text = instruction_text(message.data)
        except ValueError as error:
            self.instructions_rejected += 1
            self._node.get_logger().warning(f'rejected: {error}', throttle_duration_sec=1.0)
            return
        if text:
            self._accept(text)
        else:
            self._cancel(self._session.id)

    # -- supervisor ------------------------------------------------------------------------------

    def _on_supervisor(self, message: SupervisorState) -> None:
        try:
            mode = Mode(message.mode)
        except ValueError:
            self.states_rejected += 1
            text = f'/supervisor/state rejected: mode {message.mode} does not exist'
            self._node.get_logger().warning(text, throttle_duration_sec=1.0)
            return
        # The cause of a stop may be gone by now, as a stall is.
        causes = [cause for cause in message.causes if cause.present] or message.causes
        why = ', '.join(cause.name for cause in causes)
        if self._text:
            self._offer_startup(mode, message.motion_epoch)
        with self._lock:
            now = steady_now()
            self._session.on_mode(mode, why, stamp_to_ns(message.header.stamp), now)
            # Requested once the service is discovered. rmw_fastrtps can deny that for minutes, as
            # long as it lists entities of ended processes; the supervisor is received, so request
            # anyway after a while.
            ready = self._session.starting_for(now) > FOUND_WITHIN or (
                self._session.phase is Phase.STARTING and self._start_client.service_is_ready()
            )
            id_ = self._session.wants_start() if ready else None
        if id_ is not None:
            seen = assessment_text(self._session.report)
            if seen:
                self._node.get_logger().info(f'instruction {id_} is carried out: {seen}')
            future = self._start_client.call_async(Trigger.Request())
            future.add_done_callback(lambda done: self._on_start_answer(id_, done))

    def _offer_startup(self, mode: Mode, motion_epoch: int) -> None:
        offer = self._startup.offer(mode, motion_epoch)
        if offer is Offer.NOW:
            self._accept(self._text, patient=True)
        elif offer is Offer.TOO_LATE:
            self._node.get_logger().warning(
                f'instruction "{self._text}" from the parameter is not carried out: the robot has '
                f'run or been stopped before (motion epoch {motion_epoch}); send it again'
            )

    def _on_start_answer(self, id_: int, future: Future) -> None:
        try:
            answer = future.result()
            granted, message = answer.success, answer.message
        except Exception as error:  # the middleware's errors have no common base
            granted, message = False, f'{type(error).__name__}: {error}'
        with self._lock:
            self._session.start_answered(id_, granted, message, steady_now())

    # -- action ----------------------------------------------------------------------------------

    def _on_goal(self, goal: RunInstruction.Goal) -> GoalResponse:
        reason = ''
        try:
            check_time_limit(goal.time_limit)
            if not instruction_text(goal.instruction):
                reason = 'the instruction is empty'
        except ValueError as error:
            reason = str(error)
        if not self._node.active:
            reason = 'the inference node is not active'
        if not reason:
            return GoalResponse.ACCEPT
        self.instructions_rejected += 1
        self._node.get_logger().warning(f'goal rejected: {reason}')
        return GoalResponse.REJECT

    def _on_accepted(self, goal: Any) -> None:
        request = goal.request
        id_ = self._accept(instruction_text(request.instruction), request.time_limit)
        self._ends[id_] = Future()
        self._goals[id_] = goal
        self._clients.begin()
        goal.instruction_id = id_
        goal.execute()

    def _on_cancel(self, goal: Any) -> CancelResponse:
        self._cancel(goal.instruction_id)
        return CancelResponse.ACCEPT

    async def _execute(self, goal: Any) -> RunInstruction.Result:
        # Awaiting costs nothing on the EventsExecutor: the task is woken by the future.
        result: Result = await self._ends[goal.instruction_id]
        self._ends.pop(goal.instruction_id, None)
        if result.success:
            goal.succeed()
        elif result.outcome is InstructionOutcome.CANCELLED and goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.abort()
        message = RunInstruction.Result(
            success=result.success, reason=result.reason, duration=result.duration
        )
        put_assessment(message, result.report)
        message.held_by = list(result.report.held_by)
        message.held_s = result.report.held_s
        return message
