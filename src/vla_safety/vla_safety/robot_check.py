# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Part of `ros2 run vla_robot check`: cost of a tick, and pairs of links that are always near."""

from pathlib import Path

import numpy as np

from vla_robot import RobotModel
from vla_robot.check import CheckResult, Finding
from vla_safety.parameters import load_parameters
from vla_safety.tick_cost import measure, tick_limit

SAMPLES = 100
"""Random configurations, in which a pair that is near by construction is near each time."""
TICKS = 200
FREQUENCY = 100.0


def check(robot: RobotModel, picture: Path | None) -> CheckResult:
    """With the settings of config/safety_filter.yaml."""
    parameters = load_parameters()
    margin = parameters.coupled.margin
    always, in_poses = near_pairs(robot, margin)
    findings = [
        Finding(
            'allowed_collisions',
            f'no [{a}, {b}], which are nearer than {margin:g} m in every configuration',
            'this pair (below, to paste)',
        )
        for a, b in always
    ]
    findings += [
        Finding(
            f'poses.{pose}',
            f'{a} and {b} {1e3 * distance:.1f} mm apart',
            f'at least {1e3 * margin:g} mm, or the pair in allowed_collisions',
        )
        for pose, a, b, distance in in_poses
    ]
    times = measure(robot, parameters, TICKS, warm_up=20, longest=5.0)
    p50, p99 = (float(np.percentile(times.cpu, p)) for p in (50, 99))
    limit = tick_limit(parameters, FREQUENCY)
    if not p50 <= limit:
        findings.append(
            Finding(
                'robot.urdf collision',
                f'shapes with which a tick of the filter takes {p50:.1f} ms',
                f'at most {limit:g} ms: simpler shapes, fewer links with shapes, or pairs that '
                'cannot touch in allowed_collisions',
            )
        )
    values = {
        'tick_ms': {'p50': round(p50, 3), 'p99': round(p99, 3), 'limit': limit},
        'pairs': len(robot.collision_pairs),
        'near_by_construction': [list(pair) for pair in always],
    }
    paste = ''
    if always:
        lines = [f'  - [{a}, {b}]' for a, b in always]
        paste = '\n'.join(['allowed_collisions:', *lines])
    return CheckResult(values, tuple(findings), paste)


def near_pairs(
    robot: RobotModel, margin: float
) -> tuple[list[tuple[str, str]], list[tuple[str, str, str, float]]]:
    """Pairs nearer than `margin` m in every configuration, and others that are in a pose (pose,
    links, m)."""
    rng = np.random.default_rng(0)
    limits, kinematics = robot.limits, robot.kinematics()
    near = np.ones(len(robot.collision_pairs), bool)
    for _ in range(SAMPLES):
        if not near.any():
            break
        kinematics.update(rng.uniform(limits.lower, limits.upper))
        near &= kinematics.distances() < margin
    in_poses = []
    for pose, q in robot.poses.items():
        kinematics.update(q)
        distances = kinematics.distances()
        near &= distances < margin
        in_poses += [(k, pose, float(distances[k])) for k in np.flatnonzero(distances < margin)]
    pairs = robot.collision_pairs
    return (
        [pairs[k] for k in np.flatnonzero(near)],
        [(pose, *pairs[k], distance) for k, pose, distance in in_poses if not near[k]],
    )
