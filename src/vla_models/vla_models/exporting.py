# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From a checkpoint to a bundle that `vla_inference` loads: ONNX, tokenizer, policy.yaml."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from vla_common.errors import ConfigError
from vla_models.bench.exporting import export
from vla_models.bench.original import from_run
from vla_models.bench.publishing import Proof
from vla_models.language import TOKENS
from vla_models.network.humanoid_vla import HumanoidVLA, HumanoidVLAConfig
from vla_models.training import IMAGE_MEAN, IMAGE_STD
from vla_robot import load_robot

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
    """The network and everything saved with it. ConfigError where the file is no checkpoint."""
    if not Path(path).is_file():
        raise ConfigError(path, '(file)', 'nothing', 'a checkpoint that train wrote')
    content = torch.load(path, weights_only=True)
    model = HumanoidVLA(HumanoidVLAConfig(**content['config']))
    model.load_state_dict(content['model'])
    return model.eval(), content


def describe(config: HumanoidVLAConfig, content: dict, version: str) -> dict:
    """policy.yaml of a checkpoint, without what the model file decides: runtime, model, files."""
    info = content['dataset']
    mean = [round(float(v), 6) for v in content['mean']]
    std = [round(float(v), 6) for v in content['std']]
    side = config.image_size
    joints = list(info['joints'])
    return {
        'format': 1,
        'name': 'humanoid_vla',
        'version': version,
        'description': 'Small vision-language-action policy for the simulated humanoid at a table',
        'licence': 'Apache-2.0',
        'robot': info['robot'],
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
                'joints': joints,
                'quantity': 'position',
                'mean': mean,
                'std': std,
            },
            'instruction': {
                'tensor': 'language_features',
                'tokenizer': 'tokenizer.json',
                'length': TOKENS,
            },
            'phase': {'tensor': 'phase', 'period': info['period']},
        },
        'outputs': {
            'action': {
                'tensor': 'joint_targets',
                'kind': 'joint_position',
                'joints': joints,
                'horizon': info['horizon'],
                'step': info['step'],
                'mean': mean,
                'std': std,
            }
        },
        'tasks': list(EXAMPLES),
    }


def export_bundle(run: Path, out: Path, version: str = '0.1.0') -> tuple[Path, float]:
    """Bundle directory `out` (ONNX) from the training run `run` (its best.pt and tokenizer.json),
    verified against PyTorch on simulated observations.

    Returns the path of policy.yaml and the largest difference in rad. Raises ConfigError, and
    VerificationFailed when ONNX Runtime gives another answer than PyTorch.
    """
    run, out = Path(run), Path(out)
    robot = load_robot(load_checkpoint(run / 'best.pt')[1]['dataset']['robot'])
    finding = export(from_run(run, version), out, 'onnx', Proof(robot, observations=8))
    assert finding is not None
    for extra in ('loss.png', 'training.json'):
        if (run / extra).exists():
            shutil.copyfile(run / extra, out / extra)
    return out / 'policy.yaml', finding.parity.max_error_rad
