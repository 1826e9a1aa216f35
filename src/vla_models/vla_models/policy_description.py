# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The network of a checkpoint, and its policy.yaml."""

from pathlib import Path

from vla_common.errors import ConfigError
from vla_models.language import TOKENS
from vla_models.network.humanoid_vla import HumanoidVLA, HumanoidVLAConfig
from vla_models.training import IMAGE_MEAN, IMAGE_STD, checkpoint

EXAMPLES = (
    'wave with your left hand',
    'wave with your right hand',
    'look at the red cube',
    'point at the green cube with your left hand',
    'please touch the blue cube with your right hand',
    'reach for the yellow cube with your left hand',
    'get ready',
    'lower your hands',
    'stand still',
)


def load_checkpoint(path: Path) -> tuple[HumanoidVLA, dict]:
    """The network and the metadata of a checkpoint. Raises ConfigError."""
    tensors, about = checkpoint.load(Path(path))
    if 'config' not in about:
        raise ConfigError(path, 'about.config', 'nothing', 'a checkpoint that train wrote')
    model = HumanoidVLA(HumanoidVLAConfig(**about['config']))
    model.load_state_dict(tensors)
    return model.eval(), about


def describe(config: HumanoidVLAConfig, content: dict, version: str) -> dict:
    """policy.yaml of a checkpoint, without runtime, model and files.

    Raises ConfigError for a network with a history, which the inference node does not support.
    """
    if config.history != 1:
        raise ConfigError('checkpoint', 'config.history', config.history, '1, to be a bundle')
    mean = [round(float(v), 6) for v in content['mean']]
    std = [round(float(v), 6) for v in content['std']]
    side = config.image_size
    return {
        'format': 1,
        'name': 'humanoid_vla',
        'version': version,
        'description': 'Small vision-language-action policy for the simulated humanoid at a table',
        'licence': 'Apache-2.0',
        'robot': content['robot'],
        # The smoothest at equal success (`ros2 run vla_validation policy_blending`).
        'blending': 'rtc',
        'inputs': {
            'image': {
                'tensor': 'image',
                'camera': 'head',
                'width': side,
                'height': side,
                'layout': 'nchw',
                'range': [0, 1],
                'mean': [IMAGE_MEAN] * 3,
                'std': [IMAGE_STD] * 3,
                'resize': 'stretch',
            },
            'state': {
                'tensor': 'proprioception',
                'joints': list(content['state_joints']),
                'quantity': 'position',
                'mean': mean,
                'std': std,
            },
            'instruction': {
                'tensor': 'language_features',
                'tokenizer': 'tokenizer.json',
                'length': TOKENS,
            },
            'phase': {'tensor': 'phase', 'period': content['period']},
        },
        'outputs': {
            'action': {
                'tensor': 'joint_targets',
                'kind': 'joint_position',
                'joints': list(content['action_joints']),
                'horizon': content['horizon'],
                'step': content['step'],
                'mean': [mean[i] for i in config.moved],
                'std': [std[i] for i in config.moved],
            }
        },
        'tasks': list(EXAMPLES),
    }
