# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The coupled limits of a robot, from the settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from vla_robot import RobotModel
from vla_safety.coupled.barriers import BrakingBarriers
from vla_safety.coupled.surroundings import load_surroundings

if TYPE_CHECKING:
    from vla_safety.parameters import FilterParameters


def braking_barriers(
    robot: RobotModel,
    parameters: FilterParameters,
    clock: Callable[[], float] = time.thread_time,
) -> BrakingBarriers:
    """Everything that the settings name.

    Args:
        clock: s, of the time budget.

    Raises:
        ConfigError: a frame that the robot does not have, or the file of the surroundings is wrong.
    """
    settings = parameters.coupled
    return BrakingBarriers(
        robot,
        settings,
        robot.limits.acceleration * parameters.acceleration_fraction,
        robot.limits.effort * parameters.effort_fraction,
        load_surroundings(settings.surroundings, robot) if settings.surroundings else (),
        clock=clock,
    )
