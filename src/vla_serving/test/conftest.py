"""Fixtures: a robot, observations, and bundles whose model takes batches of any size, or of one."""

import pytest

from vla_policy.testing.fixtures import observe, robot  # noqa: F401
from vla_policy.testing.plus_bundle import write


@pytest.fixture
def bundle(tmp_path):
    return write(tmp_path / 'plus', 'batch')


@pytest.fixture
def fixed_bundle(tmp_path):
    return write(tmp_path / 'fixed', 1)
