# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Fixtures of a tiny dataset (noise.py)."""

from __future__ import annotations

import gc
import logging

import pytest
import torch
from noise import HORIZON, LABELS, SIDE, write_noise

import vla_common.testing  # noqa: F401  settles hypothesis
from vla_models.dataset import Layout
from vla_robot import load_robot

# torch's exporters make millions of small objects that live long: looking for garbage after every
# 700 of them costs them a fifth of their time.
gc.set_threshold(100_000, 20, 50)
# pytest keeps every record of every log; torch's tracing writes some hundred thousand.
logging.getLogger('torch.__trace').setLevel(logging.CRITICAL)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope='session')
def layout() -> Layout:
    """humanoid32's joints; head and arms act."""
    robot = load_robot('humanoid32')
    moved = [i for part in ('head', 'left_arm', 'right_arm') for i in robot.groups[part]]
    names = robot.joint_names
    acting = tuple(names[i] for i in moved)
    return Layout(
        robot.name, tuple(names), acting, 10.0, SIDE, HORIZON, 0.1, 2.0, labels=LABELS, seed=0
    )


@pytest.fixture
def noise_dataset(tmp_path, layout):
    """A dataset directory of 8 episodes of 4 frames."""
    return write_noise(tmp_path / 'data', layout)
