# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Part of `ros2 run vla_robot check`: the simulated robot, and its picture."""

from pathlib import Path

from vla_robot import RobotModel
from vla_robot.check import CheckResult
from vla_sim.view_scene import picture as render
from vla_sim.view_scene import write_image
from vla_sim.world import World


def check(robot: RobotModel, picture: Path | None) -> CheckResult:
    """Build the simulation and compare it with the kinematics.

    Raises ConfigError: MuJoCo refuses the robot, or reads it otherwise.
    """
    world = World(robot)
    values: dict[str, object] = {'shapes': int(world.model.ngeom), 'agrees_with_kinematics': True}
    if picture is not None:
        image, backend = render(world, 640, 480, 'auto')
        write_image(picture, image)
        values |= {'picture': str(picture), 'renderer': backend}
    return CheckResult(values)
