# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation pushes``: how hard a push of 0.1 s at the chest the robot withstands.

In simulated time; no ROS graph.
"""

import argparse
import math
import sys
from typing import Any

from vla_balance.gains import BalanceGains
from vla_common.terminal import progress
from vla_robot import load_robot
from vla_validation import report

WANTED = 20.0
"""N·s that must not bring the robot down, from every side, while the arms move."""

COLUMNS = {
    'direction': 'pushed to',
    'still': 'still, N·s',
    'arms_swinging': 'arms swinging, N·s',
    'after_a_push': 'after a push to the other side, N·s',
    'servos_alone': 'position servos alone, N·s',
}


def name_of(heading: float) -> str:
    """A direction in words."""
    words = ('front', 'front left', 'left', 'back left', 'back', 'back right', 'right')
    return (*words, 'front right')[round(heading / (math.pi / 4)) % 8]


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row per direction. Raises ConfigError."""
    from vla_balance.testing import Standing
    from vla_validation.pushes.push_recovery import Push, largest, swinging_arms, worst

    robot = load_robot(options.robot)
    gains = BalanceGains.load(robot)
    swings = [swinging_arms(robot, 2 * math.pi * i / options.phases) for i in range(options.phases)]
    step = options.resolution

    def robot_stands() -> Standing:
        return Standing(robot, gains)

    rows = []
    headings = [2 * math.pi * i / options.directions for i in range(options.directions)]
    with progress('directions', passing=True) as bar:
        for heading in bar.track(headings):
            still = Push(heading, options.link)
            moving = [Push(heading, options.link, swing) for swing in swings]
            second = Push(heading, options.link, former=WANTED)
            rows.append(
                {
                    'direction': name_of(heading),
                    'still': largest(robot_stands, still, step),
                    'arms_swinging': worst(robot_stands, moving, step),
                    'after_a_push': largest(robot_stands, second, step),
                    'servos_alone': largest(lambda: Standing(robot, gains, False), still, step),
                }
            )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """As Markdown."""
    cells = [[row['direction'], *(f'{row[key]:g}' for key in list(COLUMNS)[1:])] for row in rows]
    return report.table(tuple(COLUMNS.values()), cells)


def main(argv: list[str] | None = None) -> int:
    parser = report.parser(
        'pushes',
        'Find the largest push of 0.1 s at the chest that the robot withstands.\n\n'
        'For each direction: standing still; with both arms swinging (the worst moment of the\n'
        f'swing); still, after a push of {WANTED:g} N·s to the other side; still, with position\n'
        'servos alone. In simulated time; no ROS graph.',
        f'Exit status 0: {WANTED:g} N·s never bring it down; 1: they do; 2: not tried.\n\n'
        'examples:\n  ros2 run vla_validation pushes\n'
        '  ros2 run vla_validation pushes --robot my_robot --directions 8 --json',
    )
    parser.add_argument(
        '--robot', default='humanoid32', help='robot, by name or path (default humanoid32)'
    )
    parser.add_argument(
        '--link', default='torso_roll_link', help='link that is pushed (default torso_roll_link)'
    )
    parser.add_argument(
        '--directions',
        type=int,
        default=4,
        help='directions; 4: front, left, back, right; 8: those between too (default 4)',
    )
    parser.add_argument(
        '--phases', type=int, default=4, help='moments of the swing that are tried (default 4)'
    )
    parser.add_argument(
        '--resolution', type=float, default=0.5, help='resolution of the impulse, N·s (default 0.5)'
    )
    options = parser.parse_args(argv)

    def work() -> tuple[dict[str, Any], int]:
        rows = measure(options)
        print(table(rows), file=sys.stderr if options.json else sys.stdout)
        tried = ('still', 'arms_swinging', 'after_a_push')
        enough = all(row[key] >= WANTED for row in rows for key in tried)
        return {'directions': rows}, 0 if enough else 1

    return report.run('pushes', work, options.json)
