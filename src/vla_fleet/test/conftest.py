# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A robot, and bundles whose model takes batches of any size, or of one."""

from __future__ import annotations

import pytest
from plus_bundle import write

from vla_robot import load_robot


@pytest.fixture(scope='session')
def robot():
    return load_robot('humanoid32')


@pytest.fixture
def bundle(tmp_path):
    return write(tmp_path / 'plus', 'batch')


@pytest.fixture
def fixed_bundle(tmp_path):
    return write(tmp_path / 'fixed', 1)
