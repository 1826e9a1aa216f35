# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The data on disk, and the checks that it is what it says.

A dataset is a directory::

    dataset.json                  format, robot, joints, horizon, step, image size, task names, seed
    shard-00000/image.npy         uint8   (F, H, W, 3)    what the head camera sees
    shard-00000/state.npy         float32 (F, k)          joint positions, rad
    shard-00000/episode.npy       int32   (F,)            the scene that a frame belongs to
    shard-00000/task.npy          int16   (F, M)          M instructions labelled for each frame
    shard-00000/phase.npy         float32 (F, M, 2)       sin, cos of the phase
    shard-00000/action.npy        float32 (F, M, h, k)    joint targets, rad
    shard-00000/target.npy        float32 (F, M, 3)       the cube in the base frame, m; NaN: none
    shard-00000/pixel.npy         float32 (F, M, 2)       the cube in the image, [-1, 1]; or NaN
    shard-00000/done              written last: a shard without it is made again

Frames are independent of each other (kinematic samples), so there is no order to keep; several
instructions per frame teach that the words decide, and cost one image.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from vla_common.errors import ConfigError
from vla_models.tasks import ALL_TASKS

FORMAT = 1
ARRAYS = {
    'image': np.uint8,
    'state': np.float32,
    'episode': np.int32,
    'task': np.int16,
    'phase': np.float32,
    'action': np.float32,
    'target': np.float32,
    'pixel': np.float32,
}


@dataclass(frozen=True)
class DatasetInfo:
    """What `dataset.json` holds."""

    robot: str
    joints: tuple[str, ...]
    horizon: int
    step: float
    period: float
    image_size: int
    labels: int
    seed: int
    tasks: tuple[str, ...] = tuple(task.name for task in ALL_TASKS)
    format: int = FORMAT

    def save(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / 'dataset.json').write_text(json.dumps(asdict(self), indent=1) + '\n')

    @classmethod
    def load(cls, directory: Path) -> DatasetInfo:
        """Raises ConfigError where the file is missing, malformed or of another format."""
        path = directory / 'dataset.json'
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            found = getattr(error, 'strerror', None) or str(error)
            raise ConfigError(path, '(file)', found, 'a dataset made by collect') from error
        if content.get('format') != FORMAT:
            raise ConfigError(path, 'format', content.get('format'), FORMAT)
        expected = [task.name for task in ALL_TASKS]
        if content.get('tasks') != expected:
            raise ConfigError(path, 'tasks', content.get('tasks'), expected)
        content['joints'] = tuple(content['joints'])
        content['tasks'] = tuple(content['tasks'])
        return cls(**content)


def shard_path(directory: Path, number: int) -> Path:
    """Where shard `number` lies."""
    return directory / f'shard-{number:05d}'


def write_shard(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write one shard; complete or not at all for a reader."""
    path.mkdir(parents=True, exist_ok=True)
    (path / 'done').unlink(missing_ok=True)
    for name, kind in ARRAYS.items():
        np.save(path / f'{name}.npy', np.asarray(arrays[name], kind))
    (path / 'done').write_text('')


class Dataset:
    """Frames of all complete shards, memory-mapped. Checked whole when opened."""

    def __init__(self, directory: Path) -> None:
        self.directory = Path(directory)
        self.info = DatasetInfo.load(self.directory)
        paths = sorted(p for p in self.directory.glob('shard-*') if (p / 'done').exists())
        if not paths:
            raise ConfigError(self.directory, 'shard-*', 'no complete shard', 'at least one')
        shards = [self._open(path) for path in paths]
        self._images = [shard.pop('image') for shard in shards]
        ends = np.cumsum([len(images) for images in self._images])
        self._starts = np.concatenate([[0], ends[:-1]])
        self._columns = {key: np.concatenate([s[key] for s in shards]) for key in shards[0]}
        self.size = int(ends[-1])

    def _open(self, path: Path) -> dict[str, np.ndarray]:
        info = self.info
        k, h, m, side = len(info.joints), info.horizon, info.labels, info.image_size
        inner = {
            'image': (side, side, 3),
            'state': (k,),
            'episode': (),
            'task': (m,),
            'phase': (m, 2),
            'action': (m, h, k),
            'target': (m, 3),
            'pixel': (m, 2),
        }
        shard: dict[str, np.ndarray] = {}
        for name, kind in ARRAYS.items():
            file = path / f'{name}.npy'
            try:
                array = np.load(file, mmap_mode='r' if name == 'image' else None)
            except (OSError, ValueError) as error:
                raise ConfigError(file, name, str(error), 'a complete NumPy array') from error
            if array.dtype != kind or array.shape[1:] != inner[name]:
                found = f'{array.dtype} {array.shape}'
                wanted = f'{np.dtype(kind)} (F, {", ".join(map(str, inner[name]))})'
                raise ConfigError(file, name, found, wanted)
            shard[name] = array
        frames = {len(array) for array in shard.values()}
        if len(frames) != 1:
            raise ConfigError(path, '(frames)', sorted(frames), 'as many in every array')
        for name in ('state', 'phase', 'action'):
            finite = np.isfinite(shard[name]).reshape(len(shard[name]), -1).all(axis=1)
            if not finite.all():
                frame = int(np.argmin(finite))
                where = f'{name}[episode {int(shard["episode"][frame])}, frame {frame}]'
                raise ConfigError(path / f'{name}.npy', where, 'a value that is not finite', 'rad')
        return shard

    def images(self, frames: np.ndarray) -> np.ndarray:
        """uint8 (len(frames), H, W, 3)."""
        side = self.info.image_size
        out = np.empty((len(frames), side, side, 3), np.uint8)
        shards = np.searchsorted(self._starts, frames, side='right') - 1
        for i, (shard, frame) in enumerate(zip(shards, frames, strict=True)):
            out[i] = self._images[shard][frame - self._starts[shard]]
        return out

    def __getattr__(self, name: str) -> np.ndarray:
        try:
            return self.__dict__['_columns'][name]
        except KeyError:
            raise AttributeError(name) from None

    def split(self, validation: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Frame numbers to train on and to validate on; no scene is in both."""
        episodes = np.unique(self.episode)
        rng = np.random.default_rng(seed)
        held = rng.permutation(episodes)[: max(1, round(validation * len(episodes)))]
        inside = np.isin(self.episode, held)
        return np.flatnonzero(~inside), np.flatnonzero(inside)

    def normalisation(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (k,) of the state; joints that hardly move get 0.1 rad."""
        return self.state.mean(0), np.maximum(self.state.std(0), 0.1)


def batches(frames: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Shuffled batches; a last one that is short is left out unless it is the only one."""
    order = rng.permutation(frames)
    whole = max(len(order) - len(order) % size, min(size, len(order)))
    for start in range(0, whole, size):
        yield order[start : start + size]
