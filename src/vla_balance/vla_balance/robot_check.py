# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Part of `ros2 run vla_robot check`: does the robot stand with its balance gains?"""

from pathlib import Path

from vla_balance.gains import BalanceGains
from vla_robot import RobotModel
from vla_robot.check import CheckResult, Finding

SECONDS = 4.0
LEAN = 0.06
"""rad by which a robot that stands may lean after that."""
TUNE = "gains that fit ('ros2 run vla_robot tune DIR' finds them)"


def check(robot: RobotModel, picture: Path | None) -> CheckResult:
    """Stand for some seconds in simulation. Raises ConfigError: gains are missing."""
    from vla_balance.testing import Standing

    if not robot.foot_boxes:
        return CheckResult({'stands': 'bolted to the ground'})
    standing = Standing(robot, BalanceGains.load(robot))
    standing.run(SECONDS)
    lean = standing.lean
    values = {'stands': lean <= LEAN, 'lean_rad': round(lean, 4)}
    if lean <= LEAN:
        return CheckResult(values)
    what = 'has fallen' if standing.world.fallen else f'leans by {lean:.2f} rad'
    found = f'a robot that {what} after {SECONDS:g} s of standing'
    return CheckResult(values, (Finding('balance', found, TUNE),))
