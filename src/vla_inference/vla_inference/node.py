# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node `inference`: wires topics, the action and the clocks to the cycle and the session.

Two threads. The executor's: messages, services, action, diagnostics; it never waits. The worker's:
one attempt after the other, and the status, which is the heartbeat: if the policy hangs, the
heartbeat stops, and diagnostics (from the executor) say since when the call has been out.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.task import Future
from sensor_msgs.msg import Image, Imu, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_common import qos
from vla_common.clock import RateMeter, first_sequence, steady_now
from vla_common.errors import ConfigError
from vla_common.levels import Level
from vla_common.lifecycle import VlaLifecycleNode, run
from vla_common.messages import ns_to_stamp, seconds_to_duration, stamp_to_ns
from vla_common.modes import Mode
from vla_inference.cycle import Attempt, InferenceCycle, Limits, State
from vla_inference.locate import locate_bundle
from vla_inference.observation import Bounds, ObservationAssembler
from vla_inference.policy import (
    InstructionRefused,
    Observation,
    Policy,
    PolicyError,
    load_policy,
    warm_up,
)
from vla_inference.runtimes.scripted import HoldPolicy
from vla_inference.session import Outcome, Phase, Result, Session
from vla_interfaces.action import RunInstruction
from vla_interfaces.msg import InferenceStatus, SafetyStatus, SupervisorState
from vla_robot import load_robot

CAMERA_TOPICS = {'head': '/camera/color/image_raw'}
JOIN_TIMEOUT = 1.0


