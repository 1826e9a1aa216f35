# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation pushes``: how hard a push of 0.1 s at the chest the robot survives.

For each direction: standing still, with both arms swinging (the worst moment of the swing), still
after a push of 20 N·s to the other side, and still with position servos alone. In simulated time;
no ROS graph.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from typing import Any

from vla_balance.gains import BalanceGains
from vla_common.errors import ConfigError
from vla_robot import load_robot

WANTED = 20.0
"""N·s that has to be survived from every side while the arms move."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='pushes',
        description=__doc__.split(': ', 1)[1]
        + f' Exit status 0: {WANTED:g} N·s are survived from every side; 1: not; 2: not tried.',
    )
    parser.add_argument('--robot', default='humanoid32', help='name or path')
    parser.add_argument('--link', default='torso_roll_link', help='that is pushed')
    parser.add_argument(
        '--directions', type=int, default=4, help='4: front, left, back, right; 8: and between'
    )
    parser.add_argument(
        '--phases', type=int, default=4, help='moments of the swing that are tried (default 4)'
    )
    parser.add_argument('--resolution', type=float, default=0.5, help='N·s (default 0.5)')
    parser.add_argument('--json', action='store_true', help='one JSON object as the last line')
    return parser


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
    rows = []
    for i in range(options.directions):
        heading = 2 * math.pi * i / options.directions
        still = Push(heading, options.link)
        moving = [Push(heading, options.link, swing) for swing in swings]
        step = options.resolution
        rows.append(
            {
                'direction': name_of(heading),
                'still': largest(lambda: Standing(robot, gains), still, step),
                'arms_swinging': worst(lambda: Standing(robot, gains), moving, step),
                'after_a_push': largest(
                    lambda: Standing(robot, gains),
                    Push(heading, options.link, former=WANTED),
                    step,
                ),
                'servos_alone': largest(lambda: Standing(robot, gains, False), still, step),
            }
        )
        if sys.stderr.isatty():
            print(f'\r{i + 1} of {options.directions}', end='\r', file=sys.stderr)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """As Markdown."""
    lines = [
        '| pushed to | still, N·s | arms swinging, N·s | after a push to the other side, N·s '
        '| position servos alone, N·s |',
        '|---|---|---|---|---|',
    ]
    for row in rows:
        lines.append(
            f'| {row["direction"]} | {row["still"]:g} | {row["arms_swinging"]:g} '
            f'| {row["after_a_push"]:g} | {row["servos_alone"]:g} |'
        )
    return '\n'.join(lines)


def main(argv: list[str] | None = None) -> None:
    """Push and exit."""
    options = _parser().parse_args(sys.argv[1:] if argv is None else argv)
    try:
        rows = measure(options)
    except (ConfigError, ImportError) as error:
        print(f'survival: {error}', file=sys.stderr)
        sys.exit(2)
    print(table(rows), file=sys.stderr if options.json else sys.stdout)
    if options.json:
        print(json.dumps({'directions': rows}))
    tried = ('still', 'arms_swinging', 'after_a_push')
    enough = all(row[what] >= WANTED for row in rows for what in tried)
    sys.exit(0 if enough else 1)


if __name__ == '__main__':
    main()
