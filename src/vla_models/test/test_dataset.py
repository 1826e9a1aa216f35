# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Bad data is named before training starts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from vla_common.errors import ConfigError
from vla_models.dataset import Dataset, batches


def test_a_dataset_gives_its_frames_back(noise_dataset):
    data = Dataset(noise_dataset)
    assert data.size == 32
    second = np.load(noise_dataset / 'shard-00001' / 'image.npy')
    assert (data.images(np.array([16 + 3, 0]))[0] == second[3]).all()


def test_no_scene_is_in_both_parts(noise_dataset):
    data = Dataset(noise_dataset)
    train, validation = data.split(0.2, seed=3)
    assert not set(data.episode[train]) & set(data.episode[validation])
    assert len(train) + len(validation) == data.size


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(ConfigError, match='dataset.json'):
        Dataset(tmp_path / 'nowhere')


def test_a_dataset_of_another_format_is_refused(noise_dataset):
    path = noise_dataset / 'dataset.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), 'format': 99}))
    with pytest.raises(ConfigError, match='found 99, wanted 1'):
        Dataset(noise_dataset)


def test_an_unfinished_shard_is_not_used(noise_dataset):
    (noise_dataset / 'shard-00001' / 'done').unlink()
    assert Dataset(noise_dataset).size == 16


def test_a_missing_column_is_named(noise_dataset):
    (noise_dataset / 'shard-00000' / 'action.npy').unlink()
    with pytest.raises(ConfigError, match=r'action\.npy'):
        Dataset(noise_dataset)


def test_a_truncated_column_is_named(noise_dataset):
    file = noise_dataset / 'shard-00000' / 'image.npy'
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ConfigError, match=r'image\.npy'):
        Dataset(noise_dataset)


def test_a_nan_state_is_named_with_episode_and_frame(noise_dataset):
    file = noise_dataset / 'shard-00001' / 'state.npy'
    state = np.load(file)
    state[5, 2] = np.nan
    np.save(file, state)
    with pytest.raises(ConfigError, match=r'state\[episode 10, frame 5\]'):
        Dataset(noise_dataset)


def test_mismatched_joints_are_refused(noise_dataset):
    file = noise_dataset / 'shard-00000' / 'state.npy'
    np.save(file, np.load(file)[:, :-1])
    with pytest.raises(ConfigError, match=r'found float32 \(16, 16\), wanted float32 \(F, 17\)'):
        Dataset(noise_dataset)


def test_batches_show_every_frame_at_most_once():
    shown = np.concatenate(list(batches(np.arange(70), 16, np.random.default_rng(0))))
    assert len(shown) == 64 and len(set(shown)) == 64
