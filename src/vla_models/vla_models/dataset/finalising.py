# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From parts to LeRobot's layout (v3.0): many episodes in a file, tables of episodes and tasks.

    data/chunk-000/file-000.parquet             frames, images as PNG inside
    meta/info.json                              columns, counts, rate
    meta/tasks.parquet                          instruction to number (and the grammar's name)
    meta/episodes/chunk-000/file-000.parquet    where each episode's frames are
    meta/stats.json                             of every column, for normalisation
    meta/vla.json                               horizon, labels, joints: see `DatasetLayout`

Episodes are numbered without gaps in the order of finalising; `attempt` in the episodes table is
their number in the collection. A second run adds new parts and leaves existing files unchanged.
Parts are deleted after the tables that replace them are written.
"""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vla_common.errors import ConfigError
from vla_models.dataset import columns
from vla_models.dataset.column_statistics import KEYS, Statistics, combined, statistics_of
from vla_models.dataset.layout import (
    DATA,
    EPISODES,
    FILE_MEGABYTES,
    FILES_PER_CHUNK,
    INFO,
    STATS,
    TASKS,
    VERSION,
    VIDEO,
    DatasetLayout,
    read_ours,
    write_text,
)
from vla_models.dataset.writing import failures, parts
from vla_models.language import canonical
from vla_models.tasks import ALL_TASKS


def finished_attempts(directory: Path) -> set[int]:
    """Attempts that are complete: finalised, waiting as a part, or skipped."""
    directory = Path(directory)
    done = {int(path.stem) for path in parts(directory)} | set(failures(directory))
    return done | {row['attempt'] for row in episode_rows(directory)}


def count_episodes(directory: Path) -> int:
    """Episodes in the dataset, including those that wait as parts."""
    known = {row['attempt'] for row in episode_rows(directory)}
    return len(known | {int(path.stem) for path in parts(Path(directory))})


def episode_rows(directory: Path) -> list[dict]:
    """The rows of the table of episodes; none where the dataset has not been finalised."""
    return _episode_rows(Path(directory)) if (Path(directory) / INFO).exists() else []


class _Tasks:
    """The table of instructions; grows as episodes bring new ones."""

    def __init__(self, directory: Path) -> None:
        self.rows: dict[str, str] = {}
        if (directory / TASKS).exists():
            table = pq.read_table(directory / TASKS).to_pydict()
            self.rows = dict(zip(table['task'], table['name'], strict=True))
        self.numbers = {text: i for i, text in enumerate(self.rows)}

    def number(self, text: str, name: str) -> int:
        if text not in self.numbers:
            self.numbers[text] = len(self.rows)
            self.rows[text] = name
        return self.numbers[text]

    def save(self, directory: Path) -> None:
        table = pa.table(
            {
                'task_index': pa.array(range(len(self.rows)), pa.int64()),
                'name': pa.array(list(self.rows.values()), pa.string()),
                'task': pa.array(list(self.rows), pa.string()),
            }
        )
        index = columns.pandas_index('task', {'task_index': 'int64', 'name': 'object'})
        _write(table.replace_schema_metadata(index), directory / TASKS)


class _DataFile:
    """The data file that is being written."""

    def __init__(self, directory: Path, number: int, metadata: dict[bytes, bytes]) -> None:
        self.directory, self.number, self.metadata = directory, number, metadata
        self.tables: list[pa.Table] = []
        self.bytes = 0

    @property
    def place(self) -> dict[str, int]:
        chunk, file = divmod(self.number, FILES_PER_CHUNK)
        return {'chunk_index': chunk, 'file_index': file}

    def add(self, table: pa.Table) -> None:
        self.tables.append(table)
        self.bytes += table.nbytes

    def close(self) -> None:
        if self.tables:
            table = pa.concat_tables(self.tables).replace_schema_metadata(self.metadata)
            _write(table, self.directory / DATA.format(**self.place))
            self.tables, self.bytes, self.number = [], 0, self.number + 1


def finalise(directory: Path) -> int:
    """Convert all parts. Returns the number of episodes of the dataset.

    Raises ConfigError where `directory` is no dataset or has no episode.
    """
    directory = Path(directory)
    layout = read_ours(directory)
    rows = episode_rows(directory)
    known = {row['attempt'] for row in rows}
    waiting = parts(directory)
    if not rows and not waiting:
        raise ConfigError(directory, 'parts', 'no episode', 'at least one')
    tasks = _Tasks(directory)
    numbers = []
    if layout.labels:
        numbers = [tasks.number(canonical(task), task.name) for task in ALL_TASKS]
    metadata = columns.hugging_face(layout.features())
    last = max(
        (r['data/chunk_index'] * FILES_PER_CHUNK + r['data/file_index'] for r in rows), default=-1
    )
    file = _DataFile(directory, last + 1, metadata)
    frames = rows[-1]['dataset_to_index'] if rows else 0
    for path in waiting:
        if int(path.stem) in known:  # finalised by a run that was killed before it deleted parts
            continue
        table = pq.read_table(path)
        about = json.loads(table.schema.metadata[b'episode'])
        task = tasks.number(about['text'], about['task'])
        table = _numbered(table, layout, len(rows), frames, task, numbers)
        rows.append(
            {
                'episode_index': len(rows),
                'tasks': [about['text']],
                'length': len(table),
                'data/chunk_index': file.place['chunk_index'],
                'data/file_index': file.place['file_index'],
                'dataset_from_index': frames,
                'dataset_to_index': frames + len(table),
                'meta/episodes/chunk_index': 0,
                'meta/episodes/file_index': 0,
                'attempt': int(path.stem),
                **about['stats'],
                **about['facts'],
            }
        )
        frames += len(table)
        file.add(table)
        if file.bytes > FILE_MEGABYTES * 1e6:
            file.close()
    file.close()
    tasks.save(directory)
    _save_stats(directory, layout, rows)
    _write(pa.Table.from_pylist(rows), directory / EPISODES.format(chunk_index=0, file_index=0))
    _save_info(directory, layout, len(rows), frames, len(tasks.rows))
    for path in waiting:
        path.unlink()
    return len(rows)


def _numbered(
    table: pa.Table, layout: DatasetLayout, episode: int, index: int, task: int, numbers: list[int]
) -> pa.Table:
    """The table with dataset-wide numbers, in the column order of `info.json`."""
    count = len(table)
    given = {name: table[name] for name in table.column_names}
    given['episode_index'] = pa.array(np.full(count, episode, np.int64))
    given['index'] = pa.array(np.arange(index, index + count, dtype=np.int64))
    given['task_index'] = pa.array(np.full(count, task, np.int64))
    if layout.labels:
        labelled = columns.to_numpy(table['labels.task'])
        given['labels.task'] = columns.fixed(np.array(numbers, np.int64)[labelled])
    return pa.table({name: given[name] for name in layout.features()})


def _episode_rows(directory: Path) -> list[dict]:
    path = directory / EPISODES.format(chunk_index=0, file_index=0)
    try:
        return pq.read_table(path).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(path, '(file)', str(error), 'a table of episodes') from error


def _save_info(
    directory: Path, layout: DatasetLayout, episodes: int, frames: int, tasks: int
) -> None:
    info = {
        'codebase_version': VERSION,
        'robot_type': layout.robot,
        'total_episodes': episodes,
        'total_frames': frames,
        'total_tasks': tasks,
        'chunks_size': FILES_PER_CHUNK,
        'data_files_size_in_mb': FILE_MEGABYTES,
        'video_files_size_in_mb': 200,
        'fps': layout.fps if layout.fps % 1 else int(layout.fps),
        'splits': {'train': f'0:{episodes}'},
        'data_path': DATA,
        'video_path': VIDEO,
        'features': layout.features(),
    }
    write_text(directory / INFO, json.dumps(info, indent=1) + '\n')


def _save_stats(directory: Path, layout: DatasetLayout, rows: list[dict]) -> None:
    """The statistics of all frames: of images from those of the episodes, of numbers from the
    frames. (Of labels each episode would have thousands.)"""
    parts: dict[str, list[Statistics]] = {name: [] for name in layout.features()}
    for name in layout.image_columns:
        parts[name] = [{key: row[f'stats/{name}/{key}'] for key in KEYS} for row in rows]
    numeric = [name for name in parts if name not in layout.image_columns]
    for path in sorted(directory.glob('data/*/*.parquet')):
        table = pq.ParquetFile(path).read(numeric)
        for name in numeric:
            parts[name].append(statistics_of(columns.to_numpy(table[name])))
    result = {
        name: {key: value.tolist() for key, value in combined(found).items()}
        for name, found in parts.items()
    }
    write_text(directory / STATS, json.dumps(result, indent=1) + '\n')


def _write(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix('.partial')
    pq.write_table(table, partial, compression='zstd')
    partial.replace(path)
