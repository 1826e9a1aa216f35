# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import dataclasses
import pathlib

import numpy as np
import pytest
from hypothesis import settings

from vla_common.testing import ros  # noqa: F401
from vla_safety.chunk import Chunk
from vla_safety.filter import SafetyFilter
from vla_safety.parameters import FilterParameters, load_parameters
from vla_safety.testing.synthetic import SyntheticRobot

# The same examples each run, and no example is a failure for being slow on a busy machine.
settings.register_profile('vla', deadline=None, derandomize=True, print_blob=True)
settings.load_profile('vla')

WORKSPACE = pathlib.Path(__file__).resolve().parents[3]
CONFIG = WORKSPACE / 'config' / 'safety_filter.yaml'


@pytest.fixture(scope='session')
def parameters() -> FilterParameters:
    """The shipped settings."""
    return load_parameters(CONFIG)


class Bench:
    """A filter on a robot of two equal joints that follow the command exactly.

    limits ±1 rad, 2 rad/s, 10 rad/s²; tick 10 ms. `track` records what left.
    """

    def __init__(self, parameters: FilterParameters, robot=None, coupled=()) -> None:
        self.robot = robot or SyntheticRobot.uniform()
        rules = dataclasses.replace(parameters.rules, max_first_step=4.0, max_excess=3.0)
        self.parameters = dataclasses.replace(parameters, rules=rules)
        self.filter = SafetyFilter(self.robot, self.parameters, coupled)
        self.n = len(self.robot.joint_names)
        self.now = 10.0
        self.q, self.v = np.zeros(self.n), np.zeros(self.n)
        self.filter.reset(self.q)

    def chunk(self, positions, step=0.1, age=0.0, joints=None, **kwargs) -> Chunk:
        """A chunk of equal joints: `positions` (h,) or (h, k)."""
        joints = np.arange(self.n) if joints is None else np.asarray(joints)
        positions = np.asarray(positions, dtype=float)
        if positions.ndim == 1:
            positions = np.repeat(positions[:, None], len(joints), axis=1)
        times = (np.arange(len(positions)) + 1) * step
        return Chunk(joints, times, positions, self.now - age, **kwargs)

    def accept(self, chunk: Chunk):
        return self.filter.accept(chunk, self.now, self.q)

    def tick(self, dt=0.01, **kwargs):
        self.now += dt
        output = self.filter.tick(self.now, dt, self.q, self.v, **kwargs)
        self.q, self.v = output.position, output.velocity
        return output

    def track(self, seconds, dt=0.01, **kwargs):
        return [self.tick(dt, **kwargs) for _ in range(round(seconds / dt))]


@pytest.fixture
def bench(parameters) -> Bench:
    return Bench(parameters)


@pytest.fixture
def make_bench(parameters):
    def make(robot=None, coupled=(), **changes) -> Bench:
        return Bench(dataclasses.replace(parameters, **changes), robot, coupled)

    return make
