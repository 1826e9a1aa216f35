# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The network of a checkpoint, and its policy.yaml."""

from pathlib import Path

from torch import nn

from vla_common.errors import ConfigError
from vla_models.network.answering import MEMORY, NEXT_MEMORY, OUTPUTS, build_network
from vla_models.network.humanoid_vla import HumanoidVLAConfig
from vla_models.tasks import REASONS
from vla_models.tokenizer import TOKENS
from vla_models.training import IMAGE_MEAN, IMAGE_STD, checkpoint

HISTORY_STEP = 0.2  # s
EXAMPLES = (
    'wave with your left hand',
    'wave with your right hand',
    'look at the red cube',
    'point at the green cube with your left hand',
    'please touch the blue cube with your right hand',
    'reach for the yellow cube with your left hand',
    'touch the second cube from the left',
    'point at the cube nearest to you',
    'touch the red cube, then the blue one',
    'get ready',
    'lower your hands',
    'stand still',
)


def load_checkpoint(path: Path) -> tuple[nn.Module, dict]:
    """The network and the metadata of a checkpoint. Raises ConfigError."""
    tensors, about = checkpoint.load(Path(path))
    if 'config' not in about:
        raise ConfigError(path, 'about.config', 'nothing', 'a checkpoint that train wrote')
    model = build_network(HumanoidVLAConfig(**about['config']))
    model.load_state_dict(tensors)
    return model.eval(), about


def describe(config: HumanoidVLAConfig, content: dict, version: str) -> dict:
    """policy.yaml of a checkpoint, without runtime, model and files.

    Raises ConfigError for a network with a history, which the inference node does not support.
    """
    if config.history != 1 and not config.objects:
        raise ConfigError('checkpoint', 'config.history', config.history, '1, to be a bundle')
    mean = [round(float(v), 6) for v in content['mean']]
    std = [round(float(v), 6) for v in content['std']]
    side = config.image_size
    described: dict = {
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
    if config.objects:
        described['outputs'] |= _answers(content.get('accept', {}))
        memory = {'tensor': 'memory', 'following': NEXT_MEMORY, 'shape': [MEMORY]}
        described['inputs']['memory'] = memory
    if config.history > 1:
        described['inputs']['history'] = {'frames': config.history, 'step': HISTORY_STEP}
        described['inputs']['image']['frames'] = 1
    return described


def _answers(accept: dict) -> dict:
    """The outputs beside the action. accept: thresholds from calibration."""
    found: dict = {n: {'tensor': n, 'accept': accept.get(n, 0.5)} for n in OUTPUTS[1:]}
    found['possible']['reasons'] = list(REASONS)
    return found
