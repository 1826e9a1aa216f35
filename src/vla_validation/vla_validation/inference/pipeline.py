# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node in a process of its own, between a camera and a filter that are played here.

What counts is from the moment before a frame is published until the chunk of that frame (it has
the frame's stamp) is received, without the time that the model itself took.
"""

from __future__ import annotations

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
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.serialization import serialize_message
from rclpy.task import Future
from sensor_msgs.msg import Image, Imu, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vla_common import qos
from vla_common.cdr import HEADER, Reader, Writer
from vla_common.errors import ConfigError
from vla_common.messages import stamp_to_ns
from vla_common.scheduling import NormalPriority, Priority, Scheduled
from vla_interfaces.msg import ChunkReport, InferenceStatus, SupervisorState
from vla_validation.inference.scheduling_observer import SchedulingObserver
from vla_validation.inference.stages import FILE, table

START_TIMEOUT = 60.0
FIRST_PATIENCE = 10.0
ANSWER_TIMEOUT = 20.0
_THERE = {
    Transition.TRANSITION_CONFIGURE: State.PRIMARY_STATE_INACTIVE,
    Transition.TRANSITION_ACTIVATE: State.PRIMARY_STATE_ACTIVE,
}
STATE_PERIOD = 0.01
PROFILE = 'FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'


def send_images_as_the_robot_does() -> None:
    """Have this process and its children use the transport that the launch file gives to camera and
    inference; the one that setup.bash sets loses half of the images. Call before rclpy.init. A
    user's own profile is left alone."""
    ours = Path(os.environ.get(PROFILE[0], ''))
    images = ours.with_name('fastdds_images.xml')
    if ours.name == 'fastdds.xml' and images.is_file():
        os.environ.update(dict.fromkeys(PROFILE, str(images)))


class Surroundings:
    """Camera, driver and supervisor as far as the inference node hears them."""

    def __init__(self, robot: Any, size: tuple[int, int]) -> None:
        self.node = rclpy.create_node('inference_benchmark')
        self.executor = EventsExecutor()
        self.executor.add_node(self.node)
        node = self.node
        self._image = node.create_publisher(Image, '/camera/color/image_raw', qos.IMAGE)
        self._joints = node.create_publisher(JointState, '/joint_states', qos.STATE)
        self._imu = node.create_publisher(Imu, '/imu/data', qos.STATE)
        self._state = node.create_publisher(SupervisorState, '/supervisor/state', qos.STATE)
        self._words = node.create_publisher(String, '/vla/instruction', qos.COMMAND)
        # Read as the robot's nodes read: what rclpy takes to make objects is not the pipeline's.
        self._read_chunk = Reader(JointTrajectory, 'header.stamp')
        self._read_report = Reader(ChunkReport, 'header.stamp', 'model_ms')
        node.create_subscription(
            JointTrajectory, '/vla/action_chunk', self._on_chunk, qos.COMMAND, raw=True
        )
        node.create_subscription(
            ChunkReport, '/vla/chunk_report', self._on_report, qos.EVENT, raw=True
        )
        node.create_subscription(
            InferenceStatus, '/vla/inference_status', self._on_status, qos.STATE_SUB
        )
        node.create_service(Trigger, '/supervisor/start', self._start)
        self._change = node.create_client(ChangeState, '/inference/change_state')
        self._get = node.create_client(GetState, '/inference/get_state')
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

    def change(self, transition: int) -> None:
        """Raises ConfigError when the node refuses.

        Requests and answers get lost while the two do not know each other yet, so the node that
        gives no answer is asked where it is, and asked again if it is still where it was.
        """
        end = time.monotonic() + START_TIMEOUT
        request = ChangeState.Request()
        request.transition.id = transition
        patience = FIRST_PATIENCE
        while time.monotonic() < end:
            changed = self._ask(self._change, request, patience)
            if changed is not None and changed.success:
                return
            state = self._ask(self._get, GetState.Request(), 1.0)
            if state is not None and state.current_state.id == _THERE[transition]:
                return
            if changed is not None:
                why = 'a refusal'
                raise ConfigError('benchmark', 'node', why, 'a configured node (see above)')
            patience = ANSWER_TIMEOUT
        raise ConfigError('benchmark', 'node', 'no answer', 'the inference node')

    def _ask(self, client: Any, request: Any, patience: float) -> Any:
        """The answer, or None."""
        end = time.monotonic() + patience
        # Not longer: discovery may go on saying no where the other side is long there.
        while not client.service_is_ready() and time.monotonic() < end - 0.5 * patience:
            self.spin(0.02)
        future = client.call_async(request)
        while not future.done():
            if time.monotonic() > end:
                client.remove_pending_request(future)
                return None
            self.spin(0.01)
        return future.result()

    def say(self, text: str) -> None:
        self._words.publish(String(data=text))

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
class Found:
    """overheads: s. undisturbed: of those frames during which the machine ran. lost: frames without
    a chunk. witness: see machine.Witness. stages: see stages; empty if not asked for."""

    overheads: list[float]
    undisturbed: list[float]
    lost: int
    witness: dict[str, float]
    stages: dict[str, dict[str, float]]


def measure(
    bundle: str,
    robot_name: str,
    robot: Any,
    words: str,
    times: int,
    size: tuple[int, int],
    threads: int,
    rate: float = 20.0,
    by_stage: bool = False,
) -> Found:
    """by_stage: where the time goes; it costs some itself. Raises ConfigError when the node does
    not run."""
    # What the filter and the driver, whose place this process takes, have at least.
    with (
        Scheduled(Priority.MONITOR),
        TemporaryDirectory(prefix='vla_benchmark_') as folder,
    ):
        around, told = Surroundings(robot, size), Path(folder) / 'stages.json'
        with _node(bundle, robot_name, threads, 1.5 * rate, told if by_stage else None):
            try:
                asked, waking, stalls = _play(around, words, times, rate)
            finally:
                gc.unfreeze()
                around.close()
        sent = {key: around.sent[key] for key in asked}
        stages = table(told, sent, around.chunks) if by_stage else {}
    answered = [key for key in asked if key in around.chunks and key in around.model]
    took = {key: around.chunks[key] - around.sent[key] - around.model[key] for key in answered}
    undisturbed = [
        seconds
        for key, seconds in took.items()
        if not any(begin < around.chunks[key] and end > around.sent[key] for begin, end in stalls)
    ]
    return Found(list(took.values()), undisturbed, len(asked) - len(answered), waking, stages)


@contextmanager
def _node(
    bundle: str, robot_name: str, threads: int, frequency: float, told: Path | None
) -> Iterator[None]:
    """The node in its process. told: where it writes the times of its stages, None for no times."""
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
    module = 'vla_inference.node' if told is None else 'vla_validation.inference.stages'
    command = [sys.executable, '-m', module, '--ros-args']
    for name, value in parameters.items():
        command += ['-p', f'{name}:={value}']
    environment = os.environ | ({FILE: str(told)} if told is not None else {})
    with NormalPriority():  # it asks for its own priority
        node = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    try:
        yield
    finally:
        node.terminate()
        try:
            node.wait(10.0)
        except subprocess.TimeoutExpired:
            node.kill()
            node.wait()


def _play(
    around: Surroundings, words: str, times: int, rate: float
) -> tuple[list[int], dict[str, float], list[tuple[float, float]]]:
    """(stamps of the frames that count, what the witness saw meanwhile, when it saw stalls)."""
    around.change(Transition.TRANSITION_CONFIGURE)
    around.change(Transition.TRANSITION_ACTIVATE)
    around.spin(1.0)
    # As the nodes do: this process must not walk through all its modules while it measures.
    gc.collect()
    gc.freeze()
    around.say(words)
    end = time.monotonic() + START_TIMEOUT
    while not around.chunks:
        if time.monotonic() > end:
            said = around.status.reason or around.status.last_result if around.status else ''
            raise ConfigError('benchmark', 'chunks', f'none ({said})', 'one per frame')
        around.publish_frame()
        around.spin(1.0 / rate)
    with SchedulingObserver() as witness:
        around.spin(0.5)
        asked = []
        for i in range(10 + times):
            asked.append(around.publish_frame())
            around.spin(1.0 / rate)
            if i < 10:
                asked.clear()
        around.spin(0.5)
        waking = witness.found()
        return asked, waking, witness.stalls
