# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The layout of a dataset: names, shapes, rates. LeRobot's `meta/info.json`, and `meta/vla.json`
for everything that it has no place for."""

import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from vla_common.errors import ConfigError

VERSION = 'v3.0'  # of LeRobot's layout
IMAGES = 'observation.images.'
IMAGE = f'{IMAGES}head'
STATE = 'observation.state'
ACTION = 'action'
INFO = Path('meta') / 'info.json'
OURS = Path('meta') / 'vla.json'
KNOWN = '_known'
TASKS = Path('meta') / 'tasks.parquet'
STATS = Path('meta') / 'stats.json'
EPISODES = 'meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet'
DATA = 'data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet'
VIDEO = 'videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4'
FILES_PER_CHUNK = 1000
FILE_MEGABYTES = 100
FORMAT = 2  # of `meta/vla.json` and the labels; 1 had NaN in the labels
MAY_BE_UNKNOWN = frozenset({'labels.target', 'labels.pixel', 'labels.cubes', 'labels.cube_pixels'})
"""Labels of things that may not be there, or not in view: NaN in memory. A dataset has no NaN: it
has 0 there, and a column `<name>_known` with 1 (known) or 0 for each of them."""
# LeRobot takes each column that begins with `action` for an action.
PROPOSED = 'proposed_action'
PROPOSED_KNOWN = f'{PROPOSED}{KNOWN}'
INTERVENTIONS = 'interventions'
SUCCESS, DONE, TRUNCATED = 'success', 'next.done', 'next.truncated'
RECORDED_TIME = 'recorded_time'
IMAGE_AGE = 'image_age.{camera}'


@dataclass(frozen=True)
class CameraShape:
    """A camera of recorded data: its name, and its images' size in pixels."""

    name: str
    height: int
    width: int

    @property
    def column(self) -> str:
        """Name of its column."""
        return f'{IMAGES}{self.name}'


@dataclass(frozen=True)
class DatasetLayout:
    """What all episodes of a dataset have in common.

    With `labels` > 0 each frame has that many instructions, each with the chunk of the expert from
    this frame: `horizon` targets, `step` s apart. With `cubes` > 0 (then that many colours) it also
    has where the cubes are, and what the policy's other answers should be (see `Labels`). With
    `cameras` it is a recorded run (see `RecordedEpisode`): images of their own sizes, and columns
    of what the policy proposed, of interventions and of success; `image_size` is that for training.
    """

    robot: str
    state_joints: tuple[str, ...]
    action_joints: tuple[str, ...]
    fps: float = 10.0
    image_size: int = 112
    horizon: int = 16
    step: float = 0.1
    period: float = 2.0  # s, of the phase
    labels: int = 0
    seed: int = 0
    cubes: int = 0
    cameras: tuple[CameraShape, ...] = ()

    def to_dict(self) -> dict:
        """As plain values, for JSON."""
        content = {'format': FORMAT, **asdict(self)}
        for name in ('state_joints', 'action_joints', 'cameras'):
            content[name] = list(content[name])
        return content

    @classmethod
    def from_dict(cls, content: dict) -> Self:
        """The inverse of `to_dict`."""
        given = dict(content)
        given.pop('format', None)
        given['cameras'] = tuple(CameraShape(**camera) for camera in given.get('cameras', ()))
        given['state_joints'] = tuple(given['state_joints'])
        given['action_joints'] = tuple(given['action_joints'])
        return cls(**given)

    @property
    def image_columns(self) -> tuple[str, ...]:
        """Names of the columns with images."""
        return tuple(camera.column for camera in self.cameras) or (IMAGE,)

    @property
    def judged(self) -> tuple[int, ...]:
        """Steps of a chunk whose postures have a label in `done`: five, the last among them."""
        return tuple(round((i + 1) * self.horizon / 5) - 1 for i in range(5))

    @property
    def label_shapes(self) -> dict[str, tuple[int, ...]]:
        """Column name of each label to the shape of one frame's value."""
        m, h, k = self.labels, self.horizon, len(self.action_joints)
        if not m:
            return {}
        shapes: dict[str, tuple[int, ...]] = {
            'labels.task': (m,),
            'labels.action': (m, h, k),
            'labels.phase': (m, 2),
            'labels.target': (m, 3),
            'labels.pixel': (m, 2),
        }
        if self.cubes:
            shapes |= {
                'labels.cubes': (self.cubes, 3),
                'labels.cube_pixels': (self.cubes, 2),
                'labels.reason': (m,),
                'labels.near': (m, k),
                'labels.done': (m, len(self.judged) + 2),
            }
        return shapes

    @property
    def known_shapes(self) -> dict[str, tuple[int, ...]]:
        """Columns that tell which labels are known, with the shape of one frame's value."""
        shapes = self.label_shapes
        return {f'{n}{KNOWN}': shapes[n][:-1] for n in shapes if n in MAY_BE_UNKNOWN}

    def features(self) -> dict[str, dict]:
        """The table of columns as `info.json` has it. Labels are stored flat."""
        cameras = self.cameras or (CameraShape('head', self.image_size, self.image_size),)
        table: dict[str, dict] = {
            **{
                camera.column: {
                    'dtype': 'image',
                    'shape': [camera.height, camera.width, 3],
                    'names': ['height', 'width', 'channels'],
                }
                for camera in cameras
            },
            STATE: _floats(self.state_joints),
            ACTION: _floats(self.action_joints),
            'timestamp': {'dtype': 'float32', 'shape': [1], 'names': None},
        }
        for name in ('frame_index', 'episode_index', 'index', 'task_index'):
            table[name] = {'dtype': 'int64', 'shape': [1], 'names': None}
        if self.cameras:
            table |= self._recorded_features()
        for name, shape in (self.label_shapes | self.known_shapes).items():
            whole = name == 'labels.task' or name in self.known_shapes
            kind = 'int64' if whole else 'float32'
            table[name] = {'dtype': kind, 'shape': [math.prod(shape)], 'names': None}
        return table

    def _recorded_features(self) -> dict[str, dict]:
        """The columns of a recorded run; see `recorded.RecordedEpisode`."""
        table = {PROPOSED: _floats(self.action_joints)}
        for name in (PROPOSED_KNOWN, INTERVENTIONS, SUCCESS):
            table[name] = {'dtype': 'int64', 'shape': [1], 'names': None}
        for name in (DONE, TRUNCATED):
            table[name] = {'dtype': 'bool', 'shape': [1], 'names': None}
        table[RECORDED_TIME] = {'dtype': 'float64', 'shape': [1], 'names': None}
        for camera in self.cameras:
            name = IMAGE_AGE.format(camera=camera.name)
            table[name] = {'dtype': 'float32', 'shape': [1], 'names': None}
        return table


