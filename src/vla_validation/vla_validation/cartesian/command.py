# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation cartesian``: a hand follows a square, in closed loop.

An analytic policy asks for a square in one of the Cartesian action spaces; its actions go through
the classes of the robot (inference step, filter, servo loop, MuJoCo) in simulated time.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from vla_models.robot_stack import RobotStack
from vla_models.rollout import TIMESTEP, Rollout, Run
from vla_policy.bundle.action_space import (
    CARTESIAN_KINDS,
    RELATIVE_TO,
    ROTATIONS,
    ActionSpace,
    CartesianSpace,
    EndEffector,
)
from vla_robot import RobotModel, load_robot
from vla_sim import Scene, World
from vla_validation import report
from vla_validation.cartesian.square import PathObserver, Square, SquarePolicy
from vla_validation.report import NotMeasuredError

AXES = {'x': 0, 'y': 1, 'z': 2}
EXTRA = 8.0
"""s after the square in which the instruction may end."""


def space_of(robot: RobotModel, options: argparse.Namespace) -> ActionSpace:
    """The action space of the options."""
    frame = options.frame or (robot.hands[0] if robot.hands else '')
    if not frame or not robot.has_link(frame):
        raise NotMeasuredError(
            f'{robot.name} has no frame {frame or "of a hand"}: use --end-effector'
        )
    upper = {int(i) for i in robot.groups['upper_body']}
    joints = tuple(robot.joint_names[j] for j in robot.chain(frame) if j in upper)
    axes = 'tool' if options.tool else 'base'
    ends = (EndEffector(frame, options.rotation),)
    cartesian = CartesianSpace(ends, axes, (0.02, 0.1))
    return ActionSpace(options.kind, joints, options.relative_to, cartesian)


def square_of(robot: RobotModel, frame: str, pose: str, options: argparse.Namespace) -> Square:
    """From where the hand is in a pose of the robot."""
    kinematics = robot.kinematics()
    kinematics.update(robot.poses[pose])
    (rotation, origin), (_, corner) = kinematics.frame('base'), kinematics.frame(frame)
    first, second = (options.side * np.eye(3)[AXES[axis]] for axis in options.plane)
    return Square(rotation.T @ (corner - origin), first, second, options.duration)


def follow(
    robot: RobotModel, space: ActionSpace, options: argparse.Namespace
) -> tuple[Run, Square, PathObserver, SquarePolicy]:
    """One episode."""
    pose = 'ready' if 'ready' in robot.poses else 'standing'
    assert space.cartesian is not None
    frame = space.cartesian.end_effectors[0].frame
    world = World(robot, Scene.default(), TIMESTEP, seed=options.seed)
    world.reset(pose)
    square = square_of(robot, frame, pose, options)
    policy = SquarePolicy(robot, space, square)
    observer = PathObserver(world, frame)
    rollout = Rollout(RobotStack(robot), world, policy)
    run = rollout.run('follow the square', observer, options.duration + EXTRA)
    return run, square, observer, policy


def figures(
    run: Run, square: Square, observer: PathObserver, policy: SquarePolicy
) -> dict[str, Any]:
    """Errors in mm: behind the moving target, and beside the path."""
    late = np.linalg.norm(observer.points - square.at(observer.times), axis=1)
    beside = square.distance(observer.points)
    ending = run.ending
    return {
        'behind_mm': _spread(late),
        'beside_mm': _spread(beside),
        'chunks_not_followed': policy.not_followed,
        'beyond_limits': run.violations,
        'filter_interventions': run.interventions,
        'rejected': run.rejected,
        'ending': ending.outcome.name if ending is not None else 'still running',
        'reason': ending.reason if ending is not None else '',
        'seconds': round(run.seconds, 2),
    }


def _spread(metres: np.ndarray) -> dict[str, float]:
    p50, p99, most = 1e3 * np.percentile(metres, [50, 99, 100])
    named = {'p50': p50, 'p99': p99, 'max': most}
    return {**{name: round(float(v), 2) for name, v in named.items()}, 'n': len(metres)}


def plot(square: Square, observer: PathObserver, plane: str, title: str, file: Path) -> None:
    """The path in the plane, and the errors over time."""
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9.0, 4.0))
    a, b = (AXES[axis] for axis in plane)
    wanted, points, times = square.corners, observer.points, observer.times
    left.plot(wanted[:, a], wanted[:, b], color='0.6', linewidth=3.0, label='wanted')
    left.plot(points[:, a], points[:, b], color='tab:blue', linewidth=1.0, label='hand')
    left.set(xlabel=f'{plane[0]} (m)', ylabel=f'{plane[1]} (m)', title=title)
    left.axis('equal')
    left.legend(loc='center')
    late = np.linalg.norm(points - square.at(times), axis=1)
    right.plot(times, 1e3 * late, label='behind the moving target')
    right.plot(times, 1e3 * square.distance(points), label='beside the path')
    right.set(xlabel='time (s)', ylabel='error (mm)')
    right.set_ylim(bottom=0.0)
    right.legend()
    figure.tight_layout()
    figure.savefig(file, dpi=80)
    pyplot.close(figure)


def main(arguments: list[str] | None = None) -> int:
    parser = report.parser(
        'cartesian',
        'Let a hand follow a square in simulation, in an action space of end effectors.',
        'Exit status 0: measured; 2: not.\n\n'
        'example:\n  ros2 run vla_validation cartesian --robot panda --kind end_effector_delta '
        '--plot square.png',
    )
    parser.add_argument('--robot', default='ur5e', help='robot name or directory (default ur5e)')
    parser.add_argument('--end-effector', dest='frame', default='', help='default: the first hand')
    parser.add_argument('--kind', choices=CARTESIAN_KINDS, default='end_effector_pose')
    parser.add_argument('--rotation', choices=tuple(ROTATIONS), default='quaternion_wxyz')
    parser.add_argument('--relative-to', choices=RELATIVE_TO, default='observed')
    parser.add_argument('--tool', action='store_true', help='deltas along the axes of the hand')
    parser.add_argument('--side', type=float, default=0.15, help='m (default 0.15)')
    parser.add_argument('--duration', type=float, default=12.0, help='s (default 12)')
    parser.add_argument('--plane', choices=('xy', 'yz', 'xz'), default='yz', help='default yz')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--plot', type=Path, help='write a picture (.png)')
    options = parser.parse_args(arguments)

    def work() -> tuple[dict[str, Any], int]:
        if options.tool and options.kind == 'end_effector_pose':
            raise NotMeasuredError('--tool needs --kind end_effector_delta')
        robot = load_robot(options.robot)
        run, square, observer, policy = follow(robot, space_of(robot, options), options)
        found = {
            'robot': robot.name,
            'kind': options.kind,
            **figures(run, square, observer, policy),
        }
        if options.plot is not None:
            plot(square, observer, options.plane, f'{robot.name}, {options.kind}', options.plot)
        if not options.json:
            print('\n'.join(f'{key:22} {value}' for key, value in found.items()))
        return found, 0

    return report.run('cartesian', work, options.json)
