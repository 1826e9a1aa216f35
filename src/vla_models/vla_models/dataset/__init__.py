# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Datasets in LeRobot's layout (v3.0): written by `collect` and by vla_monitor's `export`, or a
user's own; read by `train`.

Writing: `EpisodeWriter` in any number of processes, then `finalise`. Reading: `open_dataset`.
"""

from vla_models.dataset.episode import Episode, Labels
from vla_models.dataset.finalising import count_episodes, episode_rows, finalise, finished_attempts
from vla_models.dataset.frames import Frames, open_dataset
from vla_models.dataset.layout import CameraShape, DatasetLayout
from vla_models.dataset.recorded import RecordedEpisode
from vla_models.dataset.writing import EpisodeWriter, failures

__all__ = [
    'CameraShape',
    'DatasetLayout',
    'Episode',
    'EpisodeWriter',
    'Frames',
    'Labels',
    'RecordedEpisode',
    'count_episodes',
    'episode_rows',
    'failures',
    'finalise',
    'finished_attempts',
    'open_dataset',
]
