# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import pytest

from vla_robot import RobotModel, load_robot


@pytest.fixture(scope='session')
def robot() -> RobotModel:
    return load_robot('humanoid32')
