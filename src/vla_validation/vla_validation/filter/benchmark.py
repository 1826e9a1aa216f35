# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_validation filter [--json]`: times a tick of the safety filter.

Measured: SafetyFilter.tick with every step in use (`vla_safety.tick_cost`). `tick_ms` is the chosen
robot; `by_joints` and `by_pairs` are generated robots with real geometry; `by_obstacles` is the
chosen robot among boxes that move. `solved`: share of ticks that solved a QP. `cpu_p50`, `cpu_p99`:
CPU time of the thread, because on a loaded machine the wall clock measures other work too.
`numpy_add_us`, the time in which NumPy adds 32 numbers to 32, serves for comparing machines.
"""

import argparse
import dataclasses
import os
import platform
import timeit
from typing import Any

import numpy as np

from vla_common.chunk_curve import Interpolation
from vla_common.distribution import distribution
from vla_robot import RobotModel, load_robot
from vla_robot.synthetic import synthetic_robot
from vla_safety import tick_cost
from vla_safety.parameters import FilterParameters, load_parameters
from vla_safety.validation import ChunkRules
from vla_validation import report
from vla_validation.filter.box_attack import COUPLED, OBSTACLES

BUDGET_MS = {'p50': 0.25, 'p99': 1.0}
"""Budget of a tick of 32 joints with all steps; decides the exit status."""

JOINTS = (7, 32, 64)
PAIRS = (10, 40, 100, 200)
PAIRS_BY_JOINTS = 40
OBSTACLE_COUNTS = (1, 8, 32)

PARAMETERS = FilterParameters(
    stage='sim',
    interpolation=Interpolation.MINIMUM_JERK,
    cross_fade=0.1,
    max_playback_age=6.0,
    rules=ChunkRules(0.5, 0.02, 256, 5.0, 3.0, 3.0),
    velocity_fraction=1.0,
    acceleration_fraction=1.0,
    effort_fraction=0.95,
    braking_lag=1.0,
    min_period=1e-4,
    max_period=0.03,
    speed_scale_rate=2.0,
    hold_limit=5.0,
    coupled=COUPLED,
    obstacles=OBSTACLES,
)
"""Settings without a parameter file."""


def measure(
    robot: RobotModel, parameters: FilterParameters, ticks: int, obstacles: int = 0
) -> tuple[dict[str, float], dict[str, float]]:
    """Distributions of a tick and of taking a chunk, in ms."""
    times = tick_cost.measure(robot, parameters, ticks, obstacles=obstacles)
    row = distribution(times.wall)
    row['cpu_p50'] = round(float(np.percentile(times.cpu, 50)), 4)
    row['cpu_p99'] = round(float(np.percentile(times.cpu, 99)), 4)
    row['joints'] = robot.n
    row['pairs'] = len(robot.collision_pairs)
    row['obstacles'] = obstacles
    row['solved'] = round(times.solved, 3)
    return row, distribution(times.accept)


def numpy_add_us() -> float:
    """µs of one addition of two (32,) arrays, the least of many: the cost of a call into NumPy."""
    first, second, out = np.ones(32), np.ones(32), np.zeros(32)
    return round(
        min(timeit.repeat(lambda: np.add(first, second, out), number=500, repeat=40)) * 2e3, 3
    )


def _pairs(joints: int) -> RobotModel:
    """A generated robot with PAIRS_BY_JOINTS pairs, or all where it has fewer."""
    robot = synthetic_robot(joints)
    if len(robot.collision_pairs) <= PAIRS_BY_JOINTS:
        return robot
    return synthetic_robot(joints, PAIRS_BY_JOINTS)


def main(args: list[str] | None = None) -> int:
    bounds = ', '.join(f'{key} ≤ {bound} ms' for key, bound in BUDGET_MS.items())
    parser = report.parser(
        'filter',
        'Time the safety filter.',
        f'Exit status 0: {bounds}, of the chosen robot; 1: not; 2: not measured.',
    )
    parser.add_argument(
        '--ticks', type=int, default=10_000, help='ticks of each robot (default 10000)'
    )
    parser.add_argument('--robot', default='humanoid32', help='name or directory')
    parser.add_argument('--parameters', help='ROS parameter file (default: built-in settings)')
    options = parser.parse_args(args)
    return report.run('filter', lambda: _run(options), options.json)


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], int]:
    parameters = load_parameters(options.parameters) if options.parameters else PARAMETERS
    robot = load_robot(options.robot)
    parameters = dataclasses.replace(parameters, rules=PARAMETERS.rules)
    tick, accept = measure(robot, parameters, options.ticks)
    result = {
        'robot': options.robot,
        'tick_ms': tick,
        'accept_ms': accept,
        'by_joints': {str(n): measure(_pairs(n), parameters, options.ticks)[0] for n in JOINTS},
        'by_pairs': {
            str(p): measure(synthetic_robot(32, p), parameters, options.ticks)[0] for p in PAIRS
        },
        'by_obstacles': {
            str(k): measure(robot, parameters, options.ticks, k)[0] for k in OBSTACLE_COUNTS
        },
        'numpy_add_us': numpy_add_us(),
        'machine': f'{platform.machine()}, Python {platform.python_version()}',
        'load': round(os.getloadavg()[0], 1),
        'cores': os.cpu_count(),
    }
    held = all(tick[key] <= bound for key, bound in BUDGET_MS.items())
    if not options.json:
        _show(result, held)
    return result, 0 if held else 1


def _show(result: dict, held: bool) -> None:
    columns = ('p50', 'p99', 'max', 'cpu_p50', 'cpu_p99')
    print(f'{"ms":24}' + ''.join(f'{name:>9}' for name in columns) + '   QPs  pairs      n')
    rows = [(f'tick, {result["robot"]}', result['tick_ms'])]
    rows += [(f'tick, {n} joints', row) for n, row in result['by_joints'].items()]
    rows += [(f'tick, 32 joints, {p} pairs', row) for p, row in result['by_pairs'].items()]
    rows += [(f'tick, {k} obstacles', row) for k, row in result['by_obstacles'].items()]
    for name, row in rows:
        numbers = ''.join(f'{row[column]:9.3f}' for column in columns)
        print(f'{name:24}{numbers}  {row["solved"]:4.2f} {row["pairs"]:6d} {row["n"]:6d}')
    accept = result['accept_ms']
    numbers = ''.join(f'{accept[column]:9.3f}' for column in columns[:3])
    print(f'{"taking a chunk":24}{numbers}{"":31}{accept["n"]:6d}')
    bounds = ', '.join(f'{key} ≤ {bound} ms' for key, bound in BUDGET_MS.items())
    print(
        f'load {result["load"]} on {result["cores"]} cores, one NumPy addition '
        f'{result["numpy_add_us"]:.2f} µs; '
        f'budget: {bounds}: {"held" if held else "NOT held"}'
    )
