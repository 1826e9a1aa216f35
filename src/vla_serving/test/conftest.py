"""Fixtures: a robot, observations, and bundles whose model takes batches of any size, or of one."""

import pytest

from vla_policy.testing.bundles import write_plus_bundle
from vla_policy.testing.fixtures import observe, robot  # noqa: F401


@pytest.fixture
def bundle(tmp_path):
    return write_plus_bundle(tmp_path / 'plus', 'batch')


@pytest.fixture
def fixed_bundle(tmp_path):
    return write_plus_bundle(tmp_path / 'fixed', 1)
