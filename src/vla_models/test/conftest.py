"""Fixtures of a tiny dataset, and torch on one thread."""

import gc
import logging

import pytest
import torch

import vla_common.testing  # noqa: F401  settles hypothesis
from vla_models.testing import layout, noise_dataset  # noqa: F401

gc.set_threshold(100_000, 20, 50)
logging.getLogger('torch.__trace').setLevel(logging.CRITICAL)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
