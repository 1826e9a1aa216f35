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
from vla_models.dataset.column_statistics import statistics_of
from vla_models.dataset.episode import Episode, StoredEpisode
from vla_models.dataset.layout import ACTION, STATE, DatasetLayout, claim, write_text
from vla_models.dataset.recorded import RecordedEpisode

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

    def write(self, attempt: int, episode: Episode | RecordedEpisode) -> None:
        """Write an episode. Raises ValueError where it does not fit the layout."""
        stored = episode.stored(self.layout)
        frames = len(stored.values[STATE])
        arrays: dict[str, pa.Array] = {
            **{name: columns.images(images) for name, images in stored.images.items()},
            **{name: columns.fixed(values) for name, values in stored.values.items()},
            'timestamp': pa.array((np.arange(frames) / self.layout.fps).astype(np.float32)),
            'frame_index': pa.array(np.arange(frames, dtype=np.int64)),
        }
        about = {
            'task': stored.name,
            'text': stored.text,
            'stats': _statistics(stored),
            'facts': stored.facts,
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


def _statistics(stored: StoredEpisode) -> dict[str, list]:
    """LeRobot's statistics of an episode: `stats/<column>/<statistic>`."""
    found = {**stored.pixels, **{n: statistics_of(stored.values[n]) for n in (STATE, ACTION)}}
    return {f'stats/{n}/{key}': v.tolist() for n, by in found.items() for key, v in by.items()}
