# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The inference node in a process of its own, between a simulated camera and filter.

Measured: from the moment before a frame is published until the chunk of that frame (it has the
frame's stamp) is received, without the model's own time.
"""

import gc
import os
import struct
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rclpy
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.logging import LoggingSeverity
from rclpy.serialization import serialize_message
from rclpy.task import Future
from sensor_msgs.msg import Image, Imu, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vla_common import qos, topics
from vla_common.cdr import HEADER, Reader, Writer
from vla_common.clock import steady_now
from vla_common.errors import ConfigError
from vla_common.messages import stamp_to_ns
from vla_common.scheduling import NormalPriority, Priority, Scheduled
from vla_interfaces.msg import ChunkReport, InferenceStatus, SupervisorState
from vla_supervisor.lifecycle_calls import LifecycleCalls
from vla_supervisor.lifecycle_manager import LifecycleManager, Timing
from vla_validation.inference.calls import WARM_UP
from vla_validation.inference.stages import FILE, table
from vla_validation.system_harness.machine import SchedulingObserver

START_TIMEOUT = 60.0
STATE_PERIOD = 0.01
RATE = 20.0  # frames a second
BRING_UP = Timing(
    query_timeout=2.0,
    configure_timeout=20.0,
    activate_timeout=20.0,
    poll_period=1.0,
    order_patience=1.0,
    backoff_first=1.0,
    backoff_longest=1.0,
)
PROFILE = 'FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'


def send_images_as_the_robot_does() -> None:
    """Use the transport that the launch file gives to camera and inference, here and in children.

    The one that setup.bash sets loses half of the images. Call before rclpy.init. A user's own
    profile is left alone.
    """
    ours = Path(os.environ.get(PROFILE[0], ''))
    images = ours.with_name('fastdds_images.xml')
    if ours.name == 'fastdds.xml' and images.is_file():
        os.environ.update(dict.fromkeys(PROFILE, str(images)))


class Environment:
    """Camera, driver and supervisor as far as the inference node subscribes to them."""

    def __init__(self, robot: Any, size: tuple[int, int]) -> None:
        self.node = node = rclpy.create_node('inference_benchmark')
        node.get_logger().set_level(LoggingSeverity.WARN)
        self.executor = EventsExecutor()
        self.executor.add_node(node)

        def publisher(topic: topics.Topic) -> Any:
            return node.create_publisher(topic.message_type(), topic.name, qos.publisher(topic))

        self._image = publisher(topics.COLOR_IMAGE)
        self._joints = publisher(topics.JOINT_STATES)
        self._imu = publisher(topics.IMU)
        self._state = publisher(topics.SUPERVISOR_STATE)
        self._instruction = publisher(topics.INSTRUCTION)
        # Read as the robot's nodes read: what rclpy takes to make objects is not the pipeline's.
        self._read_chunk = Reader(JointTrajectory, 'header.stamp')
        self._read_report = Reader(ChunkReport, 'header.stamp', 'model_ms')
        for topic, callback in (
            (topics.ACTION_CHUNK, self._on_chunk),
            (topics.CHUNK_REPORT, self._on_report),
        ):
            kind, profile = topic.message_type(), qos.publisher(topic)
            node.create_subscription(kind, topic.name, callback, profile, raw=True)
        node.create_subscription(
            InferenceStatus, topics.INFERENCE_STATUS.name, self._on_status, qos.STATE_SUB
        )
        node.create_service(Trigger, '/supervisor/start', self._start)
        self._mode = SupervisorState.READY
        self._sequence = 0
        width, height = size
        rng = np.random.default_rng(0)
        # Only stamps change: filling the message is the camera's business. No byte of a frame is
        # that of the frame before, as a sensor's noise has it.
        frame = Image(height=height, width=width, step=3 * width, encoding='rgb8')
        self._frames = []
        for _ in range(4):
            pixels = rng.integers(0, 256, 3 * width * height, np.uint8)
            frame.data = array('B', pixels.tobytes())
            self._frames.append(bytearray(serialize_message(frame)))
        # Written as the robot's nodes write, so that they cost the same here.
        joint = JointState(
            name=list(robot.joint_names),
            position=robot.poses['standing'].tolist(),
            velocity=[0.0] * robot.n,
        )
        imu = Imu()
        imu.orientation.w = 1.0
        self._write_joints = Writer(joint, 'header.stamp')
        self._write_imu = Writer(imu, 'header.stamp')
        self._write_state = Writer(SupervisorState(), 'header.stamp', 'sequence', 'mode')
        node.create_timer(STATE_PERIOD, self._publish_state)
        self.sent: dict[int, float] = {}
        self.chunks: dict[int, float] = {}
        self.model: dict[int, float] = {}
        self.status: InferenceStatus | None = None

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()

    def bring_up(self) -> None:
        """Configure and activate the inference node, as the supervisor does. Raises ConfigError."""
        name, end = 'inference', steady_now() + START_TIMEOUT
        plan = LifecycleManager([name], BRING_UP, steady_now())
        calls = LifecycleCalls(self.node, [name], plan, steady_now)
        while not plan.all_active:
            if plan.stuck or steady_now() > end:
                raise ConfigError('inference', 'node', plan.why_not(name), 'an active node')
            plan.on_graph(steady_now(), calls.present(lambda _: False))
            calls.step()
            self.spin(0.02)
        calls.close()

    def instruct(self, text: str) -> None:
        self._instruction.publish(String(data=text))

    def spin(self, seconds: float) -> None:
        """Receive, and publish joints, IMU and the supervisor's state at 100 Hz."""
        self.executor.spin_until_future_complete(Future(), seconds)

    def publish_frame(self) -> int:
        """The stamp of the frame, ns."""
        stamp = self.node.get_clock().now().to_msg()
        frame = self._frames[len(self.sent) % len(self._frames)]
        struct.pack_into('<iI', frame, HEADER, stamp.sec, stamp.nanosec)
        key, serialized = stamp_to_ns(stamp), bytes(frame)
        self.sent[key] = time.perf_counter()
        self._image.publish(serialized)
        return key

    def _publish_state(self) -> None:
        self._sequence += 1
        stamp_ns = self.node.get_clock().now().nanoseconds
        self._joints.publish(self._write_joints.write(stamp_ns))
        self._imu.publish(self._write_imu.write(stamp_ns))
        self._state.publish(self._write_state.write(stamp_ns, self._sequence, self._mode))

    def _start(self, request: Any, response: Any) -> Any:
        self._mode = SupervisorState.RUNNING
        response.success = True
        return response

    def _on_chunk(self, serialized: bytes) -> None:
        received = time.perf_counter()
        (stamp_ns,) = self._read_chunk.read(serialized)
        self.chunks[stamp_ns] = received

    def _on_report(self, serialized: bytes) -> None:
        stamp_ns, model_ms = self._read_report.read(serialized)
        self.model[stamp_ns] = 1e-3 * model_ms

    def _on_status(self, message: InferenceStatus) -> None:
        self.status = message


@dataclass(frozen=True)
class PipelineTimes:
    """overheads: ms. undisturbed: of the frames during which the machine did not stall. lost:
    frames without a chunk. machine: see SchedulingObserver.summary. stages: see `stages`; empty
    unless requested."""

    overheads: list[float]
    undisturbed: list[float]
    lost: int
    machine: dict[str, Any]
    stages: dict[str, dict[str, Any]]


def measure(
    bundle: str,
    robot_name: str,
    robot: Any,
    instruction: str,
    times: int,
    size: tuple[int, int],
    threads: int,
    by_stage: bool = False,
) -> PipelineTimes:
    """Times of a frame's way through the node.

    Args:
        by_stage: also stage by stage; that costs some time itself.

    Raises:
        ConfigError: the node does not run.
    """
    # What the filter and the driver, whose place this process takes, have at least.
    with Scheduled(Priority.MONITOR), TemporaryDirectory(prefix='vla_inference_') as folder:
        environment, file = Environment(robot, size), Path(folder) / 'stages.json'
        with _node(bundle, robot_name, threads, 1.5 * RATE, file if by_stage else None):
            try:
                keys, machine, stalls = _publish(environment, instruction, times, RATE)
            finally:
                gc.unfreeze()
                environment.close()
        sent, received = {key: environment.sent[key] for key in keys}, environment.chunks
        stages = table(file, sent, received) if by_stage else {}
    answered = [key for key in keys if key in received and key in environment.model]
    took = {key: 1e3 * (received[key] - sent[key] - environment.model[key]) for key in answered}
    undisturbed = [
        ms
        for key, ms in took.items()
        if not any(begin < received[key] and end > sent[key] for begin, end in stalls)
    ]
    lost = len(keys) - len(answered)
    return PipelineTimes(list(took.values()), undisturbed, lost, machine, stages)


@contextmanager
def _node(
    bundle: str, robot_name: str, threads: int, frequency: float, stages: Path | None
) -> Iterator[None]:
    """The node in its process. stages: where it writes the times of its stages, None for none."""
    parameters = {
        'policy': bundle,
        'robot': robot_name,
        'threads': threads,
        # As on the robot: somewhat above the camera's rate.
        'inference_frequency': frequency,
        'time_limit': 3600.0,
        'settle.time': 0.0,
        'policy_timeout': 5.0,
        'blocked_timeout': 30.0,
    }
    module = 'vla_inference.node' if stages is None else 'vla_validation.inference.stages'
    command = [sys.executable, '-m', module, '--ros-args']
    for name, value in parameters.items():
        command += ['-p', f'{name}:={value}']
    variables = os.environ | ({FILE: str(stages)} if stages is not None else {})
    with NormalPriority():  # the node requests its own priority
        node = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=variables)
    try:
        yield
    finally:
        node.terminate()
        try:
            node.wait(10.0)
        except subprocess.TimeoutExpired:
            node.kill()
            node.wait()


def _publish(
    environment: Environment, instruction: str, times: int, rate: float
) -> tuple[list[int], dict[str, Any], list[tuple[float, float]]]:
    """(stamps of the frames that count, the machine's lateness, its stalls)."""
    environment.bring_up()
    environment.spin(1.0)
    # As the nodes do: this process must not walk through all its modules while it measures.
    gc.collect()
    gc.freeze()
    environment.instruct(instruction)
    end = time.monotonic() + START_TIMEOUT
    while not environment.chunks:
        if time.monotonic() > end:
            status = environment.status
            reason = status.reason or status.last_result if status else ''
            raise ConfigError('inference', 'chunks', f'none ({reason})', 'one per frame')
        environment.publish_frame()
        environment.spin(1.0 / rate)
    with SchedulingObserver() as observer:
        environment.spin(0.5)
        keys = []
        for _ in range(WARM_UP + times):
            keys.append(environment.publish_frame())
            environment.spin(1.0 / rate)
        environment.spin(0.5)
        return keys[WARM_UP:], *observer.summary()
