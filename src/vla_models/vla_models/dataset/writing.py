# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Writing episodes from many processes at once.

Each attempt at an episode ends as one file in `parts/`: `000123.parquet` where it succeeded,
`000123.skipped` (with the reason) where not. Files are written atomically and no two workers
write the same one, so nothing is locked, a kill loses at most the unfinished episodes, and a run is
resumed with the attempts that have no file. `finalise` converts parts into LeRobot's files.
"""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vla_models.dataset import columns
from vla_models.dataset.episode import Episode
from vla_models.dataset.images import encode_png
from vla_models.dataset.layout import ACTION, IMAGE, STATE, DatasetLayout, claim, write_text

PARTS = 'parts'


def part_path(directory: Path, attempt: int, kind: str = 'parquet') -> Path:
    """The file of an attempt until `finalise`."""
    return Path(directory) / PARTS / f'{attempt:06d}.{kind}'


class EpisodeWriter:
    """Writes episodes of one layout into a directory, in any number of processes."""

    def __init__(self, directory: Path, layout: DatasetLayout) -> None:
        """Raises ConfigError where `directory` has a dataset of another layout."""
        self.directory, self.layout = Path(directory), layout
        claim(self.directory, layout)
        (self.directory / PARTS).mkdir(exist_ok=True)

    def write(self, attempt: int, episode: Episode) -> None:
        """Write an episode. Raises ValueError where it does not fit the layout."""
        episode.check(self.layout)
        frames = len(episode.image)
        arrays: dict[str, pa.Array] = {
            IMAGE: columns.images([encode_png(image) for image in episode.image]),
            STATE: columns.fixed(episode.state.astype(np.float32)),
            ACTION: columns.fixed(episode.action.astype(np.float32)),
            'timestamp': pa.array((np.arange(frames) / self.layout.fps).astype(np.float32)),
            'frame_index': pa.array(np.arange(frames, dtype=np.int64)),
        }
        for name in self.layout.label_shapes:
            values = getattr(episode.labels, name.removeprefix('labels.'))
            kind = np.int64 if name == 'labels.task' else np.float32
            arrays[name] = columns.fixed(values.astype(kind))
        about = {
            'task': episode.task.name,
            'text': episode.instruction,
            'stats': _statistics(episode),
        }
        table = pa.table(arrays).replace_schema_metadata({b'episode': json.dumps(about).encode()})
        path = part_path(self.directory, attempt)
        partial = path.with_suffix('.partial')
        pq.write_table(table, partial, compression='zstd')
        os.replace(partial, path)

    def skip(self, attempt: int, reason: str) -> None:
        """Record that an attempt gave no episode."""
        write_text(part_path(self.directory, attempt, 'skipped'), reason + '\n')


def failures(directory: Path) -> dict[int, str]:
    """Attempts that gave no episode, with the reason."""
    found = sorted((Path(directory) / PARTS).glob('*.skipped'))
    return {int(path.stem): path.read_text().strip() for path in found}


def parts(directory: Path) -> list[Path]:
    """Episodes that are not finalised yet, in order."""
    return sorted((Path(directory) / PARTS).glob('*.parquet'))


def _statistics(episode: Episode) -> dict[str, list]:
    """LeRobot's statistics of an episode: `stats/<column>/<statistic>`. Images in [0, 1], one value
    for each channel, shaped (3, 1, 1)."""
    pixels = episode.image.reshape(-1, 3) / np.float32(255.0)
    stats: dict[str, list] = {}
    for name, values in ((IMAGE, pixels), (STATE, episode.state), (ACTION, episode.action)):
        values = values.astype(np.float64)
        found = {
            'min': values.min(0),
            'max': values.max(0),
            'mean': values.mean(0),
            'std': values.std(0),
        }
        for key, value in found.items():
            shaped = value.reshape(3, 1, 1) if name == IMAGE else value
            stats[f'stats/{name}/{key}'] = shaped.tolist()
        stats[f'stats/{name}/count'] = [len(episode.image)]
    return stats
