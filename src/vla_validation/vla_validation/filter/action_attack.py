# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Hostile actions of one kind, decoded into joint chunks as in the inference node, against the
safety filter."""

import numpy as np

from vla_policy.action_decoder import ActionDecoder
from vla_policy.testing.hostile_actions import HostileActions, hostile_space
from vla_policy.types import PolicyError
from vla_robot import RobotModel
from vla_safety.chunk import Chunk
from vla_validation.filter.box_attack import Adversary, attack


class ActionCounts:
    """What became of the actions of all episodes. broken: chunks of poses whose targets left the
    limits of position or velocity before the filter."""

    def __init__(self) -> None:
        self.decoded = self.rejected = self.not_followed = self.broken = 0


class ActionAdversary(Adversary):
    """Draws actions of one kind; what the decoder rejects, the filter is not given."""

    def __init__(
        self, robot: RobotModel, rng: np.random.Generator, kind: str, counts: ActionCounts
    ) -> None:
        super().__init__(robot, rng)
        self._kind, self._counts = kind, counts
        self._step = float(rng.choice([0.02, 0.05, 0.1, 0.2]))
        space = hostile_space(robot, kind, rng)
        self._decode = ActionDecoder(space, robot, self._step, 'adversary')
        self._actions = HostileActions(robot, space, rng)
        self._joints = np.array([robot.index[name] for name in space.joints], np.intp)

    def chunk(self, now: float, position: np.ndarray) -> Chunk:
        """Of an action for a posture beside `position` (n,): what was observed is older."""
        rng = self._rng
        observed = position + rng.normal(0.0, 0.02, self._n)
        while True:
            try:
                targets, error = self._decode(self._actions.values(observed), observed)
                break
            except PolicyError:
                self._counts.rejected += 1
        self._counts.decoded += 1
        if error is not None:
            self._counts.not_followed += bool(error.reason)
            self._counts.broken += not self._keeps_limits(observed, targets)
        times = self._step * np.arange(1, len(targets) + 1)
        return Chunk(self._joints, times, targets, now - float(rng.uniform(0, 0.1)), None)

    def _keeps_limits(self, observed: np.ndarray, targets: np.ndarray) -> bool:
        limits, here = self._robot.limits, observed[self._joints]
        path = np.vstack([here, targets])
        most = limits.velocity[self._joints] * self._step + 1e-9
        low = np.minimum(limits.lower[self._joints], here) - 1e-9
        high = np.maximum(limits.upper[self._joints], here) + 1e-9
        slow = (np.abs(np.diff(path, axis=0)) <= most).all()
        return bool(slow and (targets >= low).all() and (targets <= high).all())


def attack_actions(ticks: int, seed: int, robot: RobotModel, kind: str) -> dict[str, object]:
    """`attack` with actions of one kind. A chunk that breaks a limit before the filter is a
    violation too."""
    counts = ActionCounts()
    summary = attack(ticks, seed, robot, lambda body, rng: ActionAdversary(body, rng, kind, counts))
    return {
        'actions': kind,
        'robot': robot.name,
        **summary,
        'violations': summary['violations'] + counts.broken,
        'actions_decoded': counts.decoded,
        'actions_rejected': counts.rejected,
        'actions_not_followed': counts.not_followed,
        'chunks_beyond_limits': counts.broken,
    }
