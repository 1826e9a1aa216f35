# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The filter without ROS, supervisor or clock, for demonstrations and evaluation."""

from collections.abc import Sequence

import numpy as np

from vla_safety.chunk import Chunk
from vla_safety.coupled import CoupledLimits
from vla_safety.coupled.build import braking_barriers
from vla_safety.filter import Output, SafetyFilter
from vla_safety.parameters import FilterParameters
from vla_safety.violations import Violation

__all__ = ['Chunk', 'Output', 'SafetyPipeline']


class SafetyPipeline:
    """The filter's treatment of chunks on the robot, for a loop of your own.

    Args:
        robot: a vla_robot RobotModel.
        params: settings, e.g. from `load_parameters`.
        dt: s, period used where `tick` is given none.
        coupled: see SafetyFilter; None takes those of the node.
    """

    def __init__(
        self,
        robot: object,
        params: FilterParameters,
        dt: float = 0.01,
        coupled: Sequence[CoupledLimits] | None = None,
    ) -> None:
        if coupled is None:
            # Without a time budget: an episode must not depend on the machine's load.
            coupled = (braking_barriers(robot, params, clock=lambda: 0.0),)
        self.filter = SafetyFilter(robot, params, coupled)
        self._dt = dt
        self._measured: np.ndarray | None = None

    def reset(self, position: np.ndarray) -> None:
        """Begin an episode at rest at `position` (n,) rad; its clock may restart."""
        self.filter.reset(position)
        self.filter.hold.reset()
        self.filter.forget_order()
        self._measured = np.array(position, dtype=float)

    def accept(self, chunk: Chunk, now: float) -> list[Violation]:
        """Offer a chunk; return why it was rejected (empty: accepted)."""
        return self.filter.accept(chunk, now, self._measured)

    def tick(
        self,
        now: float,
        dt: float | None,
        measured_position: np.ndarray,
        measured_velocity: np.ndarray,
        speed_scale: float = 1.0,
        base_rotation: np.ndarray | None = None,
    ) -> Output:
        """One command. See SafetyFilter.tick."""
        self._measured = np.array(measured_position, dtype=float)
        return self.filter.tick(
            now,
            self._dt if dt is None else dt,
            measured_position,
            measured_velocity,
            speed_scale,
            base_rotation,
        )
