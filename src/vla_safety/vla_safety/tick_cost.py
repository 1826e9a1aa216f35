# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The time that a tick of the filter takes on this machine, with every step in use.

A smooth motion of the upper body leads into self-collision again and again; a new chunk each 100 ms
(timed apart); the measured state follows with noise.
"""

import dataclasses
import time
from dataclasses import dataclass

import numpy as np

from vla_common.errors import ConfigError
from vla_robot import RobotModel
from vla_safety.chunk import Chunk
from vla_safety.compiled import not_compiled
from vla_safety.coupled.build import HANDS, SOURCE, braking_barriers
from vla_safety.filter import SafetyFilter
from vla_safety.known_world import Arrival, KnownWorld, ObstacleReading
from vla_safety.obstacle_shape import ObstacleShape, ShapeType
from vla_safety.parameters import FilterParameters

POINTS, STEP = 16, 0.1
SWING = 0.125
"""Share of each joint's range, to both sides."""
PERIOD = 0.01
WARM_UP = 200
QUICK = 0.5
"""s that a check at configure may take."""


@dataclass(frozen=True)
class TickTimes:
    """ms of each tick (wall clock, CPU of the thread) and of taking each chunk; share of ticks
    that solved a QP."""

    wall: np.ndarray
    cpu: np.ndarray
    accept: np.ndarray
    solved: float


def measure(
    robot: RobotModel,
    parameters: FilterParameters,
    ticks: int,
    warm_up: int = WARM_UP,
    longest: float = np.inf,
    obstacles: int = 0,
) -> TickTimes:
    """Time up to `ticks` ticks after `warm_up` others, for at most `longest` s (but one at least).

    The filter's own time budget is not applied, so that the whole cost shows.

    obstacles: boxes that move slowly around the arms, all reported each 100 ms.
    """
    coupled = parameters.coupled
    known = tuple(f for f in coupled.frames if f == HANDS or robot.has_link(f))
    parameters = dataclasses.replace(parameters, coupled=dataclasses.replace(coupled, frames=known))
    barriers = braking_barriers(robot, parameters, clock=lambda: 0.0)
    subject = SafetyFilter(robot, parameters, (barriers,))
    rules = dataclasses.replace(parameters.obstacles, max_count=obstacles)
    world = KnownWorld.of(robot, rules)
    n = robot.n
    rng = np.random.default_rng(0)
    noise = rng.normal(0.0, 1e-4, (64, n))
    middle = robot.poses['ready'].copy()
    swing = np.zeros(n)
    upper = robot.groups['upper_body']
    swing[upper] = SWING * (subject.box.upper - subject.box.lower)[upper]
    phase = np.linspace(0.0, 6.0, n)
    subject.reset(middle)
    q, v = middle, np.zeros(n)
    joints = np.arange(n)
    ahead = (np.arange(POINTS) + 1) * STEP
    wall, cpu, accept = [], [], []
    begun = time.monotonic()
    for k in range(-warm_up, ticks):
        now = 100.0 + k * PERIOD
        if k == 0:
            barriers.solved = 0
        if k % 10 == 0:
            wanted = middle + swing * np.sin(1.5 * (now + ahead)[:, None] + phase)
            chunk = Chunk(joints, ahead, wanted, now - 0.05)
            begin = time.perf_counter()
            subject.accept(chunk, now, q)
            accept.append(time.perf_counter() - begin)
        measured = q + noise[k % 64]
        cpu_begin = time.thread_time()
        begin = time.perf_counter()
        if obstacles:
            if k % 10 == 5:
                stamp = round(now * 1e9)
                world.on_obstacles('base', _ring(obstacles, now), [], Arrival(stamp, now, stamp))
            barriers.set_known(world, now)
        output = subject.tick(now, PERIOD, measured, v)
        end = time.perf_counter()
        late = time.monotonic() - begun > longest
        if k >= 0 or late:
            wall.append(end - begin)
            cpu.append(time.thread_time() - cpu_begin)
        q, v = output.position, output.velocity
        if late:
            break
    ms = [1e3 * np.array(values) for values in (wall, cpu, accept)]
    return TickTimes(*ms, barriers.solved / max(1, len(wall)))


def _ring(count: int, now: float) -> list[ObstacleReading]:
    """Boxes of 6 cm, spread around the robot 0.3 to 0.7 m from its base."""
    box = ObstacleShape(ShapeType.BOX, (0.06, 0.06, 0.06))
    readings = []
    for k in range(count):
        angle, distance = 2.4 * k, 0.3 + 0.4 * (k % 5) / 4
        height = 0.2 * (k % 3) + 0.02 * np.sin(now)
        place = distance * np.cos(angle), distance * np.sin(angle), height
        readings.append(ObstacleReading(f'{k}', box, place, (0.0, 0.0, 0.0, 1.0), 0.05, 0.005))
    return readings


def tick_limit(parameters: FilterParameters, frequency: float) -> float:
    """ms: the period, or the time budget of the coupled limits, after which every tick brakes."""
    return 1e3 * min(1.0 / frequency, parameters.coupled.time_budget)


def check_tick(robot: RobotModel, parameters: FilterParameters, frequency: float) -> float:
    """The median CPU time of a tick, ms: what other processes take does not count.

    Raises ConfigError: it is beyond `tick_limit`; the robot would stop as soon as it moves.
    """
    times = measure(robot, parameters, 40, warm_up=20, longest=QUICK)
    median, limit = float(np.median(times.cpu)), tick_limit(parameters, frequency)
    if not median <= limit:
        compiled = 'the compiled filter (colcon build); ' if not_compiled() else ''
        raise ConfigError(
            SOURCE,
            'control_frequency',
            f'a tick of {median:.1f} ms (median, {len(robot.collision_pairs)} pairs of links)',
            f'at most {limit:.1f} ms on this machine: {compiled}simpler collision shapes in '
            f'{robot.urdf_path.name}, pairs that cannot touch in allowed_collisions of robot.yaml '
            "('ros2 run vla_robot check' lists both), or a lower frequency",
        )
    return median
