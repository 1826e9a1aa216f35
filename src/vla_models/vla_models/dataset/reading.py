# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Reading and checking of a dataset in LeRobot's layout (v3.0), collected or a user's own.

Each fault is one ConfigError with the file, and the episode and frame where there is one: a missing
column or row, a value that is not finite, a truncated image or video, unknown joints.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vla_common.errors import ConfigError
from vla_models.dataset import columns
from vla_models.dataset.episode import task_named
from vla_models.dataset.images import Squarer, VideoFrames, decode_image, fault_of
from vla_models.dataset.layout import (
    ACTION,
    DATA,
    IMAGE,
    INFO,
    KNOWN,
    OURS,
    STATE,
    TASKS,
    VERSION,
    VIDEO,
    DatasetLayout,
    read_json,
    read_ours,
)
from vla_models.tasks import Task

STEP = 0.1  # s between the points of a chunk, default
HORIZON = 16


@dataclass(frozen=True)
class Instruction:
    """A row of the task table; `task` where the grammar has more phrasings of it."""

    text: str
    task: Task | None


@dataclass(frozen=True)
class EpisodeArrays:
    """One checked episode of F frames; `labels` by column name, shaped (F, M, …), NaN for what is
    not there or not in view."""

    number: int
    image: np.ndarray
    state: np.ndarray
    action: np.ndarray
    timestamp: np.ndarray
    task_index: np.ndarray
    labels: dict[str, np.ndarray]


