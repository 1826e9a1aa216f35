# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node `inference`: connects topics, action and clocks to the inference step."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
from ament_index_python.packages import PackageNotFoundError
from sensor_msgs.msg import Image

from vla_common import qos, topics
from vla_common.clock import RateMeter, first_sequence, steady_now
from vla_common.errors import ConfigError
from vla_common.image_cdr import WireImage, read_image
from vla_common.lifecycle import VlaLifecycleNode
from vla_common.messages import has_orientation
from vla_common.node_main import run
from vla_common.scheduling import NormalPriority, Priority
from vla_common.states import InferenceState, Level
from vla_inference.action_server import InstructionServer
from vla_inference.admission import AdmissionLimits
from vla_inference.blender import UNKNOWN, BlendingParameters, chosen
from vla_inference.camera_pose import CameraMount
from vla_inference.completion import CompletionLimits
from vla_inference.confidence import ConfidenceLimits
from vla_inference.configure import (
    MemoryBudget,
    MemoryMonitor,
    check_cameras,
    check_instruction,
    common_history,
    each_once,
    load_named,
    read_cameras,
    warmed_up,
)
from vla_inference.fallback import FallbackChain, PolicySlot
from vla_inference.filter_holds import FilterHolds
from vla_inference.inference_step import InferenceStep, StepLimits, StepResult
from vla_inference.messages import (
    FILTER_FIELDS,
    ChunkWriter,
    FilterStatus,
    chunk_report,
    status_message,
)
from vla_inference.observation import JOINTS_KEPT, ObservationAssembler, ObservationBounds
from vla_inference.policy_worker import ThreadWorker
from vla_inference.scheduler import Scheduler
from vla_inference.session import Session, StartupInstruction
from vla_inference.task_monitor import TaskMonitor
from vla_interfaces.msg import InferenceStatus
from vla_policy.load import load_policy
from vla_policy.scripted_policy import HoldPolicy
from vla_policy.types import Policy
from vla_robot import load_robot