def _floats(names: tuple[str, ...]) -> dict:
    return {'dtype': 'float32', 'shape': [len(names)], 'names': list(names)}


def claim(directory: Path, layout: DatasetLayout) -> None:
    """Make `directory` a dataset of `layout`; ConfigError where it is one of another layout."""
    path = Path(directory) / OURS
    if not path.exists() and (path.parent / INFO.name).exists():
        found = 'a dataset that another program wrote'
        raise ConfigError(directory, '', found, f'one with {OURS}, or another folder')
    if path.exists():
        found = read_ours(directory)
        if found != layout:
            given, wanted = found.to_dict(), layout.to_dict()
            key = next(k for k in wanted if given[k] != wanted[k])
            raise ConfigError(path, key, given[key], wanted[key])
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(layout.to_dict(), indent=1) + '\n')


def read_ours(directory: Path) -> DatasetLayout:
    """`meta/vla.json`. Raises ConfigError."""
    path = Path(directory) / OURS
    content = read_json(path, 'a dataset made by collect or export')
    form = content.get('format', 1)
    if form not in (1, FORMAT) or (form == 1 and content.get('labels')):
        old = '1: its labels have NaN where a cube is not in view'
        wanted = f'{FORMAT}; run collect again into another folder'
        raise ConfigError(path, 'format', old if form == 1 else form, wanted)
    try:
        return DatasetLayout.from_dict(content)
    except (KeyError, TypeError) as error:
        wanted = sorted(DatasetLayout('', (), ()).to_dict())
        raise ConfigError(path, str(error), sorted(content), wanted) from error


def read_json(path: Path, wanted: str) -> dict:
    """A JSON object. Raises ConfigError."""
    try:
        content = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        found = getattr(error, 'strerror', None) or str(error)
        raise ConfigError(path, '(file)', found, wanted) from error
    if not isinstance(content, dict):
        raise ConfigError(path, '(file)', type(content).__name__, wanted)
    return content


def write_text(path: Path, text: str) -> None:
    """Write atomically; several processes may write the same file."""
    partial = path.with_name(f'{path.name}.{os.getpid()}.partial')
    partial.write_text(text)
    partial.replace(path)
