# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Datasets in LeRobot's layout (v3.0): written by `collect`, or a user's own; read by `train`.

Writing: `EpisodeWriter` in any number of processes, then `finalise`. Reading: `open_dataset`.
"""

from vla_models.dataset.episode import Episode, Labels
from vla_models.dataset.finalising import count_episodes, finalise, finished_attempts
from vla_models.dataset.frames import Frames, open_dataset
from vla_models.dataset.layout import DatasetLayout
from vla_models.dataset.writing import EpisodeWriter, failures

__all__ = [
    'DatasetLayout',
    'Episode',
    'EpisodeWriter',
    'Frames',
    'Labels',
    'count_episodes',
    'failures',
    'finalise',
    'finished_attempts',
    'open_dataset',
]