class InferenceNode(VlaLifecycleNode):
    """make_policy: loads a bundle; tests replace it."""

    def __init__(
        self, make_policy: Callable[..., Policy] = load_policy, **node_options: Any
    ) -> None:
        super().__init__('inference', 'vla_inference', **node_options)
        self._make_policy = make_policy
        self._policy: Policy | None = None
        self._chain: FallbackChain | None = None
        self._startup = StartupInstruction()

    # -- lifecycle -----------------------------------------------------------------------------

    def setup(self) -> None:
        p = self.params
        # OpenCV would otherwise use every core for a resize, and delay the control loops.
        cv2.setNumThreads(p.threads)
        self._topics = read_cameras(p.cameras.names, p.cameras.color, p.cameras.depth)
        self._robot = load_robot(p.robot)
        self._warm_up_ms = ''
        bundles = [('policy', p.policy)]
        if p.fallback_policy:
            bundles.append(('fallback_policy', p.fallback_policy))
        # Teardown closes the loaded ones when a later one is rejected.
        self._chain = FallbackChain(())
        for key, name in bundles:
            self._chain = FallbackChain((*self._chain.slots, self._load(key, name)))
        policies = [slot.policy for slot in self._chain.slots]
        self._memory = MemoryMonitor(
            p.memory.to(MemoryBudget), [policy.memory for policy in policies]
        )
        self._memory.check()
        self._policy = policies[0]
        self._instruction = check_instruction(self._policy, p.instruction)
        self._lock = threading.RLock()
        judges = self._policy.bundle.acceptance.judges
        self._session = Session(p.time_limit, p.start_timeout, judges)
        bounds = p.observation.select(ObservationBounds, frozen_after=p.frozen_after)
        names = self._robot.joint_names
        self._cameras = each_once(c for policy in policies for c in policy.bundle.cameras)
        self._depths = each_once(c for policy in policies for c in policy.bundle.depth_cameras)
        history = common_history([policy.bundle for policy in policies])
        self._assembler = ObservationAssembler(
            names,
            self._cameras,
            bounds,
            self._depths,
            history,
            self._wall_ns,
            velocity=any(policy.bundle.needs_velocity for policy in policies),
            mount=CameraMount(self._robot),
        )
        self._playback = UNKNOWN
        self._speed_scale = 0.0
        self._holds = FilterHolds()
        self._step = InferenceStep(
            self._chain,
            HoldPolicy(self._robot),
            self._assembler,
            self._session,
            p.select(StepLimits),
            names,
            self._lock,
            steady_now,
            lambda: self.get_clock().now().nanoseconds,
            lambda: self._playback,
            TaskMonitor(p.judge.to(AdmissionLimits), p.done.to(CompletionLimits), self._holds),
        )
        self._result: StepResult | None = None
        self._rate = RateMeter(2.0)
        self._sequence = first_sequence()
        self._chunks = 0
        self._writer = ChunkWriter()
        self._scheduler = Scheduler(
            self._run_step,
            self._publish,
            lambda: self.report_error('inference step'),
            p.inference_frequency,
        )
        self._wire()

    def _load(self, key: str, name: str) -> PolicySlot:
        """One bundle of the chain, warmed up."""
        p = self.params
        # The threads of the model run at normal priority, not before others.
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
                limits = (p.policy_timeout, p.first_call_timeout)
                usual, worst = warmed_up(policy, self._robot, *limits)
            except ConfigError:
                policy.close()
                raise
        self._report_warm_up(policy, usual, worst)
        mode = chosen(p.blending.mode, policy.bundle.blending, policy.takes_prefix)
        return PolicySlot(
            policy,
            ThreadWorker(policy, steady_now, self._on_answer),
            p.blending.select(BlendingParameters, mode=mode),
            p.confidence.to(ConfidenceLimits),
        )

    def _models(self) -> Path:
        try:
            return self.share('vla_bringup', 'models')
        except PackageNotFoundError as error:
            policy = self.params.policy
            if '/' in policy:
                return Path()
            wanted = 'a directory: vla_bringup, which has the named bundles, is not built'
            raise ConfigError('parameters', 'policy', policy, wanted) from error

    def _report_warm_up(self, policy: Policy, usual: float, worst: float) -> None:
        took = f'{1e3 * usual:.1f} (worst {1e3 * worst:.1f})'
        self._warm_up_ms = self._warm_up_ms or took
        period = 1.0 / self.params.inference_frequency
        text = f'{policy.bundle.title} ({policy.bundle.runtime}): {took} ms a call'
        if usual > period:
            self.get_logger().warning(
                f'{text}, longer than the period of {1e3 * period:.0f} ms: chunks come slower'
            )
        else:
            self.get_logger().info(f'{text}, period {1e3 * period:.0f} ms')

    def _wire(self) -> None:
        self._chunk_out = self.add_publisher(topics.ACTION_CHUNK)
        self._status_out = self.add_publisher(topics.INFERENCE_STATUS)
        self._report_out = self.add_publisher(topics.CHUNK_REPORT)
        for camera in self._cameras:
            self._subscribe_image(self._topics[camera].color, camera, self._assembler.add_image)
        for camera in self._depths:
            self._subscribe_image(self._topics[camera].depth, camera, self._assembler.add_depth)
        joints = ('header.stamp', 'name', 'position', 'velocity')
        self._joints_in = self.poll(topics.JOINT_STATES, joints, depth=JOINTS_KEPT)
        imu = ('header.stamp', 'orientation', 'orientation_covariance')
        self._imu_in = self.poll(topics.IMU, imu, depth=JOINTS_KEPT)
        self._safety_in = self.poll(topics.SAFETY_STATUS, FILTER_FIELDS)
        self._instructions = InstructionServer(
            self, self._session, self._lock, self._policy.check, self._startup, self._instruction
        )
        self.add_timer(0.02, self._instructions.deliver, always=True)
        self.add_timer(0.2, self._publish_feedback)
        self.add_timer(0.2, self._instructions.check_client)

    def _subscribe_image(self, topic: str, camera: str, add: Callable[..., bool]) -> None:
        """Like `subscribe`, for images, which are read in place."""
        guarded = self.guard(
            lambda serialized: self._on_image(camera, add, read_image(serialized)),
            f'subscription {topic}',
            False,
        )
        subscription = self.create_subscription(Image, topic, guarded, qos.IMAGE, raw=True)
        self.track(lambda: self.destroy_subscription(subscription))

    def start(self) -> None:
        if self._step.calling_since is not None:
            raise RuntimeError('the last policy call has not returned yet')
        with self._lock:
            self._assembler.clear()
        self._scheduler.start()

    def secure(self) -> None:
        """No chunk is published from here on; waiting goals get their result."""
        if not self.configured:
            return
        with self._lock:
            self._session.abandon('the inference node was taken out of service', steady_now())
        self._instructions.deliver()

    def stop(self) -> None:
        self._scheduler.stop()
        if self._step.calling_since is not None:
            self.get_logger().warning('a policy call is pending; its answer will be dropped')

    def teardown(self) -> None:
        chain, self._chain, self._policy = self._chain, None, None
        if chain is not None:
            for slot in chain.slots:
                slot.worker.close()

    def finish(self, elapsed: float) -> bool:
        # A few turns of the executor, so that results reach their goals.
        return elapsed > 0.1

    def diagnose(self) -> tuple[Level, str, dict[str, str]]:
        policy, step, result = self._policy, self._step, self._result
        now = steady_now()
        host, device = self._memory.used()
        values = {
            'policy': policy.bundle.title,
            'runtime': policy.bundle.runtime,
            'warm_up_ms': self._warm_up_ms,
            'rate_hz': f'{self._rate.rate(now):.1f}',
            'chunks_published': str(self._chunks),
            'policy_errors': str(step.policy_errors),
            'chunks_not_followed': str(step.chunks_not_followed),
            'observations_rejected': str(step.observations_rejected),
            'messages_refused': str(self._assembler.refused),
            'images_stale': str(self._assembler.stale_images),
            'supervisor_messages_rejected': str(self._instructions.states_rejected),
            'instructions_rejected': str(self._instructions.instructions_rejected),
            'last_result': self._session.last_result,
            'memory_mb': f'{host:.0f} ({device:.0f} on the device)',
        }
        if policy.graph:
            values['cuda_graph'] = policy.graph
        if not self.active:
            return Level.WARNING, 'inactive', values
        since = step.calling_since
        if since is not None and now - since > self.params.policy_timeout:
            return Level.DANGER, f'policy call pending for {now - since:.1f} s', values
        if frozen := self._assembler.frozen_reason:
            return Level.DANGER, frozen, values
        if result is None:
            return Level.WARNING, 'no inference step yet', values
        values['inference_ms'] = f'{1e3 * result.inference:.1f}'
        if result.state in (InferenceState.BLOCKED, InferenceState.FALLBACK):
            return Level.WARNING, f'{result.state.name}: {result.reason}', values
        if step.cannot_follow:
            return Level.WARNING, step.cannot_follow, values
        beyond = self._memory.beyond()
        if beyond is not None:
            return Level.WARNING, f'{beyond[0]}: {beyond[1]:.0f} MB of {beyond[2]:.0f}', values
        return Level.SAFE, result.state.name, values

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
                image.big_endian,
                image.frame_id,
            )
        self._scheduler.run_step(wait=False)

    def _wall_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _publish_feedback(self) -> None:
        confidence = self._result.confidence if self._result else -1.0
        self._instructions.publish_feedback(confidence, self._speed_scale)

    # -- inference steps (thread of the scheduler's choice) ----------------------------------------

    def _run_step(self, may_call: bool) -> StepResult:
        """Take what came from robot and filter since the last step, then run one."""
        with self._lock:
            for stamp_ns, names, position, velocity in self._joints_in.all():
                received = self._joints_in.arrived
                self._assembler.add_joints(stamp_ns, received, names, position, velocity)
            for stamp_ns, xyzw, covariance in self._imu_in.all():
                wxyz = xyzw[[3, 0, 1, 2]] if has_orientation(covariance) else None
                self._assembler.add_imu(stamp_ns, self._imu_in.arrived, wxyz)
            status = self._safety_in.newest()
            if status is not None:
                self._on_filter(FilterStatus(*status))
        return self._step.run(may_call)

    def _on_filter(self, status: FilterStatus) -> None:
        self._speed_scale = status.speed_scale
        self._playback = status.playback
        self._holds.update(status.stamp_ns, status.counter_names, status.counter_values)
        self._session.on_filter(status.motion_ended, status.stamp_ns, steady_now())

    def _on_answer(self) -> None:
        """In the policy's thread."""
        if self.active:
            self._scheduler.run_step(wait=True)

    def _publish(self, result: StepResult) -> None:
        if result.chunk is not None:
            message = self._writer.write(result.chunk, result.stamp_ns)
            with self._lock:
                # Under the lock that a change of mode takes: no chunk leaves after it.
                running = self._session.running(steady_now())
                sent = running is not None and running.id == result.running.id
                if sent:
                    self._chunk_out.publish(message)
                    self._chunks += 1
            if sent:
                slots, at = self._chain.slots, result.origin.slot
                mode = slots[at].blender.mode.value if at < len(slots) else ''
                report = chunk_report(result, self._step, mode)
                report.sequence = self._chunks
                self._report_out.publish(report)
            if result.origin.joined is not None:
                result.origin.joined.prepare()
        self._result = result
        self._rate.tick(steady_now())
        self._status_out.publish(self._status(result))

    def _status(self, result: StepResult) -> InferenceStatus:
        with self._lock:
            message = status_message(result, self._step, self._session, steady_now())
            message.camera_frozen = self._assembler.camera_frozen
        self._sequence += 1
        message.header.stamp = self.stamp()
        message.sequence = self._sequence
        message.chunks_published = self._chunks
        bundle = (self._chain.slot or self._chain.slots[0]).policy.bundle
        message.policy, message.runtime = bundle.title, bundle.runtime
        return message


def main(make_node: Callable[[], InferenceNode] = InferenceNode) -> None:
    # A chunk passes through two threads; with the default of 5 ms each may wait that long for the
    # interpreter lock.
    sys.setswitchinterval(0.0002)
    sys.exit(run(make_node, priority=Priority.INFERENCE))


if __name__ == '__main__':
    main()
