# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Behaviour cloning: deterministic by seed, validated, stopped early, resumable after a kill."""

from vla_models.training.batches import IMAGE_MEAN, IMAGE_STD
from vla_models.training.checkpoint import BEST, CHECKPOINT, TOKENIZER
from vla_models.training.options import TrainingOptions
from vla_models.training.trainer import Trainer

__all__ = [
    'BEST',
    'CHECKPOINT',
    'IMAGE_MEAN',
    'IMAGE_STD',
    'TOKENIZER',
    'Trainer',
    'TrainingOptions',
]
