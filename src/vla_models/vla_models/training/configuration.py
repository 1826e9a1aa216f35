# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The configuration of the network for a dataset."""

from collections.abc import Mapping
from typing import Any

from vla_models.dataset.layout import DatasetLayout
from vla_models.network.humanoid_vla import HumanoidVLAConfig
from vla_models.tokenizer import TOKENS
from vla_models.training.batches import Normalisation, camera_joints

HISTORY_FRAMES = 26  # 5 s of past states, 0.2 s apart


def configuration_of(
    layout: DatasetLayout, by: Normalisation, vocabulary: int, network: Mapping[str, Any]
) -> HumanoidVLAConfig:
    """network: sizes over `HumanoidVLAConfig.small`, of which the data decide some."""
    names = tuple(layout.state_joints[i] for i in by.chosen)
    data = {
        'image_size': layout.image_size,
        'vocabulary': vocabulary,
        'tokens': TOKENS,
        'joints': len(names),
        'action_dim': len(layout.action_joints),
        'horizon': layout.horizon,
        'moved': tuple(int(i) for i in by.moved),
        'camera': camera_joints(layout, names),
        'objects': layout.cubes,
    }
    sizes = dict(network)
    if layout.cubes:  # two steps and 'again' take a memory, and their words two layers
        sizes = {'history': HISTORY_FRAMES, 'text_layers': 2, 'head_width': 320, **sizes}
    return HumanoidVLAConfig.small(**{**sizes, **data})
