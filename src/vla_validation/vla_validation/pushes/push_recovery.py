# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Push recovery: the largest push that the robot withstands, in simulated time."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vla_balance.testing import Motion, Standing
from vla_robot import RobotModel

SWING_RATE = 2.0  # rad/s of the arms' phase
_SWING, _BEND, _ELBOW = 0.5, 0.4, -0.35  # rad: shoulders, elbows, and where those swing about
_BLEND = 0.5  # s from rest into the swing
_BEFORE, _AFTER, _LOOK = 1.0, 2.5, 0.25  # s
_BETWEEN = 4.0  # s from a former push to the one that is tried
_TOO_MUCH = 40.0  # N·s


def swinging_arms(robot: RobotModel, phase: float) -> Motion:
    """Both arms back and forth together, the worst for balance; ``phase`` rad at time 0."""
    standing = robot.poses['standing']
    shoulders = [robot.index[f'{side}_shoulder_pitch'] for side in ('left', 'right')]
    elbows = [robot.index[f'{side}_elbow'] for side in ('left', 'right')]

    def motion(t: float) -> np.ndarray:
        share = min(t / _BLEND, 1.0)
        angle = SWING_RATE * t + phase
        reference = standing.copy()
        reference[shoulders] -= share * _SWING * math.sin(angle)
        reference[elbows] += share * (_ELBOW + _BEND * math.cos(angle))
        return reference

    return motion


@dataclass(frozen=True)
class Push:
    """A push: heading, link, motion of the arms, and impulse (N·s) of a former push to the other
    side, which has shifted the feet."""

    heading: float  # rad
    link: str
    motion: Motion | None = None
    former: float = 0.0


def recovers(make: Callable[[], Standing], push: Push, impulse: float) -> bool:
    """Whether the robot still stands some seconds after the push (N·s)."""
    s = make()
    s.run(_BEFORE, push.motion)
    direction = (math.cos(push.heading), math.sin(push.heading), 0.0)
    if push.former:
        s.push((-direction[0], -direction[1], 0.0), push.former, push.link)
        s.run(_BETWEEN, push.motion)
        if s.world.fallen:
            return False
    s.push(direction, impulse, push.link)
    for _ in range(round(_AFTER / _LOOK)):
        s.run(_LOOK, push.motion)
        if s.world.fallen:
            return False
    return True


def largest(make: Callable[[], Standing], push: Push, resolution: float) -> float:
    """The largest impulse that the robot recovers from, N·s; by bisection on a grid.

    Args:
        make: a robot that stands.
    """
    low, high = 0, math.ceil(_TOO_MUCH / resolution)
    while high - low > 1:
        middle = (low + high) // 2
        if recovers(make, push, middle * resolution):
            low = middle
        else:
            high = middle
    return low * resolution


def worst(make: Callable[[], Standing], pushes: Sequence[Push], resolution: float) -> float:
    """The smallest of the largest: what the robot withstands in every one of these cases."""
    least = math.inf
    for push in pushes:
        # It recovers at the least so far: this case is no worse.
        if math.isfinite(least) and recovers(make, push, least):
            continue
        least = min(least, largest(make, push, resolution))
    return least
