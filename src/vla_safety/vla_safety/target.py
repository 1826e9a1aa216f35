# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The velocity that leads each joint to the moving target of a chunk."""

import numpy as np

from vla_safety.box_limits import BoxLimits
from vla_safety.chunk import ChunkTracker
from vla_safety.kernel import joints
from vla_safety.violations import CHANGE, TickLog, ViolationKind


class TargetFollower:
    """Follows a chunk without overshoot.

    Towards a target moving with v_t, from e behind it: v_t + sign(e)·(the speed from which the gap
    can be closed without overshoot). A target beyond a position limit counts as resting at the
    limit. Joints that the chunk does not cover come to rest.

    Args:
        tracker: of the chunk.
        box: limits and state of the joints.
        closing: (2, n) deceleration rad/s² that closing a gap counts on, and its delay in s.

    Attributes:
        wanted: (n,) rad/s, within the velocity limits; zero without a chunk.
    """

    def __init__(self, tracker: ChunkTracker, box: BoxLimits, closing: np.ndarray) -> None:
        self._tracker, self._box, self._closing = tracker, box, closing
        n = len(box.position)
        self._target = np.zeros((2, n))
        self._wish = np.zeros((2, n))
        self._requested, self.wanted = self._wish
        self._inside = np.zeros(n)
        self._beyond = False

    def update(self, period: float, scale: float) -> bool:
        """Compute `wanted` for `period` s; return False where the chunk's sample is not finite."""
        tracker, box = self._tracker, self._box
        self._beyond = False
        if tracker.chunk is None:
            self._wish.fill(0.0)
            return True
        tracker.sample(scale, self._target)
        outside = joints.approach(
            self._target,
            tracker.covered,
            box.limits,
            box.state,
            self._closing,
            self._wish,
            self._inside,
            period,
            scale,
        )
        if outside < 0:
            self._wish.fill(0.0)
            return False
        self._beyond = outside > 0
        return True

    def steer(self, at: np.ndarray, velocity: np.ndarray) -> None:
        """Want `velocity` (k,) of the joints `at` (k,), which the chunk does not cover."""
        self._wish[:, at] = velocity

    def report(self, log: TickLog) -> None:
        """Log the joints whose target or speed is beyond a limit. A gripper is told where to be,
        not how fast: that it gets there at its speed limit is no violation."""
        box = self._box
        if self._beyond:
            for joint in self._tracker.covered.nonzero()[0].tolist():
                requested, inside = float(self._target[0, joint]), float(self._inside[joint])
                if requested != inside:
                    log.change(ViolationKind.POSITION, joint, requested, inside)
        for joint in joints.differing(self._requested, self.wanted, CHANGE):
            requested, hard = abs(float(self._requested[joint])), float(box.max_velocity[joint])
            if requested > hard and not box.gripping[joint]:
                log.change(ViolationKind.VELOCITY, joint, requested, hard)
            else:
                top = float(box.top_speed[joint])
                log.change(ViolationKind.SPEED_SCALE, joint, requested, top)
