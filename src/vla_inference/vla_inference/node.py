# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node `inference`: wires topics, the action and the clocks to cycle, turns and session."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from ament_index_python.packages import PackageNotFoundError
from rclpy.task import Future
from sensor_msgs.msg import Image
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_common import qos, topics
from vla_common.clock import RateMeter, first_sequence, steady_now
from vla_common.errors import ConfigError
from vla_common.image_cdr import WireImage, read_image
from vla_common.lifecycle import VlaLifecycleNode
from vla_common.messages import stamp_to_ns
from vla_common.node_main import run
from vla_common.scheduling import NormalPriority, Priority
from vla_common.states import InferenceState, Level, Mode
from vla_inference.action_server import InstructionActionServer
from vla_inference.blending.blender import BlendingParameters, chosen
from vla_inference.confidence import ConfidenceLimits
from vla_inference.configure import (
    check_cameras,
    check_instruction,
    common_history,
    load_named,
    read_cameras,
    warmed_up,
)
from vla_inference.fallback import FallbackChain, PolicySlot
from vla_inference.inference_step import InferenceStep, StepLimits, StepResult
from vla_inference.instruction_text import worded
from vla_inference.memory import MemoryBudget, MemoryWatch
from vla_inference.messages import ChunkWriter, chunk_report, status_message
from vla_inference.observation import ObservationAssembler, ObservationBounds
from vla_inference.policy_worker import ThreadWorker
from vla_inference.scheduler import Scheduler
from vla_inference.session import InstructionOutcome, Phase, Session
from vla_inference.startup_instruction import Offer, StartupInstruction
from vla_interfaces.action import RunInstruction
from vla_interfaces.msg import InferenceStatus, SupervisorState
from vla_policy.load import load_policy
from vla_policy.scripted_policy import HoldPolicy
from vla_policy.types import InstructionRefused, Policy
from vla_robot import load_robot

FOUND_WITHIN = 1.0
"""s in which discovery normally lists a service."""


