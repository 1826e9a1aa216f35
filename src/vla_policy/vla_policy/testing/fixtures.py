# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Fixtures of tests that load policies: the robot, and observations in its standing pose."""

import numpy as np
import pytest

from vla_policy.types import Observation
from vla_robot import load_robot


@pytest.fixture(scope='session')
def robot():
    return load_robot('humanoid32')


@pytest.fixture
def observe(robot):
    """Make an observation in the standing pose; anything can be given instead."""

    def make(**given) -> Observation:
        values = {
            'images': {'head': np.full((48, 64, 3), 128, np.uint8)},
            'position': robot.poses['standing'].copy(),
            'velocity': np.zeros(robot.n),
            'orientation': np.array([1.0, 0.0, 0.0, 0.0]),
            'instruction': 'wave with the left hand',
            'stamp_ns': 10**9,
            'elapsed': 0.0,
        }
        return Observation(**{**values, **given})

    return make
