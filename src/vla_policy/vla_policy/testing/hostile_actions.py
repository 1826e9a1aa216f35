# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Hostile actions in every action space: far away, alternating, singular, drifting, NaN."""

import numpy as np
import pinocchio

from vla_policy.bundle.action_space import (
    DELTAS,
    RELATIVE_TO,
    ROTATIONS,
    TOOL,
    ActionSpace,
    CartesianSpace,
    EndEffector,
)
from vla_policy.rotations import rows_of
from vla_robot import RobotModel

STYLES = ('near', 'far', 'random', 'alternating', 'stretched', 'drift', 'hold', 'junk')


def hostile_space(robot: RobotModel, kind: str, rng: np.random.Generator) -> ActionSpace:
    """A space of this kind on the robot's hands, or on its upper body; the rest is drawn."""
    choices = RELATIVE_TO if kind in DELTAS else RELATIVE_TO[:1]
    relative_to = str(rng.choice(choices))
    if not kind.startswith('end_effector'):
        joints = tuple(robot.joint_names[i] for i in robot.groups['upper_body'])
        return ActionSpace(kind, joints, relative_to)
    hands = robot.hands
    ends = tuple(EndEffector(hand, str(rng.choice(list(ROTATIONS)))) for hand in hands)
    upper = {int(i) for i in robot.groups['upper_body']}
    moving = sorted({j for hand in hands for j in robot.chain(hand)} & upper)
    frames = ['base', TOOL] if kind == 'end_effector_delta' else ['base']
    cartesian = CartesianSpace(ends, str(rng.choice(frames)), (0.02, 0.1))
    return ActionSpace(kind, tuple(robot.joint_names[j] for j in moving), relative_to, cartesian)


class HostileActions:
    """Draws the numbers of a policy, in SI units."""

    def __init__(self, robot: RobotModel, space: ActionSpace, rng: np.random.Generator) -> None:
        self._robot, self._space, self._rng = robot, space, rng
        self._kinematics = robot.kinematics()
        self._at = [robot.joint_names.index(name) for name in space.joints]

    def values(self, q: np.ndarray, points: int = 0) -> np.ndarray:
        """(h, width) for a robot at q (n,); points: h, drawn where 0."""
        rng = self._rng
        h = points or int(rng.integers(1, 17))
        style = str(rng.choice(STYLES))
        if self._space.cartesian is None:
            values = self._joints(style, q, h)
        else:
            self._kinematics.update(q)
            parts = [self._poses(style, one, h) for one in self._space.cartesian.end_effectors]
            values = np.concatenate(parts, axis=1)
        if style == 'junk':
            place = tuple(rng.integers(0, size) for size in values.shape)
            values[place] = rng.choice([np.nan, np.inf, -np.inf, 1e9, 0.0])
            if rng.random() < 0.3:
                values[:] = 0.0
        return values

    def _joints(self, style: str, q: np.ndarray, h: int) -> np.ndarray:
        rng, k = self._rng, len(self._at)
        limits = self._robot.limits
        low, high = limits.lower[self._at], limits.upper[self._at]
        goal = {
            'far': np.tile(np.where(rng.random(k) < 0.5, low - 0.4, high + 0.4), (h, 1)),
            'alternating': np.where(np.arange(h)[:, None] % 2, low, high) * np.ones(k),
            'random': rng.uniform(low - 0.2, high + 0.2, (h, k)),
        }.get(style, q[self._at] + rng.normal(0.0, 0.05, (h, k)))
        if self._space.kind == 'joint_position':
            return goal
        if self._space.kind == 'joint_velocity':
            return 4.0 * (goal - q[self._at])
        return goal - q[self._at]

    def _poses(self, style: str, end: EndEffector, h: int) -> np.ndarray:
        rng = self._rng
        rotation, position = self._kinematics.frame(end.frame)
        shift = {
            'near': lambda: rng.normal(0.0, 0.03, (h, 3)),
            'far': lambda: np.tile(rng.normal(0.0, 3.0, 3), (h, 1)),
            'random': lambda: rng.normal(0.0, 0.6, (h, 3)),
            'alternating': lambda: rng.normal(0.0, 0.4, 3) * (-1.0) ** np.arange(h)[:, None],
            # Outwards, where an arm is singular when it is stretched.
            'stretched': lambda: np.linspace(0.0, 1.0, h)[:, None] * position * rng.uniform(-1, 3),
            'drift': lambda: np.cumsum(np.tile(rng.normal(0.0, 0.05, 3), (h, 1)), axis=0),
        }.get(style, lambda: np.zeros((h, 3)))()
        spread = {'near': 0.1, 'drift': 0.1, 'stretched': 0.02, 'hold': 0.0}.get(style, 2.0)
        turns = [
            pinocchio.exp3(rng.normal(0.0, spread, 3) if spread else np.zeros(3)) for _ in range(h)
        ]
        turned = np.array(turns)
        if self._space.kind == 'end_effector_pose':
            shift = position + shift
            turned = turned @ rotation
        return np.concatenate([shift, rows_of(turned, end.rotation)], axis=1)
