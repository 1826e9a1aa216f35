# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`/vla/run_instruction`: the action behind which an instruction of the session runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.task import Future

from vla_common.lifecycle import VlaLifecycleNode
from vla_inference.instruction_text import check_time_limit, worded
from vla_inference.session import InstructionOutcome, Result
from vla_interfaces.action import RunInstruction


class InstructionActionServer:
    """The goals that wait for their instructions. All of it in the executor's thread.

    Args:
        node: goals are refused while it is not active.
        accept: (text, time_limit in s) of an instruction; its id in the session.
        cancel: id.
    """

    def __init__(
        self,
        node: VlaLifecycleNode,
        accept: Callable[[str, float], int],
        cancel: Callable[[int], None],
    ) -> None:
        self._node = node
        self._accept = accept
        self._cancel = cancel
        self._ends: dict[int, Future] = {}
        self._running: dict[int, Any] = {}
        self._server = ActionServer(
            node,
            RunInstruction,
            '/vla/run_instruction',
            execute_callback=self._execute,
            goal_callback=self._on_goal,
            handle_accepted_callback=self._on_accepted,
            cancel_callback=self._on_cancel,
        )

    def destroy(self) -> None:
        """Give the action up."""
        self._server.destroy()

    def ended(self, result: Result) -> None:
        """An instruction has ended; a goal that waits for it gets its result."""
        self._running.pop(result.id, None)
        end = self._ends.get(result.id)
        if end is not None:
            end.set_result(result)

    def tell(self, id_: int, feedback: RunInstruction.Feedback) -> None:
        """To the goal of that instruction, if it has one."""
        goal = self._running.get(id_)
        if goal is not None and goal.is_active:
            goal.publish_feedback(feedback)

    def _on_goal(self, goal: RunInstruction.Goal) -> GoalResponse:
        reason = ''
        try:
            check_time_limit(goal.time_limit)
            if not worded(goal.instruction):
                reason = 'the instruction is empty'
        except ValueError as error:
            reason = str(error)
        if not self._node.active:
            reason = 'the inference node is not active'
        if not reason:
            return GoalResponse.ACCEPT
        self._node.get_logger().warning(f'goal refused: {reason}')
        return GoalResponse.REJECT

    def _on_accepted(self, goal: Any) -> None:
        id_ = self._accept(worded(goal.request.instruction), goal.request.time_limit)
        self._ends[id_] = Future()
        self._running[id_] = goal
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
        return RunInstruction.Result(
            success=result.success, reason=result.reason, duration=result.duration
        )
