# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Writes tiny policy bundles: the model is known, so its answers can be told by hand."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path

import numpy as np
import yaml

JOINTS = ['left_shoulder_pitch', 'left_elbow', 'head_yaw']
SIZE = 8
LENGTH = 4
HORIZON = 5
STEP = 0.1

WORDS = {'[PAD]': 0, '[UNK]': 1, 'wave': 2, 'left': 3, 'right': 4, 'hand': 5}

ONNX = {
    'format': 1,
    'name': 'tiny',
    'version': '0.1.0',
    'description': 'for tests',
    'licence': 'Apache-2.0',
    'runtime': 'onnx',
    'robot': 'humanoid32',
    'model': 'model.onnx',
    'inputs': {
        'image': {
            'tensor': 'image',
            'camera': 'head',
            'width': SIZE,
            'height': SIZE,
            'layout': 'nchw',
            'range': [0, 1],
            'mean': [0.5, 0.5, 0.5],
            'std': [0.5, 0.5, 0.5],
            'resize': 'stretch',
        },
        'state': {
            'tensor': 'proprioception',
            'joints': JOINTS,
            'quantity': 'position',
            'mean': [0.1, -0.2, 0.0],
            'std': [1.0, 0.5, 2.0],
        },
        'instruction': {
            'tensor': 'language_features',
            'tokenizer': 'tokenizer.json',
            'length': LENGTH,
        },
    },
    'outputs': {
        'action': {
            'tensor': 'joint_targets',
            'kind': 'joint_position',
            'joints': JOINTS,
            'horizon': HORIZON,
            'step': STEP,
            'mean': [0.0, -0.5, 0.0],
            'std': [1.0, 0.5, 0.25],
        }
    },
    'tasks': ['wave'],
}


def expected(bundle: dict, position: dict[str, float], image: float, first_token: int):
    """The targets (h, 3) that the tiny model gives: 0.1 state + 0.01 image mean + 0.001 token,
    the same for every point, normalised."""
    state = bundle['inputs']['state']
    normalised = [
        (position[joint] - m) / s
        for joint, m, s in zip(state['joints'], state['mean'], state['std'], strict=True)
    ]
    raw = 0.1 * np.array(normalised) + 0.01 * image + 0.001 * first_token
    action = bundle['outputs']['action']
    targets = raw * np.array(action['std']) + np.array(action['mean'])
    return np.tile(targets, (HORIZON, 1))


def write_onnx_model(path: Path, horizon: int = HORIZON, nan: bool = False) -> None:
    from onnx import TensorProto, helper, numpy_helper, save

    def constant(name, value):
        return numpy_helper.from_array(np.asarray(value), name)

    nodes = [
        helper.make_node('ReduceMean', ['image'], ['brightness'], keepdims=0),
        helper.make_node('Mul', ['brightness', 'c_image'], ['b']),
        helper.make_node('Mul', ['proprioception', 'c_state'], ['s']),
        helper.make_node('Gather', ['language_features', 'zero'], ['token'], axis=1),
        helper.make_node('Cast', ['token'], ['token_f'], to=TensorProto.FLOAT),
        helper.make_node('Mul', ['token_f', 'c_token'], ['t']),
        helper.make_node('Add', ['s', 'b'], ['sb']),
        helper.make_node('Add', ['sb', 't'], ['sbt']),
        helper.make_node('Unsqueeze', ['sbt', 'axis'], ['row']),
        helper.make_node('Add', ['row', 'grid'], ['joint_targets']),
    ]
    grid = np.zeros((1, horizon, 3), np.float32)
    if nan:
        grid[0, -1, 1] = np.nan
    graph = helper.make_graph(
        nodes,
        'tiny',
        [
            helper.make_tensor_value_info('image', TensorProto.FLOAT, [1, 3, SIZE, SIZE]),
            helper.make_tensor_value_info('proprioception', TensorProto.FLOAT, [1, 3]),
            helper.make_tensor_value_info('language_features', TensorProto.INT64, [1, LENGTH]),
        ],
        [helper.make_tensor_value_info('joint_targets', TensorProto.FLOAT, [1, horizon, 3])],
        [
            constant('c_image', np.float32(0.01)),
            constant('c_state', np.float32(0.1)),
            constant('c_token', np.float32(0.001)),
            constant('zero', np.int64([0])),
            constant('axis', np.int64([1])),
            constant('grid', grid),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    save(model, str(path))


def write_torchscript_model(path: Path, horizon: int = HORIZON) -> None:
    import torch

    class Tiny(torch.nn.Module):
        def __init__(self, horizon: int) -> None:
            super().__init__()
            self.horizon = horizon

        def forward(self, image: torch.Tensor, state: torch.Tensor, words: torch.Tensor):
            row = 0.1 * state + 0.01 * image.mean() + 0.001 * words[:, :1].float()
            return row.unsqueeze(1).repeat(1, self.horizon, 1)

    torch.jit.save(torch.jit.script(Tiny(horizon)), str(path))


def write_tokenizer(path: Path) -> None:
    path.write_text(
        json.dumps(
            {
                'version': '1.0',
                'normalizer': {'type': 'Lowercase'},
                'pre_tokenizer': {'type': 'Whitespace'},
                'model': {'type': 'WordLevel', 'vocab': WORDS, 'unk_token': '[UNK]'},
            }
        )
    )


def write_bundle(directory: Path, change=None, runtime: str = 'onnx', hashes=True, **model) -> dict:
    """Write a whole bundle; `change(mapping)` may spoil policy.yaml before it is written."""
    directory.mkdir(parents=True, exist_ok=True)
    content = copy.deepcopy(ONNX)
    if runtime == 'torchscript':
        content.update(runtime='torchscript', model='model.pt')
        write_torchscript_model(directory / 'model.pt', **model)
    else:
        write_onnx_model(directory / 'model.onnx', **model)
    write_tokenizer(directory / 'tokenizer.json')
    if hashes:
        content['files'] = {
            name: hashlib.sha256((directory / name).read_bytes()).hexdigest()
            for name in (content['model'], 'tokenizer.json')
        }
    if change is not None:
        change(content)
    (directory / 'policy.yaml').write_text(yaml.safe_dump(content, sort_keys=False))
    return content
