# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Writing from several workers, resuming after a kill, and the layout on disk."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_models.dataset import (
    EpisodeWriter,
    count_episodes,
    failures,
    finalise,
    finished_attempts,
    open_dataset,
)
from vla_models.dataset.columns import to_numpy
from vla_models.testing import doctor_passes, episode_of_noise, write_noise


def test_episodes_are_numbered_without_gaps_for_any_writer_and_any_failures(tmp_path, layout):
    one, other = EpisodeWriter(tmp_path, layout), EpisodeWriter(tmp_path, layout)
    other.write(7, episode_of_noise(layout, 7))
    one.write(2, episode_of_noise(layout, 2))
    one.skip(3, 'the hand touched the table')
    assert finished_attempts(tmp_path) == {2, 3, 7}
    assert failures(tmp_path) == {3: 'the hand touched the table'}
    assert finalise(tmp_path) == 2
    rows = pq.read_table(tmp_path / 'meta/episodes/chunk-000/file-000.parquet').to_pylist()
    assert [row['attempt'] for row in rows] == [2, 7]
    assert [row['episode_index'] for row in rows] == [0, 1]
    assert [row['dataset_from_index'] for row in rows] == [0, 4]
    assert finished_attempts(tmp_path) == {2, 3, 7}


def test_later_episodes_are_added_and_earlier_files_are_unchanged(tmp_path, layout):
    data = write_noise(tmp_path / 'data', layout, 3)
    first = data / 'data/chunk-000/file-000.parquet'
    before = first.stat().st_mtime_ns
    EpisodeWriter(data, layout).write(3, episode_of_noise(layout, 3))
    assert count_episodes(data) == 4
    finalise(data)
    assert first.stat().st_mtime_ns == before
    added = pq.read_table(data / 'data/chunk-000/file-001.parquet')
    assert added['index'].to_pylist() == [12, 13, 14, 15]
    frames = open_dataset(data)
    assert len(frames) == 16
    together = write_noise(tmp_path / 'at_once', layout, 4)
    stats = [json.loads((d / 'meta/stats.json').read_text()) for d in (data, together)]
    for name, values in stats[0].items():
        for key, value in values.items():
            assert np.allclose(value, stats[1][name][key])
    assert np.allclose(stats[0]['observation.state']['std'], frames.state.std(0), atol=1e-5)


def test_a_kill_before_parts_are_deleted_does_not_double_them(tmp_path, layout):
    data = write_noise(tmp_path / 'data', layout, 2)
    EpisodeWriter(data, layout).write(1, episode_of_noise(layout, 1))  # as if it were still there
    assert finalise(data) == 2
    assert not list((data / 'parts').glob('*.parquet'))


def test_the_tables_have_the_columns_of_lerobot(noise_dataset):
    info = json.loads((noise_dataset / 'meta/info.json').read_text())
    assert info['codebase_version'] == 'v3.0'
    assert (info['total_episodes'], info['total_frames'], info['fps']) == (8, 32, 10)
    table = pq.read_table(noise_dataset / 'data/chunk-000/file-000.parquet')
    assert set(table.column_names) == set(info['features'])
    for name, feature in info['features'].items():
        if feature['dtype'] not in ('image', 'video') and feature['shape'] != [1]:
            assert table[name].type.list_size == feature['shape'][0]
    known = json.loads(table.schema.metadata[b'huggingface'])['info']['features']
    assert known['observation.images.head'] == {'_type': 'Image'}
    assert known['action']['length'] == 17
    tasks = pq.read_table(noise_dataset / 'meta/tasks.parquet')
    assert json.loads(tasks.schema.metadata[b'pandas'])['index_columns'] == ['task']
    assert tasks['task_index'].to_pylist() == list(range(len(tasks)))


def test_no_column_has_nan_and_each_has_statistics(tmp_path, layout):
    data = write_noise(tmp_path / 'data', replace(layout, cubes=6), 3)
    table = pq.read_table(data / 'data/chunk-000/file-000.parquet')
    stats = json.loads((data / 'meta/stats.json').read_text())
    assert set(stats) == set(table.column_names)
    for name in set(table.column_names) - {'observation.images.head'}:
        values = to_numpy(table[name])
        assert np.isfinite(values).all(), name
        assert np.allclose(stats[name]['mean'], values.mean(0), atol=1e-5), name
        assert np.allclose(stats[name]['std'], values.std(0), atol=1e-5), name
    known = to_numpy(table['labels.target_known'])
    assert known.shape == (12, layout.labels) and set(known.ravel()) == {0, 1}


def test_half_of_a_place_is_an_error(tmp_path, layout):
    good = episode_of_noise(layout, 0)
    target = good.labels.target.copy()
    target[0, 0, 1] = np.nan
    bad = replace(good, labels=replace(good.labels, target=target))
    with pytest.raises(ValueError, match='labels.target: found a value that is not finite'):
        EpisodeWriter(tmp_path, layout).write(0, bad)


@pytest.mark.parametrize('labels', [0, 3])
def test_lerobot_doctor_finds_no_fault(tmp_path, layout, labels):
    doctor_passes(write_noise(tmp_path / 'data', replace(layout, labels=labels), 4))


def test_a_dataset_of_somebody_else_is_not_written_into(noise_dataset, layout):
    (noise_dataset / 'meta/vla.json').unlink()
    with pytest.raises(ConfigError) as error:
        EpisodeWriter(noise_dataset, layout)
    documented('Datasets', 'a dataset of another program as the target', error.value, noise_dataset)
    assert not (noise_dataset / 'meta/vla.json').exists()


def test_another_layout_is_rejected_in_the_same_directory(noise_dataset, layout):
    with pytest.raises(ConfigError, match=r'vla\.json: seed: found 0, wanted 9'):
        EpisodeWriter(noise_dataset, replace(layout, seed=9))


def test_an_episode_that_does_not_fit_is_not_written(tmp_path, layout):
    writer = EpisodeWriter(tmp_path, layout)
    good = episode_of_noise(layout, 0)
    state = good.state.copy()
    state[1, 0] = np.nan
    with pytest.raises(ValueError, match='state: found a value that is not finite'):
        writer.write(0, replace(good, state=state))
    with pytest.raises(ValueError, match=r'action: found shape \(4, 16\), wanted \(4, 17\)'):
        writer.write(0, replace(good, action=good.action[:, 1:]))
    assert finished_attempts(tmp_path) == set()


def test_a_directory_without_episodes_is_an_error(tmp_path, layout):
    EpisodeWriter(tmp_path, layout)
    with pytest.raises(ConfigError, match='parts: found no episode'):
        finalise(tmp_path)
