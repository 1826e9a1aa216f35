# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Writes small policy bundles with known models, whose answers can be computed by hand."""

import copy
import hashlib
import json
from pathlib import Path

import numpy as np
import yaml

JOINTS = ['left_shoulder_pitch', 'left_elbow', 'head_yaw']
SIZE = 8
LENGTH = 5
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


def edit(content: dict, changes: dict) -> None:
    """Set values by their keys, separated by spaces; None removes one."""
    for path, value in changes.items():
        *sections, key = path.split(' ')
        section = content
        for name in sections:
            section = section[name]
        if value is None:
            del section[key]
        else:
            section[key] = value


def write_policy(directory: Path, content: dict, *names: str, change=None) -> dict:
    """Write policy.yaml with the hashes of the files `names` there; `change(content)` may corrupt
    it before."""
    directory.mkdir(parents=True, exist_ok=True)
    digests = {n: hashlib.sha256((directory / n).read_bytes()).hexdigest() for n in names}
    content = copy.deepcopy(content) | ({'files': digests} if names else {})
    if change is not None:
        change(content)
    (directory / 'policy.yaml').write_text(yaml.safe_dump(content, sort_keys=False))
    return content


def write_bundle(directory: Path, change=None, runtime: str = 'onnx', **model) -> dict:
    """Write a whole bundle; `change(content)` may corrupt policy.yaml before it is written."""
    directory.mkdir(parents=True, exist_ok=True)
    content = copy.deepcopy(ONNX)
    if runtime == 'torchscript':
        content.update(runtime='torchscript', model='model.pt')
        write_torchscript_model(directory / 'model.pt', **model)
    else:
        write_onnx_model(directory / 'model.onnx', **model)
    write_tokenizer(directory / 'tokenizer.json')
    return write_policy(directory, content, content['model'], 'tokenizer.json', change=change)


# --- a model that adds 0.1 to the state ---

PLUS_JOINTS = ['left_elbow', 'head_yaw']


def write_plus_bundle(directory: Path, batch: int | str) -> str:
    """targets = state + 0.1, six points; `batch` names the first dimension or fixes it."""
    from onnx import TensorProto, helper, numpy_helper, save

    grid = numpy_helper.from_array(np.full((1, 6, 2), 0.1, np.float32), 'grid')
    axis = numpy_helper.from_array(np.int64([1]), 'axis')
    graph = helper.make_graph(
        [
            helper.make_node('Unsqueeze', ['state', 'axis'], ['row']),
            helper.make_node('Add', ['row', 'grid'], ['targets']),
        ],
        'plus',
        [helper.make_tensor_value_info('state', TensorProto.FLOAT, [batch, 2])],
        [helper.make_tensor_value_info('targets', TensorProto.FLOAT, [batch, 6, 2])],
        [grid, axis],
    )
    directory.mkdir(exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    save(model, str(directory / 'model.onnx'))
    joints = {'joints': PLUS_JOINTS, 'mean': [0.0, 0.0], 'std': [1.0, 1.0]}
    action = {'tensor': 'targets', 'kind': 'joint_position', 'horizon': 6, 'step': 0.1} | joints
    content = {
        'format': 1,
        'name': 'plus',
        'version': '1',
        'runtime': 'onnx',
        'model': 'model.onnx',
        'inputs': {'state': {'tensor': 'state'} | joints},
        'outputs': {'action': action},
    }
    write_policy(directory, content, 'model.onnx')
    return str(directory)


# --- policies on servers of others ---

REMOTE = {
    'format': 1,
    'name': 'pi',
    'version': '1',
    'runtime': 'openpi',
    'inputs': {
        'images': {'observation/image': {'camera': 'head', 'width': 12, 'height': 8}},
        'states': {'observation/state': {'joints': JOINTS}},
        'instruction': 'prompt',
    },
    'outputs': {
        'action': {'parts': {'actions': JOINTS}, 'kind': 'joint_delta', 'step': STEP, 'horizon': 5}
    },
}


def remote_bundle(directory: Path, url: str, **changes) -> Path:
    write_policy(directory, REMOTE | {'url': url} | changes)
    return directory


def groot_bundle(directory: Path, url: str, dialect='nested', encoding='npy') -> Path:
    return remote_bundle(
        directory,
        url,
        runtime='groot',
        dialect=dialect,
        encoding=encoding,
        inputs={
            'images': {'ego_view': {'camera': 'head', 'width': 12, 'height': 8}},
            'states': {'left_arm': {'joints': JOINTS[:2]}, 'head': {'joints': JOINTS[2:]}},
            'instruction': 'annotation.human.task_description',
        },
        outputs={'action': {'parts': {'left_arm': JOINTS[:2], 'head': JOINTS[2:]}, 'step': STEP}},
    )


# --- actions of end effectors ---


def hand_deltas(content: dict) -> None:
    """The action of `ONNX` as deltas of the left hand's position, in the base's axes, m."""
    joints = ['shoulder_pitch', 'shoulder_roll', 'shoulder_yaw', 'elbow']
    content['outputs']['action'] |= {
        'kind': 'end_effector_delta',
        'end_effectors': {'left_hand': 'none'},
        'joints': [f'left_{joint}' for joint in joints],
        'mean': [0.0, 0.02, 0.01],
        'std': [0.05, 0.05, 0.05],
    }