class InferenceNode(VlaLifecycleNode):
    """make_policy: what loads the bundle; tests put in a policy that fails."""

    def __init__(
        self, make_policy: Callable[..., Policy] = load_policy, **node_options: Any
    ) -> None:
        super().__init__('inference', 'vla_inference', **node_options)
        self._make_policy = make_policy
        self._policy: Policy | None = None
        self._chain: FallbackChain | None = None
        self._initial = StartupInstruction()

    # -- lifecycle -----------------------------------------------------------------------------

    def setup(self) -> None:
        p = self.params
        # OpenCV would otherwise take every core for a resize, from the control loops.
        cv2.setNumThreads(p.threads)
        self._topics = read_cameras(p.cameras.names, p.cameras.color, p.cameras.depth)
        self._robot = load_robot(p.robot)
        self._warm_up_told = ''
        names = [('policy', p.policy)]
        if p.fallback_policy:
            names.append(('fallback_policy', p.fallback_policy))
        # Torn down with whatever was built when a later one is refused.
        self._chain = FallbackChain(())
        for key, name in names:
            self._chain = FallbackChain((*self._chain.links, self._load(key, name)))
        self._memory = MemoryWatch(
            p.memory.to(MemoryBudget),
            [link.policy.memory for link in self._chain.links],
        )
        self._memory.check()
        self._policy = self._chain.links[0].policy
        self._instruction = check_instruction(self._policy, p.instruction)
        self._lock = threading.RLock()
        self._session = Session(p.time_limit, p.start_timeout)
        bounds = p.observation.select(ObservationBounds, frozen_after=p.frozen_after)
        names = self._robot.joint_names
        bundles = [link.policy.bundle for link in self._chain.links]
        self._cameras = _each_once(camera for b in bundles for camera in b.cameras)
        self._depths = _each_once(camera for b in bundles for camera in b.depth_cameras)
        history = common_history(bundles)
        self._assembler = ObservationAssembler(names, self._cameras, bounds, self._depths, history)
        self._speed_scale = 0.0
        self._cycle = InferenceStep(
            self._chain,
            HoldPolicy(self._robot),
            self._assembler,
            self._session,
            p.select(StepLimits),
            names,
            self._lock,
            steady_now,
            lambda: self.get_clock().now().nanoseconds,
            # Until the filter has said its scale, nothing is scaled.
            lambda: self._speed_scale or 1.0,
        )
        self._attempt: StepResult | None = None
        self._rate = RateMeter(2.0)
        self._sequence = first_sequence()
        self._chunks = 0
        self._writer = ChunkWriter()
        self._turns = Scheduler(
            self._cycle.attempt,
            self._publish,
            lambda: self.report_error('attempt'),
            p.inference_frequency,
        )
        self._wire()

    def _load(self, key: str, name: str) -> PolicySlot:
        """One bundle of the chain, warmed up."""
        p = self.params
        # The model and the threads that it makes compute beside others, not before them.
        with NormalPriority():
            policy = load_named(
                key,
                name,
                self._models,
                self._make_policy,
                self._robot,
                threads=p.threads,
                device=p.device,
                accept_failed=p.accept_failed_verification,
                timeout=p.policy_timeout,
                precision=p.precision,
            )
            try:
                check_cameras(policy.bundle, self._topics)
                usual, worst = warmed_up(policy, self._robot, p.policy_timeout)
            except ConfigError:
                policy.close()
                raise
        self._tell_warm_up(policy, usual, worst)
        led = policy.takes_prefix
        mode = chosen(p.blending.mode, policy.bundle.blending, led)
        return PolicySlot(
            policy,
            ThreadWorker(policy, steady_now, self._on_answer),
            p.blending.select(BlendingParameters, mode=mode),
            p.confidence.to(ConfidenceLimits),
        )

    def _wire(self) -> None:
        self._chunk_out = self.add_publisher(topics.ACTION_CHUNK)
        self._status_out = self.add_publisher(topics.INFERENCE_STATUS)
        self._report_out = self.add_publisher(topics.CHUNK_REPORT)
        for camera in self._cameras:
            self._see(self._topics[camera].color, camera, self._assembler.add_image)
        for camera in self._depths:
            self._see(self._topics[camera].depth, camera, self._assembler.add_depth)
        joints, imu = (
            ('header.stamp', 'name', 'position', 'velocity'),
            ('header.stamp', 'orientation'),
        )
        self.subscribe_fields(topics.JOINT_STATES, joints, self._on_joints)
        self.subscribe_fields(topics.IMU, imu, self._on_imu)
        self.subscribe(topics.SUPERVISOR_STATE, self._on_supervisor)
        self.subscribe_fields(topics.SAFETY_STATUS, ('speed_scale',), self._on_safety)
        self.subscribe(topics.INSTRUCTION, self._on_instruction)
        self._start_client = self.create_client(Trigger, '/supervisor/start')
        self.track(lambda: self.destroy_client(self._start_client))
        self._goals = InstructionActionServer(self, self._accept, self._cancel)
        self.track(self._goals.destroy)
        self.add_timer(0.02, self._deliver, always=True)
        self.add_timer(0.2, self._send_feedback)

    def _see(self, topic: str, camera: str, add: Callable[..., bool]) -> None:
        """Like `subscribe`, for images, which are read in place."""
        guarded = self.guard(
            lambda serialized: self._on_image(camera, add, read_image(serialized)),
            f'subscription {topic}',
            False,
        )
        subscription = self.create_subscription(Image, topic, guarded, qos.IMAGE, raw=True)
        self.track(lambda: self.destroy_subscription(subscription))

    def start(self) -> None:
        if self._cycle.calling_since is not None:
            raise RuntimeError('the last policy call has not returned yet')
        with self._lock:
            self._assembler.clear()
        self._turns.start()

    def secure(self) -> None:
        """No chunk leaves from here on; whoever waits for a result gets it."""
        if not self.configured:
            return
        with self._lock:
            self._session.abandon('the inference node was taken out of service', steady_now())
        self._deliver()

    def stop(self) -> None:
        self._turns.stop()
        if self._cycle.calling_since is not None:
            self.get_logger().warning('a policy call is still out; its answer will be dropped')

    def teardown(self) -> None:
        chain, self._chain, self._policy = self._chain, None, None
        if chain is not None:
            for link in chain.links:
                link.caller.close()

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
        if self._policy.graph:
            values['cuda_graph'] = self._policy.graph
        host, device = self._memory.used()
        values['memory_mb'] = f'{host:.0f} ({device:.0f} on the device)'
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
        if attempt.state in (InferenceState.BLOCKED, InferenceState.FALLBACK):
            return Level.WARNING, f'{attempt.state.name}: {attempt.reason}', values
        beyond = self._memory.beyond()
        if beyond is not None:
            return Level.WARNING, f'{beyond[0]}: {beyond[1]:.0f} MB of {beyond[2]:.0f}', values
        return Level.SAFE, attempt.state.name, values

    # -- configure -----------------------------------------------------------------------------

    def _models(self) -> Path:
        try:
            return self.share('vla_bringup', 'models')
        except PackageNotFoundError as error:
            if '/' in self.params.policy:
                return Path()
            raise ConfigError(
                'parameters',
                'policy',
                self.params.policy,
                'a directory: vla_bringup, which has the named bundles, is not built',
            ) from error

    def _tell_warm_up(self, policy: Policy, usual: float, worst: float) -> None:
        took = f'{1e3 * usual:.1f} (worst {1e3 * worst:.1f})'
        self._warm_up_told = self._warm_up_told or took
        budget = 1.0 / self.params.inference_frequency
        told = f'{policy.bundle.title} ({policy.bundle.runtime}): {took} ms a call'
        if usual > budget:
            self.get_logger().warning(
                f'{told}, longer than the period of {1e3 * budget:.0f} ms: chunks come slower'
            )
        else:
            self.get_logger().info(f'{told}, period {1e3 * budget:.0f} ms')

    # -- messages (executor's thread) ------------------------------------------------------------

    def _on_image(self, camera: str, add: Callable[..., bool], image: WireImage) -> None:
        with self._lock:
            add(
                camera,
                image.stamp_ns,
                steady_now(),
                image.height,
                image.width,
                image.step,
                image.encoding,
                image.content,
            )
        self._turns.take(wait=False)

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
        # What stopped it may be gone by now, as a stall is.
        causes = [cause for cause in message.causes if cause.present] or message.causes
        why = ', '.join(cause.name for cause in causes)
        self._offer_initial(mode, message.motion_epoch)
        with self._lock:
            now = steady_now()
            self._session.on_mode(mode, why, stamp_to_ns(message.header.stamp), now)
            # Asked for once the service is discovered. rmw_fastrtps can deny that for minutes, as
            # long as it lists what ended processes left; the supervisor is heard, so ask anyway.
            ready = self._session.starting_for(now) > FOUND_WITHIN or (
                self._session.phase is Phase.STARTING and self._start_client.service_is_ready()
            )
            asked = self._session.wants_start() if ready else None
        if asked is not None:
            future = self._start_client.call_async(Trigger.Request())
            future.add_done_callback(lambda done: self._on_start_answer(asked, done))

    def _offer_initial(self, mode: Mode, motion_epoch: int) -> None:
        text = self._instruction
        if not text:
            return
        offer = self._initial.offer(mode, motion_epoch)
        if offer is Offer.NOW:
            self._accept(text, 0.0, patient=True)
        elif offer is Offer.TOO_LATE:
            self.get_logger().warning(
                f'instruction "{text}" from the parameter is not carried out: the robot has run '
                f'or been stopped before (motion epoch {motion_epoch}); send it again'
            )

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
        try:
            text = worded(message.data)
        except ValueError as error:
            self.get_logger().warning(f'refused: {error}', throttle_duration_sec=1.0)
            return
        if text:
            self._accept(text, 0.0)
            return
        self._cancel(self._session.id)

    def _accept(self, text: str, time_limit: float, patient: bool = False) -> int:
        with self._lock:
            now = steady_now()
            id_ = self._session.accept(text, now, time_limit, patient)
            self.get_logger().info(f'instruction {id_}: "{text}"')
            try:
                self._policy.check(text)
            except InstructionRefused as error:
                self._session.end(id_, InstructionOutcome.ABORTED, str(error), now)
        return id_

    def _cancel(self, id_: int) -> None:
        with self._lock:
            self._session.cancel(id_, steady_now())

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
            self._goals.ended(result)

    def _send_feedback(self) -> None:
        with self._lock:
            id_, phase = self._session.id, self._session.phase.value
            elapsed = self._session.elapsed(steady_now())
        attempt = self._attempt
        feedback = RunInstruction.Feedback(
            phase=phase,
            confidence=attempt.confidence if attempt else -1.0,
            speed_scale=self._speed_scale,
            elapsed=elapsed,
        )
        self._goals.tell(id_, feedback)

    # -- attempts (whose turn it is) ---------------------------------------------------------------

    def _on_answer(self) -> None:
        """In the policy's thread."""
        if self.active:
            self._turns.take(wait=True)

    def _publish(self, attempt: StepResult) -> None:
        if attempt.chunk is not None:
            message = self._writer.write(attempt.chunk, attempt.stamp_ns)
            with self._lock:
                # Under the lock that a change of mode takes: nothing leaves after it.
                running = self._session.running(steady_now())
                sent = running is not None and running.id == attempt.running.id
                if sent:
                    self._chunk_out.publish(message)
                    self._chunks += 1
            if sent:
                report = chunk_report(attempt, self._cycle, self._mode(attempt))
                report.sequence = self._chunks
                self._report_out.publish(report)
            if attempt.origin.joined is not None:
                attempt.origin.joined.prepare()
        self._attempt = attempt
        self._rate.tick(steady_now())
        self._status_out.publish(self._status(attempt))

    def _mode(self, attempt: StepResult) -> str:
        links, at = self._chain.links, attempt.origin.link
        return links[at].blender.mode.value if at < len(links) else ''

    def _status(self, attempt: StepResult) -> InferenceStatus:
        with self._lock:
            message = status_message(attempt, self._cycle, self._session, steady_now())
            message.camera_frozen = self._assembler.camera_frozen
        self._sequence += 1
        message.header.stamp = self.stamp()
        message.sequence = self._sequence
        message.chunks_published = self._chunks
        bundle = (self._chain.link or self._chain.links[0]).policy.bundle
        message.policy, message.runtime = bundle.title, bundle.runtime
        return message


def _each_once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def main(make_node: Callable[[], InferenceNode] = InferenceNode) -> None:
    # A chunk passes through two threads; with the default of 5 ms each may wait that long for the
    # interpreter while another one runs.
    sys.setswitchinterval(0.0002)
    sys.exit(run(make_node, priority=Priority.INFERENCE))


if __name__ == '__main__':
    main()
