# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Corrupted messages: on time, with content that is impossible or must not be followed."""

import math
from array import array
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_common.messages import ns_to_stamp, seconds_to_duration, stamp_to_ns
from vla_robot import RobotModel

_JUMP = 3.0  # rad
_AMPLITUDE, _FREQUENCY = 0.5, 3.0  # rad and Hz of an oscillating policy
_DRIFT, _BEYOND = 0.5, 0.5  # rad/s, and rad past the limit at which the drift ends
_POINTS, _STEP = 16, 0.1  # of a drifting chunk
_BACK = 1_000_000_000  # ns that stamps go back at first
_LEAP = 1_000_000_000_000  # ns of a leaping clock
_NOISE_STARTS = 8192
_NOISE, _JPEG = 3.0, 60  # levels (of 255) and quality of a camera that repeats its image

Corruption = Callable[[Any, float], Any]
"""(message, s since the fault began) -> message."""


def _positions(change: Callable[[np.ndarray, float], Sequence[float]]) -> Corruption:
    """Change each array of positions of a JointTrajectory or a JointState."""

    def corrupt(message: Any, t: float) -> Any:
        if isinstance(message, JointTrajectory):
            for point in message.points:
                point.positions = list(change(np.array(point.positions), t))
        else:
            message.position = list(change(np.array(message.position), t))
        return message

    return corrupt


def _one(value: float) -> Corruption:
    """One position becomes ``value``."""

    def change(position: np.ndarray, t: float) -> Sequence[float]:
        position[len(position) // 2] = value
        return position.tolist()

    return _positions(change)


def _unknown_joint(message: Any, t: float) -> Any:
    field = 'joint_names' if isinstance(message, JointTrajectory) else 'name'
    setattr(message, field, ['left_antenna', *getattr(message, field)[1:]])
    return message


def _back_in_time(message: Any, t: float) -> Any:
    ns = stamp_to_ns(message.header.stamp) - _BACK - int(2e9 * t)
    message.header.stamp = ns_to_stamp(max(ns, 0))
    return message


def _leaping_clock(message: Any, t: float) -> Any:
    ns = _LEAP if int(5 * t) % 2 else -_LEAP
    message.header.stamp = ns_to_stamp(stamp_to_ns(message.header.stamp) + ns)
    message.time += 1e-9 * ns
    return message


def _frozen() -> Corruption:
    """The first image under stamps that advance."""
    first: list[Any] = []

    def corrupt(message: Any, t: float) -> Any:
        if not first:
            first.append(message.data)
        message.data = first[0]
        return message

    return corrupt


def _frozen_behind_codec() -> Corruption:
    """The first image under stamps that advance, each time with new noise and compressed again: no
    two are equal."""
    random = np.random.default_rng()
    first: list[np.ndarray] = []  # the image, and noise from which each message takes a part

    def corrupt(message: Any, t: float) -> Any:
        if not first:
            rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
            pixels = rows[:, : 3 * message.width].reshape(message.height, message.width, 3)
            noise = random.normal(0.0, _NOISE, pixels.size + _NOISE_STARTS).round()
            first.extend((pixels.astype(np.int16), noise.astype(np.int16)))
        kept, noise = first
        start = int(random.integers(_NOISE_STARTS))
        noisy = np.clip(kept + noise[start : start + kept.size].reshape(kept.shape), 0, 255)
        quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG]
        compressed = cv2.imencode('.jpg', noisy.astype(np.uint8), quality)[1]
        # An array: of bytes rclpy would check every number, and the images would be late.
        message.data = array('B', cv2.imdecode(compressed, cv2.IMREAD_COLOR).tobytes())
        message.step = 3 * message.width
        return message

    return corrupt


CORRUPTIONS: dict[str, Callable[[], Corruption]] = {
    'nan': lambda: _one(math.nan),
    'inf': lambda: _one(math.inf),
    'wrong_size': lambda: _positions(lambda position, t: position[:-1].tolist()),
    'unknown_joint': lambda: _unknown_joint,
    'jump': lambda: _positions(lambda position, t: (position + _JUMP).tolist()),
    'oscillation': lambda: _positions(
        lambda position, t: (position + _AMPLITUDE * math.sin(math.tau * _FREQUENCY * t)).tolist()
    ),
    'back_in_time': lambda: _back_in_time,
    'leaping_clock': lambda: _leaping_clock,
    'frozen': _frozen,
    'frozen_behind_codec': _frozen_behind_codec,
}


def drift(robot: RobotModel, group: str, upwards: bool, start: np.ndarray) -> Corruption:
    """Chunks that move a group of joints steadily into their limits, and beyond.

    Args:
        start: (n,) rad, where the joints are.
    """
    joints = robot.groups[group]
    names = [robot.joint_names[j] for j in joints]
    limit = (robot.limits.upper if upwards else robot.limits.lower)[joints]
    goal = limit + (_BEYOND if upwards else -_BEYOND)
    begin = start[joints]

    def corrupt(message: JointTrajectory, t: float) -> JointTrajectory:
        chunk = JointTrajectory(header=message.header, joint_names=names)
        for i in range(1, _POINTS + 1):
            most = _DRIFT * (t + i * _STEP)
            positions = (begin + np.clip(goal - begin, -most, most)).tolist()
            due = seconds_to_duration(i * _STEP)
            chunk.points.append(JointTrajectoryPoint(positions=positions, time_from_start=due))
        return chunk

    return corrupt
