# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Bad data are reported with file, episode and frame before training starts."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_models.dataset import DatasetLayout, EpisodeWriter, open_dataset
from vla_models.dataset.columns import fixed
from vla_models.dataset.frames import chunks_of
from vla_models.dataset.images import encode_png, fault_of

DATA = ('data', 'chunk-000', 'file-000.parquet')


def edit(directory, column, change, path=DATA):
    """Replace a column of a Parquet file by `change` of its values as a list; None drops it."""
    file = directory.joinpath(*path)
    table = pq.read_table(file)
    place = table.column_names.index(column)
    if change is None:
        table = table.remove_column(place)
    else:
        values = pa.array(change(table[column].to_pylist()), table[column].type)
        table = table.set_column(place, column, values)
    pq.write_table(table, file)


def nan_at(row):
    def change(values):
        values[row] = [float('nan'), *values[row][1:]]
        return values

    return change


def test_frames_come_back_as_they_were_written(noise_dataset, layout):
    from vla_models.testing import episode_of_noise

    frames = open_dataset(noise_dataset)
    given = episode_of_noise(layout, 2)
    inside = frames.episode == 2
    assert len(frames) == 32 and frames.labels == 3
    assert (frames.image[inside] == given.image).all()
    assert np.allclose(frames.state[inside], given.state)
    assert np.allclose(frames.action[inside], given.labels.action)
    target = given.labels.target.astype(np.float32)
    assert np.array_equal(frames.target[inside], target, equal_nan=True)
    tasks = [frames.instructions[i].task for i in frames.task[inside].ravel()]
    from vla_models.tasks import ALL_TASKS

    assert tasks == [ALL_TASKS[i] for i in given.labels.task.ravel()]


def test_no_episode_is_in_both_parts(noise_dataset):
    frames = open_dataset(noise_dataset)
    train, validation = frames.split(0.25, seed=3)
    assert not set(frames.episode[train]) & set(frames.episode[validation])
    assert len(train) + len(validation) == len(frames)


def test_the_cache_is_rebuilt_when_the_data_change_and_only_then(noise_dataset):
    made = []
    open_dataset(noise_dataset, progress=lambda done, total: made.append(done))
    count = len(made)
    assert count == 8
    open_dataset(noise_dataset, progress=lambda done, total: made.append(done))
    assert len(made) == count
    edit(noise_dataset, 'observation.state', lambda rows: [[v + 1 for v in row] for row in rows])
    frames = open_dataset(noise_dataset, progress=lambda done, total: made.append(done))
    assert len(made) == 2 * count
    assert frames.state.mean() > 0.9


def test_an_incomplete_cache_is_not_used(noise_dataset):
    edit(noise_dataset, 'observation.state', nan_at(5))
    for _ in range(2):
        with pytest.raises(ConfigError, match='episode 1, frame 1: observation.state'):
            open_dataset(noise_dataset)


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r'info\.json.*a dataset in LeRobot layout'):
        open_dataset(tmp_path / 'nowhere')


def test_another_version_of_the_layout_is_rejected(noise_dataset):
    path = noise_dataset / 'meta' / 'info.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), 'codebase_version': 'v2.1'}))
    with pytest.raises(ConfigError, match='codebase_version: found v2.1, wanted v3.0'):
        open_dataset(noise_dataset)


def test_labels_of_an_older_collect_are_refused(noise_dataset, layout):
    path = noise_dataset / 'meta' / 'vla.json'
    content = json.loads(path.read_text())
    del content['format']
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError) as error:
        open_dataset(noise_dataset)
    documented('Datasets', 'labels with NaN, of an older collect', error.value, noise_dataset)
    with pytest.raises(ConfigError, match='format: found 1: its labels have NaN'):
        EpisodeWriter(noise_dataset, layout)  # collect, resumed
    path.write_text(json.dumps({**content, 'labels': 0}))
    with pytest.raises(ConfigError, match='labels'):  # only the layout differs now
        EpisodeWriter(noise_dataset, layout)


def test_a_missing_column_is_named_with_its_episode(noise_dataset):
    edit(noise_dataset, 'action', None)
    with pytest.raises(ConfigError, match='episode 0, frame 0: action: found no such column'):
        open_dataset(noise_dataset)


@pytest.mark.parametrize(
    'column', ['observation.state', 'action', 'labels.action', 'labels.target']
)
def test_a_value_that_is_not_finite_is_named_with_episode_and_frame(noise_dataset, column):
    edit(noise_dataset, column, nan_at(4 * 3 + 2))
    with pytest.raises(
        ConfigError, match=f'episode 3, frame 2: {column}: found a value that is not'
    ):
        open_dataset(noise_dataset)


def test_a_truncated_image_is_named_with_episode_and_frame(noise_dataset):
    def cut(cells):
        cells[9]['bytes'] = cells[9]['bytes'][:-20]
        return cells

    edit(noise_dataset, 'observation.images.head', cut)
    with pytest.raises(ConfigError, match=r'episode 2, frame 1: .*head: found truncated after'):
        open_dataset(noise_dataset)


