# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Random postures that are independent of the instruction.

From a start posture that reveals the goal a policy learns to ignore the image.
"""

import numpy as np

from vla_models.expert import Expert
from vla_models.goals import Target
from vla_models.tasks import HANDS

ARM_KINDS = ('goal', 'ready', 'rising', 'raised', 'standing', 'waving')
ARM_SHARES = (0.40, 0.14, 0.13, 0.08, 0.12, 0.13)
STOCK = 80  # goals per hand, solved once
HEAD_KINDS = ('table', 'somewhere', 'rising', 'ahead')
HEAD_SHARES = (0.40, 0.35, 0.13, 0.12)


class PostureSampler:
    """Draws whole postures."""

    def __init__(self, expert: Expert) -> None:
        self.expert = expert
        self.robot = expert.robot
        rng = np.random.default_rng(0)
        self._goals = {hand: [self._goal(hand, rng) for _ in range(STOCK)] for hand in HANDS}

    def _goal(self, hand: str, rng: np.random.Generator) -> np.ndarray:
        """An arm at or above a random place."""
        side = 1.0 if hand == 'left' else -1.0
        place = np.array(
            [rng.uniform(0.35, 0.48), side * rng.uniform(-0.08, 0.26), rng.uniform(0.04, 0.12)]
        )
        target = Target(place, rng.uniform(0.038, 0.055))
        if rng.random() < 0.6:
            goal = self.expert.goals.reach(hand, target)
            return goal.transit if rng.random() < 0.4 else goal.joints
        return self.expert.goals.point(hand, target).joints

    def _arm(self, hand: str, rng: np.random.Generator) -> np.ndarray:
        poses, joints = self.robot.poses, self.robot.groups[f'{hand}_arm']
        standing, tucked, ready = (poses[p][joints] for p in ('standing', 'tucked', 'ready'))
        share = rng.random()
        kind = rng.choice(ARM_KINDS, p=ARM_SHARES)
        if kind == 'goal':
            # Most of the time a motion is near its end.
            goal = self._goals[hand][int(rng.integers(STOCK))]
            arm = ready + np.sqrt(share) * (goal - ready)
        elif kind == 'waving':
            wave = self.expert.wave_posture(hand, rng.uniform(0, 2 * np.pi))
            arm = ready + np.sqrt(share) * (wave - ready)
        elif kind == 'rising':
            arm = standing + share * (tucked - standing)
        elif kind == 'raised':
            arm = tucked + share * (ready - tucked)
        else:
            arm = ready if kind == 'ready' else standing
        return arm + rng.normal(0.0, rng.choice((0.015, 0.06)), len(joints))

    def _head(self, rng: np.random.Generator) -> np.ndarray:
        table = self.robot.poses['ready'][self.robot.groups['head']]
        kind = rng.choice(HEAD_KINDS, p=HEAD_SHARES)
        if kind == 'somewhere':
            head = np.array([rng.uniform(-0.8, 0.8), rng.uniform(0.6, 1.1), 0.0])
        else:
            head = {'table': 1.0, 'rising': rng.random(), 'ahead': 0.0}[str(kind)] * table
        return head + rng.normal(0.0, rng.choice((0.01, 0.05)), 3)

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """A whole posture (n,) rad inside the joint limits; legs and torso stand."""
        q = self.robot.poses['standing'].copy()
        q[self.robot.groups['head']] = self._head(rng)
        for hand in HANDS:
            q[self.robot.groups[f'{hand}_arm']] = self._arm(hand, rng)
        goals = self.expert.goals
        return np.clip(q, goals.lower, goals.upper)
