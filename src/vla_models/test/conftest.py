# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A tiny dataset that needs no simulator: random images, consistent shapes."""

from __future__ import annotations

import numpy as np
import pytest

from vla_models.dataset import DatasetInfo, shard_path, write_shard
from vla_models.tasks import ALL_TASKS

JOINTS, HORIZON, SIDE, LABELS = 17, 16, 112, 3


def shard_of_noise(frames: int, first_episode: int, seed: int) -> dict[str, np.ndarray]:
    """One shard whose actions are the state, two frames per episode."""
    rng = np.random.default_rng(seed)
    state = rng.normal(0, 0.3, (frames, JOINTS)).astype(np.float32)
    return {
        'image': rng.integers(0, 255, (frames, SIDE, SIDE, 3), np.uint8),
        'state': state,
        'episode': (first_episode + np.arange(frames) // 2).astype(np.int32),
        'task': rng.integers(0, len(ALL_TASKS), (frames, LABELS)).astype(np.int16),
        'phase': rng.normal(0, 0.7, (frames, LABELS, 2)).astype(np.float32),
        'action': np.broadcast_to(state[:, None, None], (frames, LABELS, HORIZON, JOINTS)).astype(
            np.float32
        ),
        'target': np.full((frames, LABELS, 3), np.nan, np.float32),
        'pixel': np.full((frames, LABELS, 2), np.nan, np.float32),
    }


@pytest.fixture
def noise_dataset(tmp_path):
    """A dataset directory with two shards of 16 frames."""
    directory = tmp_path / 'data'
    joints = tuple(f'joint_{i}' for i in range(JOINTS))
    DatasetInfo('humanoid32', joints, HORIZON, 0.1, 2.0, SIDE, LABELS, 0).save(directory)
    for number in range(2):
        write_shard(shard_path(directory, number), shard_of_noise(16, 8 * number, number))
    return directory