def test_a_missing_row_is_named(noise_dataset):
    file = noise_dataset.joinpath(*DATA)
    table = pq.read_table(file)
    pq.write_table(table.slice(0, len(table) - 1), file)
    with pytest.raises(ConfigError, match='episode 7, frame 3: row: found 3 rows, wanted 4 rows'):
        open_dataset(noise_dataset)


def test_a_truncated_file_is_named(noise_dataset):
    file = noise_dataset.joinpath(*DATA)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ConfigError, match=r'file-000\.parquet.*a whole Parquet file'):
        open_dataset(noise_dataset)


def test_joints_that_are_not_those_of_the_layout_are_rejected(noise_dataset):
    path = noise_dataset / 'meta' / 'info.json'
    info = json.loads(path.read_text())
    info['features']['action']['names'][0] = 'tail'
    path.write_text(json.dumps(info))
    with pytest.raises(ConfigError, match=r'features\.action\.names: found .*tail'):
        open_dataset(noise_dataset)


def test_rows_of_another_width_are_named(noise_dataset):
    file = noise_dataset.joinpath(*DATA)
    table = pq.read_table(file)
    place = table.column_names.index('action')
    short = fixed(np.zeros((len(table), 5), np.float32))
    pq.write_table(table.set_column(place, 'action', short), file)
    with pytest.raises(ConfigError, match='episode 0, frame 0: action: found 5 values, wanted 17'):
        open_dataset(noise_dataset)


def test_chunks_of_plain_demonstrations_are_the_actions_that_follow(tmp_path, layout):
    r"""
    actions at 20 Hz: 0 1 2 3 …; a chunk with steps of 0.1 s from frame 0 is 1 3 5 (held) 5
    """
    small = DatasetLayout('r', ('a',), ('a',), fps=20.0, horizon=4, step=0.1)
    chunks = chunks_of(np.arange(6.0)[:, None], small)
    assert chunks[0, :, 0].tolist() == [1, 3, 5, 5]
    assert chunks[5, :, 0].tolist() == [5, 5, 5, 5]


def test_a_dataset_without_labels_is_read_as_demonstrations(tmp_path, layout):
    from vla_models.testing import write_noise

    plain = replace(layout, labels=0)
    frames = open_dataset(write_noise(tmp_path / 'plain', plain, 2))
    assert frames.action.shape == (8, 1, layout.horizon, 17)
    assert np.isnan(frames.target).all()


def as_video(directory, side, frames):
    """Turn a dataset with PNG inside into one with an MP4 of `frames` frames, and no file of ours:
    what a user brings."""
    info_path = directory / 'meta' / 'info.json'
    info = json.loads(info_path.read_text())
    camera = 'observation.images.front'
    feature = info['features'].pop('observation.images.head')
    info['features'][camera] = {**feature, 'dtype': 'video'}
    info_path.write_text(json.dumps(info))
    (directory / 'meta' / 'vla.json').unlink()
    edit(directory, 'observation.images.head', None)
    rows = ('meta', 'episodes', 'chunk-000', 'file-000.parquet')
    table = pq.read_table(directory.joinpath(*rows))
    starts = np.cumsum([0, *table['length'].to_pylist()])[:-1] / info['fps']
    for name, values in (('chunk_index', 0), ('file_index', 0), ('from_timestamp', starts)):
        column = pa.array(np.broadcast_to(values, len(table)))
        table = table.append_column(f'videos/{camera}/{name}', column)
    pq.write_table(table, directory.joinpath(*rows))
    path = directory / 'videos' / camera / 'chunk-000' / 'file-000.mp4'
    path.parent.mkdir(parents=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), info['fps'], (side, side))
    for number in range(frames):
        writer.write(np.full((side, side, 3), 8 * number, np.uint8))
    writer.release()
    return directory


def test_video_of_a_users_own_is_read(tmp_path, layout):
    from vla_models.testing import write_noise

    data = write_noise(tmp_path / 'video', replace(layout, labels=0), 2)
    frames = open_dataset(as_video(data, 64, 8), image_size=32)
    assert frames.image.shape == (8, 32, 32, 3)
    assert np.allclose(frames.image.reshape(8, -1).mean(1), 8 * np.arange(8), atol=4)


def test_a_video_that_ends_too_early_is_named_with_episode_and_frame(tmp_path, layout):
    from vla_models.testing import write_noise

    data = write_noise(tmp_path / 'video', replace(layout, labels=0), 2)
    with pytest.raises(ConfigError, match='episode 1, frame 2: found a video that ends before'):
        open_dataset(as_video(data, 64, 6))


def test_a_png_is_whole_or_its_fault_is_reported():
    png = encode_png(np.zeros((8, 8, 3), np.uint8))
    assert fault_of(png) is None
    for end in range(len(png)):
        assert fault_of(png[:end]) is not None
    flipped = bytearray(png)
    flipped[45] ^= 1
    assert 'checksum' in fault_of(bytes(flipped))
