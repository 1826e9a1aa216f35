# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""LiteRT models: floats and integers throughout, and what does not fit is refused by name."""

import json
import re
import sys

import numpy as np
import pytest

from vla_common.errors import ConfigError
from vla_policy.load import load_policy
from vla_policy.testing import litert_double
from vla_policy.testing.bundles import HORIZON, LENGTH, ONNX, SIZE, write_policy, write_tokenizer


def model(whole: bool, **changes) -> bytes:
    kind = 'int8' if whole else 'float32'

    def tensor(shape, scale=0.02, zero=-3):
        return {'shape': shape, 'dtype': kind, 'quantization': (scale, zero) if whole else (0, 0)}

    inputs = {
        'image': tensor([1, 3, SIZE, SIZE]),
        'proprioception': tensor([1, 3], 0.05),
        'language_features': {'shape': [1, LENGTH], 'dtype': 'int32'},
    }
    outputs = {'joint_targets': tensor([1, HORIZON, 3], 0.01, 5)}
    content = {'inputs': inputs, 'outputs': outputs}
    for side, tensors in changes.items():
        for name, change in tensors.items():
            if change is None:
                del content[side][name]
            else:
                content[side][name] = content[side].get(name, {}) | change
    return json.dumps(content).encode()


def write(directory, content: bytes):
    directory.mkdir(exist_ok=True)
    (directory / 'model.tflite').write_bytes(content)
    write_tokenizer(directory / 'tokenizer.json')
    policy = {**ONNX, 'runtime': 'litert', 'model': 'model.tflite'}
    return write_policy(directory, policy, 'model.tflite', 'tokenizer.json')


@pytest.mark.parametrize('whole', [False, True])
def test_model_output_is_returned_in_radians(tmp_path, robot, observe, monkeypatch, whole):
    litert_double.install(monkeypatch)
    described = write(tmp_path, model(whole))
    policy = load_policy(tmp_path, robot)
    chunk = policy.predict(observe())
    inputs = policy.inputs(observe())
    raw = np.mean([float(np.mean(tensor)) for tensor in inputs.values()])
    action = described['outputs']['action']
    wanted = raw * np.array(action['std']) + np.array(action['mean'])
    # Integers are as coarse as their scales.
    np.testing.assert_allclose(
        chunk.positions, np.tile(wanted, (HORIZON, 1)), atol=0.1 if whole else 1e-5
    )
    policy.close()


@pytest.mark.parametrize(
    ('changes', 'expected'),
    [
        ({'inputs': {'image': {'shape': [1, 3, 9, 9]}}}, 'input image: found int8 (1, 3, 9, 9)'),
        ({'inputs': {'image': None}}, 'input image: found only proprioception'),
        ({'inputs': {'language_features': {'dtype': 'float32'}}}, 'input language_features'),
        (
            {'inputs': {'depth': {'shape': [1], 'dtype': 'float32'}}},
            'input depth: found an input, wanted only those of policy.yaml',
        ),
        ({'inputs': {'image': {'quantization': (0.0, 0)}}}, 'image: found int8 without a scale'),
        ({'outputs': {'joint_targets': {'dtype': 'int32'}}}, 'output joint_targets: found int32'),
        ({'outputs': {'joint_targets': None, 'b': {'shape': [1], 'dtype': 'int8'}}}, 'only b'),
    ],
)
def test_a_model_that_does_not_fit_is_refused_with_the_reason(
    tmp_path, robot, monkeypatch, changes, expected
):
    litert_double.install(monkeypatch)
    write(tmp_path, model(True, **changes))
    with pytest.raises(ConfigError, match=re.escape(expected)):
        load_policy(tmp_path, robot)


def test_missing_device_is_reported_and_never_replaced(tmp_path, robot, monkeypatch):
    write(tmp_path, model(False))
    monkeypatch.setitem(sys.modules, 'ai_edge_litert', None)
    with pytest.raises(ConfigError, match='wanted the Python package ai-edge-litert'):
        load_policy(tmp_path, robot)
    litert_double.install(monkeypatch)
    with pytest.raises(ConfigError, match='device: found edgetpu .Failed to load delegate'):
        load_policy(tmp_path, robot, device='edgetpu')
    with pytest.raises(ConfigError, match='found cuda:0, wanted cpu, edgetpu or edgetpu:N'):
        load_policy(tmp_path, robot, device='cuda:0')
    write(tmp_path, b'odd')
    with pytest.raises(ConfigError, match='model identifier "odd", wanted a .tflite file for cpu'):
        load_policy(tmp_path, robot)