class InferenceNode(VlaLifecycleNode):
    """make_policy: what loads the bundle; tests put in a policy that fails."""

    def __init__(
        self, make_policy: Callable[..., Policy] = load_policy, **node_options: Any
    ) -> None:
        super().__init__('inference', 'vla_inference', **node_options)
        self._make_policy = make_policy
        self._policy: Policy | None = None
        self._worker: threading.Thread | None = None
        self._halt = threading.Event()
        # Once per process: neither a new configuration nor a new activation begins it again.
        self._initial_used = False

    # -- lifecycle -----------------------------------------------------------------------------

    def setup(self) -> None:
        p = self.params
        # OpenCV would otherwise take every core for a resize, from the control loops.
        cv2.setNumThreads(p.threads)
        self._robot = load_robot(p.robot)
        path = locate_bundle(p.policy, self._models())
        self._policy = self._make_policy(
            path,
            self._robot,
            threads=p.threads,
            device=p.device,
            accept_failed=p.accept_failed_verification,
        )
        bundle = self._policy.bundle
        for camera in bundle.cameras:
            if camera not in CAMERA_TOPICS:
                raise ConfigError(
                    str(bundle.file), 'inputs.image.camera', camera, ', '.join(CAMERA_TOPICS)
                )
        self._check_initial()
        self._lock = threading.RLock()
        self._session = Session(p.time_limit, p.start_timeout)
        bounds = Bounds(
            p.observation.max_age,
            p.observation.max_skew,
            p.observation.max_future,
            p.frozen_after,
        )
        names = self._robot.joint_names
        self._assembler = ObservationAssembler(names, bundle.cameras, bounds)
        self._cycle = InferenceCycle(
            self._policy,
            HoldPolicy(self._robot),
            self._assembler,
            self._session,
            Limits(
                p.policy_timeout,
                p.fallback_after,
                p.fallback_duration,
                p.blocked_timeout,
                p.settle.time,
                p.settle.epsilon,
                p.settle.velocity,
            ),
            names,
            self._lock,
            steady_now,
            lambda: self.get_clock().now().nanoseconds,
        )
        self._warm_up()
        self._attempt: Attempt | None = None
        self._rate = RateMeter(2.0)
        self._sequence = first_sequence()
        self._chunks = 0
        self._speed_scale = 0.0
        self._goals: dict[int, Future] = {}
        self._feedback: dict[int, Any] = {}
        self._wire()

    def _wire(self) -> None:
        self._chunk_out = self.advertise(JointTrajectory, '/vla/action_chunk', qos.COMMAND)
        self._status_out = self.advertise(InferenceStatus, '/vla/inference_status', qos.STATE)
        for camera in self._policy.bundle.cameras:
            self.subscribe(
                Image,
                CAMERA_TOPICS[camera],
                lambda message, camera=camera: self._on_image(camera, message),
                qos.IMAGE,
            )
        joints, imu = (
            ('header.stamp', 'name', 'position', 'velocity'),
            ('header.stamp', 'orientation'),
        )
        self.hear(JointState, '/joint_states', joints, self._on_joints, qos.STATE_SUB)
        self.hear(Imu, '/imu/data', imu, self._on_imu, qos.STATE_SUB)
        self.subscribe(SupervisorState, '/supervisor/state', self._on_supervisor, qos.STATE_SUB)
        self.hear(SafetyStatus, '/safety/status', ('speed_scale',), self._on_safety, qos.STATE_SUB)
        self.subscribe(String, '/vla/instruction', self._on_instruction, qos.COMMAND)
        self._start_client = self.create_client(Trigger, '/supervisor/start')
        self.track(lambda: self.destroy_client(self._start_client))
        server = ActionServer(
            self,
            RunInstruction,
            '/vla/run_instruction',
            execute_callback=self._execute,
            goal_callback=self._on_goal,
            handle_accepted_callback=self._on_accepted,
            cancel_callback=self._on_cancel,
        )
        self.track(server.destroy)
        self.every(0.02, self._deliver, always=True)
        self.every(0.2, self._send_feedback)

    def start(self) -> None:
        if self._worker is not None and self._worker.is_alive():
            raise RuntimeError('the last policy call has not returned yet')
        with self._lock:
            self._assembler.clear()
        self._halt = threading.Event()
        self._worker = threading.Thread(
            target=self._work, args=(self._halt,), name='inference worker', daemon=True
        )
        self._worker.start()

    def secure(self) -> None:
        """No chunk leaves from here on; whoever waits for a result gets it."""
        if not self.configured:
            return
        with self._lock:
            self._session.abandon('the inference node was taken out of service', steady_now())
        self._deliver()

    def stop(self) -> None:
        self._halt.set()
        if self._worker is not None:
            self._worker.join(JOIN_TIMEOUT)
            if self._worker.is_alive():
                self.get_logger().error('the policy call has not returned; its answer is dropped')
                return
        self._worker = None

    def teardown(self) -> None:
        policy, self._policy = self._policy, None
        if policy is not None and not (self._worker is not None and self._worker.is_alive()):
            policy.close()

    def finish(self, elapsed: float) -> bool:
        # A few turns of the executor, so that results reach whoever waits for them.
        return elapsed > 0.1

    def diagnose(self) -> tuple[Level, str, dict[str, str]]:
        bundle, cycle, attempt = self._policy.bundle, self._cycle, self._attempt
        now = steady_now()
        values = {
            'policy': bundle.title,
            'runtime': bundle.runtime,
            'warm_up_ms': self._warm_up_told,
            'rate_hz': f'{self._rate.rate(now):.1f}',
            'chunks_published': str(self._chunks),
            'policy_errors': str(cycle.policy_errors),
            'observations_rejected': str(cycle.observations_rejected),
            'messages_refused': str(self._assembler.refused),
            'last_result': self._session.last_result,
        }
        if not self.active:
            return Level.WARNING, 'inactive', values
        since = cycle.calling_since
        if since is not None and now - since > self.params.policy_timeout:
            return Level.DANGER, f'policy call out for {now - since:.1f} s', values
        if self._assembler.camera_frozen:
            return Level.DANGER, 'camera frozen', values
        if attempt is None:
            return Level.WARNING, 'no attempt yet', values
        values['inference_ms'] = f'{1e3 * attempt.inference:.1f}'
        if attempt.state in (State.BLOCKED, State.FALLBACK):
            return Level.WARNING, f'{attempt.state.name}: {attempt.reason}', values
        return Level.SAFE, attempt.state.name, values

    # -- configure -----------------------------------------------------------------------------

    def _models(self):
        from ament_index_python.packages import PackageNotFoundError

        try:
            return self.share('vla_bringup', 'models')
        except PackageNotFoundError as error:
            if '/' in self.params.policy:
                from pathlib import Path

                return Path()
            raise ConfigError(
                'parameters',
                'policy',
                self.params.policy,
                'a directory: vla_bringup, which has the named bundles, is not built',
            ) from error

    def _check_initial(self) -> None:
        text = self.params.instruction
        if text:
            try:
                self._policy.check(text)
            except InstructionRefused as error:
                raise ConfigError(
                    'parameters', 'instruction', str(error), 'one of those'
                ) from error

    def _warm_up(self) -> None:
        """Time the policy on a black image, so that the first real call is not the slow one."""
        bundle = self._policy.bundle
        camera = self._robot.camera
        black = np.zeros((camera.height, camera.width, 3), np.uint8)
        first = next(iter(bundle.motions.values()), None)
        words = ' '.join(word.split('|')[0] for word in first.words) if first else ''
        observation = Observation(
            images={name: black for name in bundle.cameras},
            position=self._robot.poses['standing'].copy(),
            velocity=np.zeros(len(self._robot.joint_names)),
            orientation=np.array([1.0, 0.0, 0.0, 0.0]),
            instruction=words or 'hold still',
            stamp_ns=0,
            elapsed=0.0,
        )
        try:
            durations = warm_up(self._policy, observation)
        except PolicyError as error:
            raise ConfigError(str(bundle.file), 'model', str(error), 'a usable chunk') from error
        usual, worst = sorted(durations)[len(durations) // 2], max(durations)
        self._warm_up_told = f'{1e3 * usual:.1f} (worst {1e3 * worst:.1f})'
        budget = 1.0 / self.params.inference_frequency
        told = f'{bundle.title} ({bundle.runtime}): {self._warm_up_told} ms a call'
        if usual > self.params.policy_timeout:
            raise ConfigError(
                str(bundle.file),
                'model',
                f'{usual:.3f} s a call',
                f'at most policy_timeout, {self.params.policy_timeout} s',
            )
        if usual > budget:
            self.get_logger().warning(
                f'{told}, longer than the period of {1e3 * budget:.0f} ms: chunks come slower'
            )
        else:
            self.get_logger().info(f'{told}, period {1e3 * budget:.0f} ms')

    # -- messages (executor's thread) ------------------------------------------------------------

    def _on_image(self, camera: str, message: Image) -> None:
        with self._lock:
            self._assembler.add_image(
                camera,
                stamp_to_ns(message.header.stamp),
                steady_now(),
                message.height,
                message.width,
                message.step,
                message.encoding,
                memoryview(message.data),
            )

    def _on_joints(
        self, stamp_ns: int, names: list[str], position: np.ndarray, velocity: np.ndarray
    ) -> None:
        with self._lock:
            self._assembler.add_joints(stamp_ns, steady_now(), names, position, velocity)

    def _on_imu(self, stamp_ns: int, xyzw: np.ndarray) -> None:
        with self._lock:
            self._assembler.add_imu(stamp_ns, steady_now(), xyzw[[3, 0, 1, 2]])

    def _on_safety(self, speed_scale: float) -> None:
        self._speed_scale = speed_scale

    def _on_supervisor(self, message: SupervisorState) -> None:
        mode = Mode(message.mode)
        why = ', '.join(cause.name for cause in message.causes if cause.present)
        self._offer_initial(mode, message.motion_epoch)
        with self._lock:
            now = steady_now()
            self._session.on_mode(mode, why, stamp_to_ns(message.header.stamp), now)
            # Not asked for before the service is discovered; the session's timeout bounds it.
            ready = self._session.phase is Phase.STARTING and self._start_client.service_is_ready()
            asked = self._session.wants_start() if ready else None
        if asked is not None:
            future = self._start_client.call_async(Trigger.Request())
            future.add_done_callback(lambda done: self._on_start_answer(asked, done))

    def _offer_initial(self, mode: Mode, motion_epoch: int) -> None:
        text = self.params.instruction
        if self._initial_used or not text:
            return
        if motion_epoch > 0:
            # Something has moved or stopped before: this may be a restart after a crash, and a
            # component that comes back never resumes motion.
            self._initial_used = True
            self.get_logger().warning(
                f'instruction "{text}" from the parameter is not carried out: the robot has run '
                f'or been stopped before (motion epoch {motion_epoch}); send it again'
            )
        elif mode is Mode.READY:
            self._initial_used = True
            self._accept(text, 0.0, patient=True)

    def _on_start_answer(self, id_: int, future: Future) -> None:
        try:
            answer = future.result()
            granted, message = answer.success, answer.message
        except Exception as error:  # the middleware's errors have no common base
            granted, message = False, f'{type(error).__name__}: {error}'
        with self._lock:
            self._session.start_answered(id_, granted, message, steady_now())

    def _on_instruction(self, message: String) -> None:
        """The quick way in. Empty words end what is running."""
        text = message.data.strip()
        if text:
            self._accept(text, 0.0)
            return
        with self._lock:
            self._session.cancel(self._session.id, steady_now())

    def _accept(self, text: str, time_limit: float, patient: bool = False) -> int:
        with self._lock:
            now = steady_now()
            id_ = self._session.accept(text, now, time_limit, patient)
            self.get_logger().info(f'instruction {id_}: "{text}"')
            try:
                self._policy.check(text)
            except InstructionRefused as error:
                self._session.end(id_, Outcome.ABORTED, str(error), now)
        return id_

    # -- action ----------------------------------------------------------------------------------

    def _on_goal(self, goal: RunInstruction.Goal) -> GoalResponse:
        limit = goal.time_limit
        if not self.active:
            reason = 'the inference node is not active'
        elif not goal.instruction.strip():
            reason = 'the instruction is empty'
        elif not (math.isfinite(limit) and limit >= 0.0):
            reason = f'time_limit is {limit}'
        else:
            return GoalResponse.ACCEPT
        self.get_logger().warning(f'goal refused: {reason}')
        return GoalResponse.REJECT

    def _on_accepted(self, goal: Any) -> None:
        id_ = self._accept(goal.request.instruction.strip(), goal.request.time_limit)
        self._goals[id_] = Future()
        self._feedback[id_] = goal
        goal.instruction_id = id_
        goal.execute()

    def _on_cancel(self, goal: Any) -> CancelResponse:
        with self._lock:
            self._session.cancel(goal.instruction_id, steady_now())
        return CancelResponse.ACCEPT

    async def _execute(self, goal: Any) -> RunInstruction.Result:
        # Awaiting costs nothing on the EventsExecutor: the task is woken by the future.
        result: Result = await self._goals[goal.instruction_id]
        self._goals.pop(goal.instruction_id, None)
        if result.success:
            goal.succeed()
        elif result.outcome is Outcome.CANCELLED and goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.abort()
        return RunInstruction.Result(
            success=result.success, reason=result.reason, duration=result.duration
        )

    def _deliver(self) -> None:
        """Hand ended instructions to the goals that wait for them."""
        while True:
            with self._lock:
                if not self._session.results:
                    return
                result = self._session.results.popleft()
            self.get_logger().info(
                f'instruction {result.id} ended after {result.duration:.1f} s: '
                f'{result.outcome.value}' + ('' if result.success else f' ({result.reason})')
            )
            self._feedback.pop(result.id, None)
            future = self._goals.get(result.id)
            if future is not None:
                future.set_result(result)

    def _send_feedback(self) -> None:
        with self._lock:
            goal = self._feedback.get(self._session.id)
            phase = self._session.phase.value
            elapsed = self._session.elapsed(steady_now())
        if goal is None or not goal.is_active:
            return
        attempt = self._attempt
        goal.publish_feedback(
            RunInstruction.Feedback(
                phase=phase,
                confidence=attempt.confidence if attempt else -1.0,
                speed_scale=self._speed_scale,
                elapsed=elapsed,
            )
        )

    # -- worker ------------------------------------------------------------------------------------

    def _work(self, halt: threading.Event) -> None:
        period = 1.0 / self.params.inference_frequency
        due = steady_now()
        while not halt.is_set():
            try:
                attempt = self._cycle.attempt()
                if halt.is_set():
                    return
                self._publish(attempt)
            except Exception:
                # No status leaves for an attempt that failed: the supervisor sees it missing.
                self._note_error('worker')
            now = steady_now()
            due = due + period if due + period > now else now
            halt.wait(due - now)

    def _publish(self, attempt: Attempt) -> None:
        if attempt.chunk is not None:
            message = chunk_message(attempt)
            with self._lock:
                # Under the lock that a change of mode takes: nothing leaves after it.
                running = self._session.running(steady_now())
                if running is not None and running.id == attempt.running.id:
                    self._chunk_out.publish(message)
                    self._chunks += 1
        self._attempt = attempt
        self._rate.tick(steady_now())
        self._status_out.publish(self._status(attempt))

    def _status(self, attempt: Attempt) -> InferenceStatus:
        bundle, session = self._policy.bundle, self._session
        message = InferenceStatus()
        message.header.stamp = self.stamp()
        self._sequence += 1
        message.sequence = self._sequence
        message.state = int(attempt.state)
        message.reason = attempt.reason
        message.policy = bundle.title
        message.runtime = bundle.runtime
        with self._lock:
            message.instruction = session.instruction
            message.instruction_id = session.id
            message.instructions_finished = session.finished
            message.last_result = session.last_result
            message.phase = session.phase.value
            message.elapsed = session.elapsed(steady_now())
            message.camera_frozen = self._assembler.camera_frozen
        message.confidence = attempt.confidence
        message.observation_age = attempt.age
        message.observation_skew = attempt.skew
        message.inference_ms = 1e3 * attempt.inference
        message.cycle_ms = 1e3 * attempt.duration
        message.chunks_published = self._chunks
        message.observations_rejected = self._cycle.observations_rejected
        message.policy_errors = self._cycle.policy_errors
        return message


def chunk_message(attempt: Attempt) -> JointTrajectory:
    """The chunk as a message, stamped with the observation's time."""
    chunk = attempt.chunk
    message = JointTrajectory(joint_names=list(chunk.joints))
    message.header.stamp = ns_to_stamp(attempt.stamp_ns)
    message.points = [
        JointTrajectoryPoint(positions=row.tolist(), time_from_start=seconds_to_duration(float(t)))
        for row, t in zip(chunk.positions, chunk.times, strict=True)
    ]
    return message


def main() -> None:
    sys.exit(run(InferenceNode))


if __name__ == '__main__':
    main()