class DatasetSource:
    """A dataset directory. Metadata are checked at once, frames by `episodes`."""

    def __init__(self, directory: Path, image_size: int = 112) -> None:
        """image_size: default for a dataset without `meta/vla.json`."""
        self.directory = Path(directory)
        self.info_path = self.directory / INFO
        info = read_json(self.info_path, 'a dataset in LeRobot layout; collect ends with it')
        if info.get('codebase_version') != VERSION:
            raise self._bad('codebase_version', info.get('codebase_version'), VERSION)
        features = info.get('features')
        if not isinstance(features, dict):
            raise self._bad('features', features, 'a table of columns')
        self.camera = self._camera(features)
        self.is_video = features[self.camera].get('dtype') == 'video'
        self.features = features
        self.data_path = info.get('data_path') or DATA
        self.video_path = info.get('video_path') or VIDEO
        self.layout = self._layout(info, features, image_size)
        self.instructions = self._instructions()
        self.rows = self._episodes()

    def _bad(self, key: str, found: object, wanted: object) -> ConfigError:
        return ConfigError(self.info_path, key, found, wanted)

    # --- metadata ----------------------------------------------------------------------------

    def _camera(self, features: dict) -> str:
        if IMAGE in features:
            return IMAGE
        cameras = [k for k, f in features.items() if f.get('dtype') in ('image', 'video')]
        if len(cameras) != 1:
            raise self._bad('features', sorted(features), f'{IMAGE}, or one camera')
        return cameras[0]

    def _joints(self, features: dict, column: str) -> tuple[str, ...]:
        if column not in features:
            raise self._bad('features', sorted(features), f'a column {column}')
        names = features[column].get('names')
        if isinstance(names, dict):  # older writers: {'motors': [...]}
            names = next(iter(names.values()), None)
        shape = features[column].get('shape')
        if not isinstance(names, list) or list(shape or ()) != [len(names)]:
            raise self._bad(f'features.{column}.names', names, f'a joint name for each of {shape}')
        return tuple(str(name).removesuffix('.pos') for name in names)

    def _layout(self, info: dict, features: dict, image_size: int) -> DatasetLayout:
        state, action = self._joints(features, STATE), self._joints(features, ACTION)
        if (self.directory / OURS).exists():
            layout = read_ours(self.directory)
        else:
            robot = str(info.get('robot_type'))
            layout = DatasetLayout(
                robot, state, action, float(info['fps']), image_size, HORIZON, STEP, labels=0
            )
        for name, found, wanted in (
            (STATE, state, layout.state_joints),
            (ACTION, action, layout.action_joints),
        ):
            if found != wanted:
                raise self._bad(f'features.{name}.names', list(found), list(wanted))
        unknown = [name for name in action if name not in state]
        if unknown:
            raise self._bad(f'features.{ACTION}.names', unknown, f'joints of {STATE}: {state}')
        return layout

    def _instructions(self) -> tuple[Instruction, ...]:
        path = self.directory / TASKS
        table = self._table(path)
        names = table.column_names
        text = 'task' if 'task' in names else '__index_level_0__'
        if text not in names or 'task_index' not in names:
            raise ConfigError(path, '(columns)', names, 'task and task_index')
        content = table.to_pydict()
        grammar = content.get('name') or [None] * len(table)
        rows = sorted(zip(content['task_index'], content[text], grammar, strict=True))
        if [row[0] for row in rows] != list(range(len(rows))):
            raise ConfigError(path, 'task_index', [row[0] for row in rows], 'each number once')
        return tuple(Instruction(t, task_named(name) if name else None) for _, t, name in rows)

    def _episodes(self) -> list[dict]:
        paths = sorted((self.directory / 'meta' / 'episodes').glob('*/*.parquet'))
        if not paths:
            raise ConfigError(self.directory / 'meta' / 'episodes', '(files)', 'none', 'a table')
        wanted = ['episode_index', 'length', 'data/chunk_index', 'data/file_index']
        if self.is_video:
            base = f'videos/{self.camera}'
            wanted += [f'{base}/chunk_index', f'{base}/file_index', f'{base}/from_timestamp']
        rows: list[dict] = []
        for path in paths:
            table = self._table(path)
            missing = [name for name in wanted if name not in table.column_names]
            if missing:
                raise ConfigError(path, missing[0], 'no such column', wanted)
            rows += table.select(wanted).to_pylist()
        rows.sort(key=lambda row: row['episode_index'])
        if [row['episode_index'] for row in rows] != list(range(len(rows))) or not rows:
            raise ConfigError(paths[0], 'episode_index', len(rows), 'episodes 0, 1, 2, … each once')
        return rows

    def _table(self, path: Path) -> pa.Table:
        try:
            return pq.ParquetFile(path).read()
        except (OSError, pa.ArrowException) as error:
            found = getattr(error, 'strerror', None) or str(error).splitlines()[0]
            raise ConfigError(path, '(file)', found, 'a whole Parquet file') from error

    @property
    def frames(self) -> int:
        """The number of frames in the table of episodes."""
        return sum(row['length'] for row in self.rows)

    @property
    def files(self) -> list[Path]:
        """All files of frames and metadata."""
        patterns = ('meta/**/*', 'data/**/*.parquet', 'videos/**/*')
        found = {path for p in patterns for path in self.directory.glob(p) if path.is_file()}
        return sorted(found)

    # --- frames ------------------------------------------------------------------------------

    def episodes(self) -> Iterator[EpisodeArrays]:
        """All episodes, in order. Raises ConfigError at the first fault."""
        path, table = None, None
        squarer = Squarer(self.layout.image_size)
        videos = VideoFrames()
        for row in self.rows:
            place = {'chunk_index': row['data/chunk_index'], 'file_index': row['data/file_index']}
            if path != self.directory / self.data_path.format(**place):
                path = self.directory / self.data_path.format(**place)
                table = self._table(path)
                self._check_columns(path, table, row['episode_index'])
            yield self._episode(path, table, row, squarer, videos)

    def _check_columns(self, path: Path, table: pa.Table, episode: int) -> None:
        wanted = [STATE, ACTION, 'timestamp', 'frame_index', 'episode_index', 'task_index']
        wanted += [*self.layout.label_shapes, *self.layout.known_shapes]
        wanted += [] if self.is_video else [self.camera]
        for name in wanted:
            if name not in table.column_names:
                key = f'episode {episode}, frame 0: {name}'
                raise ConfigError(path, key, 'no such column', sorted(wanted))

    def _episode(
        self, path: Path, table: pa.Table, row: dict, squarer: Squarer, videos: VideoFrames
    ) -> EpisodeArrays:
        number, length = row['episode_index'], row['length']
        whole = table.filter(pc.equal(table['episode_index'], number))

        def bad(frame: int, what: str, found: object, wanted: object) -> ConfigError:
            return ConfigError(path, f'episode {number}, frame {frame}: {what}', found, wanted)

        if len(whole) != length:
            raise bad(len(whole), 'row', f'{len(whole)} rows', f'{length} rows')
        layout = self.layout
        shapes = {STATE: (len(layout.state_joints),), ACTION: (len(layout.action_joints),)}
        shapes |= {'timestamp': (), 'frame_index': (), 'task_index': ()}
        shapes |= {**layout.label_shapes, **layout.known_shapes}
        arrays: dict[str, np.ndarray] = {}
        for name, shape in shapes.items():
            try:
                values = columns.to_numpy(whole[name])
            except ValueError as error:
                raise bad(0, name, error, f'{shape} in every row') from error
            width = int(np.prod(shape)) if shape else 1
            if values.size != length * width:
                found = f'{values.size // max(1, length)} values'
                raise bad(0, name, found, f'{width}, one for each joint')
            arrays[name] = values.reshape(length, *shape)
            finite = np.isfinite(arrays[name]).reshape(length, -1).all(axis=1)
            if not finite.all():
                raise bad(int(np.argmin(finite)), name, 'a value that is not finite', 'numbers')
        order = arrays['frame_index']
        if (order != np.arange(length)).any():
            frame = int(np.argmax(order != np.arange(length)))
            raise bad(frame, 'frame_index', order[frame], frame)
        for name in ('task_index', *(n for n in layout.label_shapes if n == 'labels.task')):
            rows = arrays[name].reshape(length, -1)
            known = ((rows >= 0) & (rows < len(self.instructions))).all(axis=1)
            if not known.all():
                frame = int(np.argmin(known))
                raise bad(frame, name, rows[frame].tolist(), f'rows of {TASKS}')
        for name in layout.known_shapes:
            known, label = arrays[name] == 1, name.removesuffix(KNOWN)
            arrays[label] = np.where(known[..., None], arrays[label], np.nan).astype(np.float32)
        return EpisodeArrays(
            number,
            self._images(bad, whole, row, squarer, videos),
            arrays[STATE].astype(np.float32),
            arrays[ACTION].astype(np.float32),
            arrays['timestamp'],
            arrays['task_index'],
            {name: arrays[name] for name in layout.label_shapes},
        )

    def _images(self, bad, whole: pa.Table, row: dict, squarer: Squarer, videos: VideoFrames):
        length, side = row['length'], self.layout.image_size
        out = np.empty((length, side, side, 3), np.uint8)
        if self.is_video:
            base = f'videos/{self.camera}'
            place = {'video_key': self.camera, 'chunk_index': row[f'{base}/chunk_index']}
            place['file_index'] = row[f'{base}/file_index']
            video = self.directory / self.video_path.format(**place)
            first = round(row[f'{base}/from_timestamp'] * self.layout.fps)
            for frame in range(length):
                image = videos.read(video, first + frame)
                if image is None:
                    key = f'episode {row["episode_index"]}, frame {frame}'
                    found = f'a video that ends before its frame {first + frame}'
                    raise ConfigError(video, key, found, f'{length} frames of this episode')
                out[frame] = squarer(image)
            return out
        for frame, cell in enumerate(whole[self.camera].to_pylist()):
            content = cell.get('bytes') if isinstance(cell, dict) else cell
            if not content and isinstance(cell, dict) and cell.get('path'):
                path = self.directory / cell['path']
                content = path.read_bytes() if path.is_file() else None
            png = bool(content) and not content.startswith(b'\xff\xd8')
            fault = fault_of(content) if png or not content else None
            image = None if fault else decode_image(content)
            if image is None:
                raise bad(frame, self.camera, fault or 'not decodable', 'a whole image')
            out[frame] = squarer(image)
        return out
