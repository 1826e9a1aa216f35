"""Fixtures: a ROS of its own for each test, the robot, observations, and small bundles."""

import pytest

from vla_common.testing import ros  # noqa: F401
from vla_policy.testing.fixtures import observe, robot  # noqa: F401
from vla_policy.testing.plus_bundle import write


@pytest.fixture
def bundle(tmp_path):
    return write(tmp_path / 'plus', 'batch')


@pytest.fixture
def fixed_bundle(tmp_path):
    return write(tmp_path / 'fixed', 1)
