# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From a checkpoint to a bundle that `vla_inference` loads: ONNX, tokenizer, policy.yaml."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import shutil
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import yaml

from vla_common.errors import ConfigError
from vla_models.language import TOKENS
from vla_models.network.humanoid_vla import HumanoidVLA, HumanoidVLAConfig
from vla_models.training import IMAGE_MEAN, IMAGE_STD

PARITY = 1e-3  # normalised units that ONNX Runtime may differ from PyTorch
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
INPUTS = ('image', 'language_features', 'proprioception', 'phase')


def load_checkpoint(path: Path) -> tuple[HumanoidVLA, dict]:
    """The network and everything saved with it. ConfigError where the file is no checkpoint."""
    if not Path(path).is_file():
        raise ConfigError(path, '(file)', 'nothing', 'a checkpoint that train wrote')
    content = torch.load(path, weights_only=True)
    model = HumanoidVLA(HumanoidVLAConfig(**content['config']))
    model.load_state_dict(content['model'])
    return model.eval(), content


def _sample_inputs(config: HumanoidVLAConfig, batch: int, seed: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    side = config.image_size
    ids = torch.randint(2, config.vocabulary, (batch, config.tokens), generator=generator)
    ids[:, config.tokens // 2 :] = 0
    return (
        torch.rand(batch, 3, side, side, generator=generator) * 2 - 1,
        ids,
        torch.randn(batch, config.joints, generator=generator),
        torch.randn(batch, 2, generator=generator),
    )


def export_onnx(model: HumanoidVLA, path: Path) -> float:
    """Write `path` with a dynamic batch; returns the largest difference to PyTorch over batches
    of 1 and 3. Raises RuntimeError if that is more than PARITY."""
    batch = torch.export.Dim('batch', min=1, max=1024)
    names = dict(zip(('image', 'ids', 'state', 'phase'), [{0: batch}] * 4, strict=True))
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter('ignore')
        logging.getLogger('torch.onnx').setLevel(logging.ERROR)
        torch.onnx.export(
            model,
            _sample_inputs(model.config, 2, 0),
            str(path),
            input_names=list(INPUTS),
            output_names=['joint_targets'],
            dynamic_shapes=names,
            dynamo=True,
            external_data=False,
        )
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    worst = 0.0
    for size in (1, 3):
        inputs = _sample_inputs(model.config, size, size)
        with torch.no_grad():
            wanted = model(*inputs).numpy()
        feed = {name: tensor.numpy() for name, tensor in zip(INPUTS, inputs, strict=True)}
        found = session.run(['joint_targets'], feed)[0]
        worst = max(worst, float(np.abs(found - wanted).max()))
    if not worst <= PARITY:
        raise RuntimeError(f'ONNX Runtime differs from PyTorch by {worst:.2e}, wanted ≤ {PARITY}')
    return worst


class _Plain(yaml.SafeDumper):
    """YAML without anchors: every list is written where it is read."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def describe(config: HumanoidVLAConfig, content: dict, version: str) -> dict:
    """policy.yaml of a checkpoint, but for what depends on the model file: runtime, model, files."""
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
    """Bundle directory `out` from the training run `run` (its best.pt and tokenizer.json).

    Returns the path of policy.yaml and the parity difference.
    """
    run, out = Path(run), Path(out)
    model, content = load_checkpoint(run / 'best.pt')
    out.mkdir(parents=True, exist_ok=True)
    difference = export_onnx(model, out / 'model.onnx')
    shutil.copyfile(run / 'tokenizer.json', out / 'tokenizer.json')
    policy = {
        **describe(model.config, content, version),
        'runtime': 'onnx',
        'model': 'model.onnx',
        'files': {name: _digest(out / name) for name in ('model.onnx', 'tokenizer.json')},
    }
    path = out / 'policy.yaml'
    path.write_text(
        yaml.dump(policy, Dumper=_Plain, sort_keys=False, default_flow_style=None, width=100)
    )
    for extra in ('loss.png', 'training.json'):
        if (run / extra).exists():
            shutil.copyfile(run / extra, out / extra)
    return path, difference
