# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Any mistake in a robot directory ends as one ConfigError of one line, or does no harm."""

import math
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_common.errors import ConfigError
from vla_robot import load_robot
from vla_robot.mutations import broken_copy
from vla_sim import World

TESTBOT = Path(__file__).parents[2] / 'vla_robot' / 'test' / 'testbot'


def check_refusal(refusal, folder, mistakes):
    assert '\n' not in str(refusal), mistakes
    assert refusal.file.startswith(folder), mistakes
    assert 'found , ' not in str(refusal) and refusal.wanted, mistakes


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_broken_robot_directory_works_or_is_one_error(seed):
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / 'robot'
        mistakes = broken_copy(TESTBOT, directory, seed)
        try:
            robot = load_robot(directory)
            world = World(robot)
        except ConfigError as refusal:
            check_refusal(refusal, folder, mistakes)
            return
        world.step(20)
        assert np.isfinite(world.qpos).all(), mistakes
        assert math.isfinite(robot.total_mass) and (robot.limits.lower < robot.limits.upper).all()
