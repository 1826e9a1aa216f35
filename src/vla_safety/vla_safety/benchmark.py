# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_safety benchmark [--json]`: what a tick costs, as a distribution.

Measured: SafetyFilter.tick with every step in use, a smooth motion of all joints, a new chunk each
100 ms (taking it is timed apart), and a measured state that follows with noise. `tick_ms` is the
shipped robot; `by_joints` are synthetic robots, whose gravity costs next to nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import sys
import time

import numpy as np

from vla_common.errors import ConfigError
from vla_robot import load_robot
from vla_safety.adversarial import COUPLED
from vla_safety.chunk import Chunk, Interpolation
from vla_safety.filter import SafetyFilter
from vla_safety.parameters import FilterParameters, load_parameters
from vla_safety.synthetic import SyntheticRobot
from vla_safety.validation import ChunkRules

BUDGET_MS = 0.15
"""p50 that a tick of 32 joints without coupled limits may cost; the exit status says whether."""

POINTS, STEP = 16, 0.1

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
    coupled=COUPLED,
)
"""What is measured where no parameter file is given."""


def measure(
    robot: object, parameters: FilterParameters, ticks: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Distributions of a tick and of taking a chunk, in ms."""
    subject = SafetyFilter(robot, parameters)
    n = len(robot.joint_names)
    rng = np.random.default_rng(0)
    middle = (subject.box.lower + subject.box.upper) / 2
    swing = 0.2 * (subject.box.upper - subject.box.lower)
    subject.reset(middle)
    q, v = middle, np.zeros(n)
    joints = np.arange(n)
    ahead = (np.arange(POINTS) + 1) * STEP
    tick_ms, accept_ms = np.zeros(ticks), []
    for k in range(-200, ticks):
        now = 100.0 + k * 0.01
        if k % 10 == 0:
            wanted = middle + swing * np.sin(now + ahead)[:, None]
            chunk = Chunk(joints, ahead, wanted, now - 0.05)
            begin = time.perf_counter()
            subject.accept(chunk, now, q)
            accept_ms.append((time.perf_counter() - begin) * 1e3)
        measured = q + rng.normal(0.0, 1e-4, n)
        begin = time.perf_counter()
        output = subject.tick(now, 0.01, measured, v)
        if k >= 0:
            tick_ms[k] = (time.perf_counter() - begin) * 1e3
        q, v = output.position, output.velocity
    return distribution(tick_ms), distribution(np.array(accept_ms[20:]))


def distribution(samples: np.ndarray) -> dict[str, float]:
    """p50, p99 and max of `samples` (n,), in their unit, and n."""
    return {
        'p50': round(float(np.percentile(samples, 50)), 4),
        'p99': round(float(np.percentile(samples, 99)), 4),
        'max': round(float(samples.max()), 4),
        'n': len(samples),
    }


def main(args: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog='benchmark', description='Time the safety filter.')
    parser.add_argument('--ticks', type=int, default=10_000, help='of each robot (default 10000)')
    parser.add_argument('--robot', default='humanoid32', help='name or directory')
    parser.add_argument('--parameters', help='a ROS parameter file; default: built-in settings')
    parser.add_argument('--json', action='store_true', help='one JSON object as the last line')
    options = parser.parse_args(args)
    try:
        parameters = load_parameters(options.parameters) if options.parameters else PARAMETERS
        robot = load_robot(options.robot)
    except ConfigError as error:
        print(f'benchmark: {error}', file=sys.stderr)
        if options.json:
            print(json.dumps({'error': str(error)}))
        return 2
    parameters = dataclasses.replace(parameters, rules=PARAMETERS.rules)
    tick, accept = measure(robot, parameters, options.ticks)
    result = {
        'robot': options.robot,
        'tick_ms': tick,
        'accept_ms': accept,
        'by_joints': {
            str(n): measure(SyntheticRobot.random(n, n, jerk=True), parameters, options.ticks)[0]
            for n in (7, 32, 64)
        },
        'machine': f'{platform.machine()}, Python {platform.python_version()}',
    }
    held = tick['p50'] <= BUDGET_MS
    if options.json:
        print(json.dumps(result))
    else:
        print(f'{"":22} {"p50":>8} {"p99":>8} {"max":>8}   n      [ms]')
        rows = [(f'tick, {options.robot}', tick), ('taking a chunk', accept)]
        rows += [(f'tick, {n} joints', row) for n, row in result['by_joints'].items()]
        for name, row in rows:
            print(f'{name:22} {row["p50"]:8.3f} {row["p99"]:8.3f} {row["max"]:8.3f}   {row["n"]}')
        print(f'budget: p50 ≤ {BUDGET_MS} ms: {"held" if held else "NOT held"}')
    return 0 if held else 1


if __name__ == '__main__':
    sys.exit(main())
