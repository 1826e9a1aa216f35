# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation grasping``: pick, lift, hold and release at random places.

In simulated time; no ROS graph.
"""

import argparse
import sys
from dataclasses import replace
from typing import Any

import numpy as np

from vla_common.errors import ConfigError
from vla_common.terminal import progress
from vla_robot import RobotModel, load_robot
from vla_validation import report

WANTED = 0.95
"""Share of the placements that has to succeed."""


def subject(options: argparse.Namespace) -> RobotModel:
    """The robot, with the grip force of the options. Raises ConfigError."""
    robot = load_robot(options.robot)
    file = robot.directory / 'robot.yaml'
    if not robot.grippers:
        raise ConfigError(file, 'grippers', 'none', 'a robot with a gripper, such as panda')
    if 'hand' not in robot.frames:
        raise ConfigError(file, 'frames.hand', 'nothing', 'the frame between the finger tips')
    if options.force is None:
        return robot
    name, gripper = next(iter(robot.grippers.items()))
    if not 0.0 < options.force <= gripper.force:
        wanted = f'more than 0, at most {gripper.force:g} N'
        raise ConfigError('command line', '--force', options.force, wanted)
    return replace(robot, grippers={name: replace(gripper, grip_force=options.force)})


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All placements. Raises ConfigError."""
    from vla_models.robot_stack import RobotStack
    from vla_validation.grasping.episode import Outcome, Ranges, place, run
    from vla_validation.grasping.postures import UnreachableError

    stack = RobotStack(subject(options))
    random = np.random.default_rng(options.seed)
    ranges = Ranges()
    outcomes: list[Outcome] = []
    with progress('placements', passing=True) as bar:
        for number in bar.track(range(options.placements)):
            cube = place(random, ranges)
            try:
                outcomes.append(run(stack, cube, options.hold, options.seed + number, number))
            except UnreachableError as error:
                where = (*cube.position[:2], cube.yaw, cube.size)
                outcomes.append(Outcome(number, where, str(error)))
    return result(options, outcomes)


def result(options: argparse.Namespace, outcomes: list[Any]) -> dict[str, Any]:
    """Of the placements: counts, distributions in mm and N, and each failure."""
    good = [outcome for outcome in outcomes if outcome.success]
    return {
        'robot': options.robot,
        'placements': len(outcomes),
        'succeeded': len(good),
        'hold_s': options.hold,
        'seed': options.seed,
        'slip_mm': _quantiles([o.slip * 1e3 for o in good]),
        'force_n': _quantiles([o.force[0] for o in good]),
        'set_down_mm': _quantiles([o.set_down * 1e3 for o in good]),
        'beyond_limits': sum(outcome.beyond_limits for outcome in outcomes),
        'failures': [
            {'number': o.number, 'cube': [round(v, 4) for v in o.cube], 'reason': o.reason}
            for o in outcomes
            if not o.success
        ],
    }


def _quantiles(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    low, median, high = (float(np.quantile(values, q)) for q in (0.0, 0.5, 1.0))
    return {'least': round(low, 3), 'p50': round(median, 3), 'most': round(high, 3)}


def text(found: dict[str, Any]) -> str:
    """For the terminal."""
    lines = [
        f'{found["robot"]}: {found["succeeded"]} of {found["placements"]} cubes picked, lifted, '
        f'held for {found["hold_s"]:g} s and set down; {found["beyond_limits"]} commands beyond '
        'the limits'
    ]
    for key, what, unit in (
        ('slip_mm', 'slip in the hand', 'mm'),
        ('force_n', 'least grip force', 'N'),
        ('set_down_mm', 'set down beside its place', 'mm'),
    ):
        if found[key]:
            spread = '{least:.2f} to {most:.2f}, median {p50:.2f}'.format(**found[key])
            lines.append(f'  {what}: {spread} {unit}')
    for failure in found['failures']:
        x, y, yaw, size = failure['cube']
        lines.append(
            f'  placement {failure["number"]} (x {x:.3f}, y {y:.3f} m, yaw {yaw:.2f} rad, edge '
            f'{size * 1e3:.0f} mm): {failure["reason"]}'
        )
    return '\n'.join(lines)


def main(argv: list[str] | None = None) -> int:
    """Entry point of `ros2 run vla_validation grasping`."""
    parser = report.parser(
        'grasping',
        'Let an arm pick a cube of known place from the table, lift it, hold it, set it down and\n'
        'release it, at random places, by a scripted policy through the safety filter and the\n'
        'servo loop, with contact physics and sensor noise. In simulated time; no ROS graph.\n\n'
        'A success: lifted by 100 mm, at most 5 mm of slip in the hand during the hold, set down\n'
        'within 20 mm, released, and no command beyond the limits.',
        f'Exit status 0: at least {WANTED:.0%} succeed; 1: fewer; 2: not tried.\n\n'
        'examples:\n  ros2 run vla_validation grasping\n'
        '  ros2 run vla_validation grasping --placements 10 --hold 2 --json\n'
        '  ros2 run vla_validation grasping --force 5',
    )
    parser.add_argument('--robot', default='panda', help='robot, by name or path (default panda)')
    parser.add_argument('--placements', type=int, default=100, help='random places (default 100)')
    parser.add_argument('--hold', type=float, default=10.0, help='s of the hold (default 10)')
    parser.add_argument('--seed', type=int, default=0, help='of places and noise (default 0)')
    parser.add_argument(
        '--force', type=float, help='grip force, N (default: grip_force of robot.yaml)'
    )
    options = parser.parse_args(argv)

    def work() -> tuple[dict[str, Any], int]:
        if options.placements < 1:
            raise ConfigError('command line', '--placements', options.placements, 'at least 1')
        if not 1.0 <= options.hold <= 600.0:
            raise ConfigError('command line', '--hold', options.hold, '1 to 600 s')
        found = measure(options)
        print(text(found), file=sys.stderr if options.json else sys.stdout)
        return found, 0 if found['succeeded'] >= WANTED * found['placements'] else 1

    return report.run('grasping', work, options.json)
