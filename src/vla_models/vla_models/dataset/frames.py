# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""All frames of a checked dataset as memory-mapped arrays, for training.

Decoding PNG and Parquet for every batch would cost more than the network. So a dataset is read and
checked once and cached as plain arrays in `.cache/`, with a fingerprint of its files: names, sizes
and times of change. With another fingerprint the cache is rebuilt.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vla_common.errors import ConfigError
from vla_models.dataset.layout import DatasetLayout, write_text
from vla_models.dataset.reading import DatasetSource, EpisodeArrays, Instruction

CACHE = '.cache'
FORMAT = 1  # of the arrays below


@dataclass(frozen=True)
class Frames:
    """N frames with M instructions each.

    image (N, S, S, 3) uint8 RGB; state (N, ks) rad; episode, frame (N,); task (N, M) rows of
    `instructions`; action (N, M, h, k) rad; phase (N, M, 2); target (N, M, 3) m and pixel
    (N, M, 2), NaN where unknown.
    """

    layout: DatasetLayout
    instructions: tuple[Instruction, ...]
    image: np.ndarray
    state: np.ndarray
    episode: np.ndarray
    frame: np.ndarray
    task: np.ndarray
    action: np.ndarray
    phase: np.ndarray
    target: np.ndarray
    pixel: np.ndarray
    # Only where the layout has cubes; see `Labels`.
    cubes: np.ndarray | None = None
    cube_pixels: np.ndarray | None = None
    reason: np.ndarray | None = None
    near: np.ndarray | None = None
    done: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.state)

    @property
    def labels(self) -> int:
        """M."""
        return self.task.shape[1]

    def split(self, validation: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Frame numbers for training and for validation; no episode is in both."""
        episodes = np.unique(self.episode)
        if len(episodes) < 2:
            raise ConfigError('dataset', 'episodes', len(episodes), 'two, to hold one out')
        rng = np.random.default_rng(seed)
        held = rng.permutation(episodes)[: max(1, round(validation * len(episodes)))]
        inside = np.isin(self.episode, held)
        return np.flatnonzero(~inside), np.flatnonzero(inside)

    def state_statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation (ks,) of the state; at least 0.1 rad."""
        return _statistics(np.asarray(self.state))


def _statistics(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, std = values.mean(0, dtype=np.float64), values.std(0, dtype=np.float64)
    return mean.astype(np.float32), np.maximum(std, 0.1).astype(np.float32)


def open_dataset(
    directory: Path,
    *,
    image_size: int = 112,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Frames:
    """The frames of `directory`, checked. Raises ConfigError with file, episode and frame.

    progress(done, total): frames, while the cache is built.
    """
    source = DatasetSource(directory, image_size)
    cache = source.directory / CACHE
    fingerprint = _fingerprint(source)
    key = cache / 'fingerprint'
    if not key.exists() or key.read_text() != fingerprint:
        _build(source, cache, progress)
        write_text(key, fingerprint)
    arrays = {name: np.load(cache / f'{name}.npy', mmap_mode='r') for name in _shapes(source)}
    kept = {name: array if name == 'image' else np.array(array) for name, array in arrays.items()}
    return Frames(source.layout, source.instructions, **kept)


def _fingerprint(source: DatasetSource) -> str:
    listed = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in source.files]
    content = json.dumps([FORMAT, source.layout.to_dict(), listed])
    return hashlib.sha256(content.encode()).hexdigest()


def _shapes(source: DatasetSource) -> dict[str, tuple[tuple[int, ...], type]]:
    layout = source.layout
    m, h, k, side = (
        max(1, layout.labels),
        layout.horizon,
        len(layout.action_joints),
        layout.image_size,
    )
    shapes: dict[str, tuple[tuple[int, ...], type]] = {
        'image': ((side, side, 3), np.uint8),
        'state': ((len(layout.state_joints),), np.float32),
        'episode': ((), np.int64),
        'frame': ((), np.int64),
        'task': ((m,), np.int64),
        'action': ((m, h, k), np.float32),
        'phase': ((m, 2), np.float32),
        'target': ((m, 3), np.float32),
        'pixel': ((m, 2), np.float32),
    }
    more = {name.removeprefix('labels.'): shape for name, shape in layout.label_shapes.items()}
    return shapes | {n: (shape, np.float32) for n, shape in more.items() if n not in shapes}


def _build(source: DatasetSource, cache: Path, progress: Callable[[int, int], None]) -> None:
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir()
    total = source.frames
    arrays = {
        name: np.lib.format.open_memmap(cache / f'{name}.npy', 'w+', kind, (total, *shape))
        for name, (shape, kind) in _shapes(source).items()
    }
    at = 0
    for episode in source.episodes():
        for name, values in _rows(episode, source.layout).items():
            arrays[name][at : at + len(episode.state)] = values
        at += len(episode.state)
        progress(at, total)
    for array in arrays.values():
        array.flush()


def _rows(episode: EpisodeArrays, layout: DatasetLayout) -> dict[str, np.ndarray]:
    count = len(episode.state)
    rows = {
        'image': episode.image,
        'state': episode.state,
        'episode': np.full(count, episode.number),
        'frame': np.arange(count),
    }
    if layout.labels:
        return rows | {name.removeprefix('labels.'): v for name, v in episode.labels.items()}
    angle = 2 * np.pi * episode.timestamp / layout.period
    unknown = np.full((count, 1, 3), np.nan, np.float32)
    return rows | {
        'task': episode.task_index[:, None],
        'action': chunks_of(episode.action, layout)[:, None],
        'phase': np.stack([np.sin(angle), np.cos(angle)], -1)[:, None],
        'target': unknown,
        'pixel': unknown[..., :2],
    }


def chunks_of(action: np.ndarray, layout: DatasetLayout) -> np.ndarray:
    """Chunks (F, h, k) of the actions (F, k) that follow; the last one is held to the end.

    `action[t]` is the target for one frame after t, so point i, due (i + 1) steps after t, is the
    action (i + 1) · step · fps - 1 frames on.
    """
    ahead = (np.arange(layout.horizon) + 1) * layout.step * layout.fps - 1
    ahead = np.maximum(np.rint(ahead), 0).astype(np.int64)
    return action[np.minimum(np.arange(len(action))[:, None] + ahead, len(action) - 1)]
