# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_validation adversary`: attacks the safety filter and counts broken limits.

`--ticks 1000000` attacks the box limits; an oracle that shares no code with the filter checks every
command. With `--actions KIND` the chunks come from hostile actions of that kind (action_attack).
`--hours 1` attacks self-collision (see collision_attack); MuJoCo checks.

Each episode draws a robot (or takes --robot), a clock that jitters, stalls, stops and goes back,
chunks with steps, drifts, oscillations, NaN, huge values, replays, stamps in the future and past,
measurements that are noisy, NaN or far off, random speed scales and stops, and coupled limits that
answer with junk. Exit status 0: no command broke a limit.
"""

import argparse
import dataclasses
from typing import Any

from vla_common.errors import ConfigError
from vla_policy.bundle.action_space import KINDS
from vla_safety.coupled.limits import CoupledMode
from vla_safety.parameters import load_parameters
from vla_validation import report
from vla_validation.filter.action_attack import attack_actions
from vla_validation.filter.box_attack import MODES, attack


def _run(options: argparse.Namespace) -> dict[str, object]:
    from vla_robot import load_robot

    if options.actions:
        if options.hours is not None:
            raise ConfigError('command line', '--actions', 'with --hours', 'one of the two')
        robot = load_robot(options.robot or 'ur5e')
        return attack_actions(options.ticks, options.seed, robot, options.actions)
    if options.hours is None:
        return attack(
            options.ticks, options.seed, load_robot(options.robot) if options.robot else None
        )
    from vla_validation.filter.collision_attack import attack_self

    parameters = load_parameters(options.parameters)
    if options.mode:
        coupled = dataclasses.replace(parameters.coupled, mode=CoupledMode(options.mode))
        parameters = dataclasses.replace(parameters, coupled=coupled)
    robot, seconds = load_robot(options.robot or 'humanoid32'), 3600.0 * options.hours
    if options.obstacles:
        from vla_validation.filter.obstacle_attack import attack_obstacles

        return attack_obstacles(robot, parameters, seconds, options.seed, options.obstacles)
    return attack_self(robot, parameters, seconds, options.seed, options.physics, options.boxes)


def main(args: list[str] | None = None) -> int:
    parser = report.parser(
        'adversary',
        'Attack the safety filter; count the limits it breaks.',
        'Exit status 0: no command broke a limit; 1: one did; 2: not measured.',
    )
    parser.add_argument(
        '--ticks', type=int, default=100_000, help='ticks against the box limits (default 100000)'
    )
    parser.add_argument(
        '--hours',
        type=float,
        help='attack self-collision instead, for hours of robot time at 100 Hz',
    )
    parser.add_argument(
        '--physics',
        action='store_true',
        help='let the joints follow by servo and gravity, with --hours',
    )
    parser.add_argument(
        '--boxes', type=int, default=0, help='solid boxes near the arms too, with --hours'
    )
    parser.add_argument(
        '--obstacles',
        type=int,
        default=0,
        help='attack with so many moving obstacles, and objects in the hands, with --hours',
    )
    parser.add_argument(
        '--actions',
        choices=KINDS,
        help='chunks from hostile actions of this kind (outputs.action.kind of a policy.yaml), '
        'decoded as the inference node does, on --robot (default ur5e)',
    )
    parser.add_argument(
        '--mode', choices=MODES, help='barriers.mode, with --hours (default: as in the parameters)'
    )
    parser.add_argument(
        '--parameters', help='ROS parameter file, with --hours (default: as shipped)'
    )
    parser.add_argument('--seed', type=int, default=0, help='same seed, same attack (default 0)')
    parser.add_argument('--robot', help='a vla_robot name or directory; default: random robots')
    options = parser.parse_args(args)

    def work() -> tuple[dict[str, Any], int]:
        summary = _run(options)
        if not options.json:
            print('\n'.join(f'{key:16} {value}' for key, value in summary.items()))
        return summary, 0 if summary['violations'] == 0 else 1

    return report.run('adversary', work, options.json)
