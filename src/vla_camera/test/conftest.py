# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A robot, and a ROS of one's own."""

from __future__ import annotations

import pytest

from vla_common.testing import ros  # noqa: F401
from vla_robot import load_robot


@pytest.fixture(scope='session')
def robot():
    return load_robot('humanoid32')
