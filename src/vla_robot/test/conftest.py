# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from vla_robot import RobotModel, load_robot

TESTBOT = Path(__file__).parent / 'testbot'


@pytest.fixture(scope='session')
def humanoid() -> RobotModel:
    return load_robot('humanoid32')


@pytest.fixture(scope='session')
def testbot() -> RobotModel:
    return load_robot(TESTBOT)
