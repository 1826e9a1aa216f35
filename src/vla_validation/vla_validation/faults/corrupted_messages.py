# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Messages that arrive on time and say something that cannot be, or must not be followed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_common.messages import ns_to_stamp, stamp_to_ns
from vla_robot import RobotModel

_JUMP = 3.0  # rad
_SWING, _BEAT = 0.5, 3.0  # rad and Hz of an oscillating policy
_DRIFT, _BEYOND = 0.5, 0.5  # rad/s, and rad past the limit that it goes on to
_POINTS, _STEP = 16, 0.1  # of a drifting chunk
_BACK = 1_000_000_000  # ns: how far time goes back ...
_LEAP = 1_000_000_000_000  # ... and leaps

Lie = Callable[[Any, float], Any]
"""(message, s since the lie began) -> message."""


def _texts(message: Any) -> list[str]:
    return list(message.joint_names if isinstance(message, JointTrajectory) else message.name)


def _rows(message: Any) -> list[Any]:
    """What holds the positions: the points of a trajectory, or the message itself."""
    return list(message.points) if isinstance(message, JointTrajectory) else [message]


def _attribute(row: Any) -> str:
    return 'positions' if isinstance(row, JointTrajectoryPoint) else 'position'


def _each(change: Callable[[np.ndarray, float], Sequence[float]]) -> Lie:
    def lie(message: Any, t: float) -> Any:
        for row in _rows(message):
            name = _attribute(row)
            setattr(row, name, list(change(np.array(getattr(row, name)), t)))
        return message

    return lie


def _one(value: float) -> Lie:
    def change(position: np.ndarray, t: float) -> Sequence[float]:
        position[len(position) // 2] = value
        return position.tolist()

    return _each(change)


def _unknown(message: Any, t: float) -> Any:
    names = _texts(message)
    names[0] = 'left_antenna'
    setattr(message, 'joint_names' if isinstance(message, JointTrajectory) else 'name', names)
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


def _still() -> Lie:
    """The world as it was, under stamps that go on: a camera that shows one picture for ever."""
    seen: list[tuple[Any, Any]] = []

    def lie(message: Any, t: float) -> Any:
        if not seen:
            seen.append((message.qpos, message.qvel))
        message.qpos, message.qvel = seen[0]
        return message

    return lie


LIES: dict[str, Callable[[], Lie]] = {
    'nan': lambda: _one(math.nan),
    'inf': lambda: _one(math.inf),
    'wrong_size': lambda: _each(lambda position, t: position[:-1].tolist()),
    'unknown_joint': lambda: _unknown,
    'jump': lambda: _each(lambda position, t: (position + _JUMP).tolist()),
    'oscillation': lambda: _each(
        lambda position, t: (position + _SWING * math.sin(2 * math.pi * _BEAT * t)).tolist()
    ),
    'back_in_time': lambda: _back_in_time,
    'leaping_clock': lambda: _leaping_clock,
    'still': _still,
}


def drift(robot: RobotModel, group: str, upwards: bool, start: np.ndarray) -> Lie:
    """Chunks that move a group of joints steadily into their limits, and on.

    Args:
        start: (n,) rad, where the joints are.
    """
    joints = robot.groups[group]
    names = [robot.joint_names[j] for j in joints]
    limit = (robot.limits.upper if upwards else robot.limits.lower)[joints]
    goal = limit + (_BEYOND if upwards else -_BEYOND)
    begin = start[joints]

    def lie(message: JointTrajectory, t: float) -> JointTrajectory:
        told = JointTrajectory(header=message.header, joint_names=names)
        for i in range(1, _POINTS + 1):
            far = _DRIFT * (t + i * _STEP)
            reach = np.clip(goal - begin, -far, far)
            ns = round(i * _STEP * 1e9)
            told.points.append(
                JointTrajectoryPoint(
                    positions=(begin + reach).tolist(),
                    time_from_start=Duration(sec=ns // 10**9, nanosec=ns % 10**9),
                )
            )
        return told

    return lie
