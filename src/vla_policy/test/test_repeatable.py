# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A model whose answer to one input changes by itself is rejected at load, in any form."""

import io
import json
import re

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_policy.load import load_policy
from vla_policy.testing import litert_double, tensorrt_double
from vla_policy.testing.bundles import (
    HORIZON,
    LENGTH,
    ONNX,
    SIZE,
    edit,
    write_onnx_model,
    write_policy,
    write_tokenizer,
)

EXAMPLE = (torch.zeros(1, 3, SIZE, SIZE), torch.ones(1, 3), torch.zeros(1, LENGTH).long())


class Network(torch.nn.Module):
    """kind: steady, or where its randomness comes from."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.dropout = torch.nn.Dropout(0.5)
        self.register_buffer('calls', torch.zeros(1))

    def forward(self, image, state, words):
        row = self.scale * state
        if self.kind == 'dropout':
            row = self.dropout(row)
        elif self.kind == 'functional':
            row = torch.nn.functional.dropout(row, 0.5)  # training=True is its default
        elif self.kind == 'noise':
            row = row + 0.1 * torch.randn_like(row)
        elif self.kind == 'memory':
            self.calls += 1.0
            row = row + 0.1 * self.calls
        return row.unsqueeze(1).repeat(1, HORIZON, 1)


def make_network(kind: str) -> torch.nn.Module:
    return Network(kind)


def write(directory, runtime, name, content, **changes):
    (directory / name).write_bytes(content)
    write_tokenizer(directory / 'tokenizer.json')
    described = ONNX | {'runtime': runtime, 'model': name} | changes
    write_policy(directory, described, name, 'tokenizer.json')


def torchscript(directory, kind):
    file = io.BytesIO()
    traced = torch.jit.trace(Network(kind).train(), EXAMPLE, check_trace=False)
    torch.jit.save(traced, file)
    write(directory, 'torchscript', 'model.pt', file.getvalue())


def torch_export(directory, kind):
    file = io.BytesIO()
    torch.export.save(torch.export.export(Network(kind).train(), EXAMPLE), file)
    write(directory, 'torch_export', 'model.pt2', file.getvalue())


def pytorch(directory, kind):
    source = {
        'factory': f'{__name__}:make_network',
        'config': {'kind': kind},
        'weights': 'w.safetensors',
    }
    content = save(Network(kind).state_dict())
    write(directory, 'pytorch', 'w.safetensors', content, source=source)


def onnx_model(directory, kind):
    path = directory / 'model.onnx'
    write_onnx_model(path)
    if kind != 'steady':
        model = onnx.load(str(path))
        last = model.graph.node[-1]
        last.output[0] = 'steady'
        if kind == 'noise':
            model.graph.node.append(
                helper.make_node('RandomNormalLike', ['steady'], ['n'], scale=0.1)
            )
            model.graph.node.append(helper.make_node('Add', ['steady', 'n'], ['joint_targets']))
        else:
            model.graph.initializer.append(helper.make_tensor('half', TensorProto.FLOAT, [], [0.5]))
            model.graph.initializer.append(helper.make_tensor('on', TensorProto.BOOL, [], [True]))
            model.graph.node.append(
                helper.make_node('Dropout', ['steady', 'half', 'on'], ['joint_targets'])
            )
        onnx.save(model, str(path))
    write(directory, 'onnx', 'model.onnx', path.read_bytes())


def tensorrt(directory, kind):
    tensors = {
        'image': {'mode': 'INPUT', 'dtype': 'FLOAT', 'shape': [1, 3, SIZE, SIZE]},
        'proprioception': {'mode': 'INPUT', 'dtype': 'FLOAT', 'shape': [1, 3]},
        'language_features': {'mode': 'INPUT', 'dtype': 'INT64', 'shape': [1, LENGTH]},
        'joint_targets': {'mode': 'OUTPUT', 'dtype': 'FLOAT', 'shape': [1, HORIZON, 3]},
    }
    content = {'gpu': tensorrt_double.GPU, 'tensors': tensors, 'noise': float(kind != 'steady')}
    write(directory, 'tensorrt', 'model.engine', json.dumps(content).encode())


def litert(directory, kind):
    content = {
        'inputs': {
            'image': {'shape': [1, 3, SIZE, SIZE], 'dtype': 'float32'},
            'proprioception': {'shape': [1, 3], 'dtype': 'float32'},
            'language_features': {'shape': [1, LENGTH], 'dtype': 'int32'},
        },
        'outputs': {'joint_targets': {'shape': [1, HORIZON, 3], 'dtype': 'float32'}},
        'noise': float(kind != 'steady'),
    }
    write(directory, 'litert', 'model.tflite', json.dumps(content).encode())


FORMS = {
    torchscript: ('dropout', 'functional', 'noise', 'memory'),
    torch_export: ('dropout', 'functional', 'noise', 'memory'),
    pytorch: ('functional', 'noise', 'memory'),
    onnx_model: ('dropout', 'noise'),
    tensorrt: ('noise',),
    litert: ('noise',),
}

CASES = {
    torchscript: 'dropout in a traced .pt',
    torch_export: 'dropout in a .pt2',
    onnx_model: 'dropout in an ONNX model',
}
MEASURED = re.compile(r'[\d.]+(?= rad)')


def prepare(form, monkeypatch):
    tensorrt_double.install(monkeypatch) if form is tensorrt else None
    litert_double.install(monkeypatch) if form is litert else None
    return {'device': 'cuda:0'} if form is tensorrt else {}


@pytest.mark.parametrize(
    ('form', 'kind'),
    [(form, kind) for form, kinds in FORMS.items() for kind in kinds],
    ids=lambda value: getattr(value, '__name__', value),
)
def test_an_answer_that_changes_by_itself_is_rejected(tmp_path, robot, monkeypatch, form, kind):
    form(tmp_path, kind)
    with pytest.raises(ConfigError) as error:
        load_policy(tmp_path, robot, **prepare(form, monkeypatch))
    assert error.value.key == 'model'
    assert 'answers to one input that differ by' in error.value.found
    assert 'dropout left on, noise of its own' in error.value.found
    assert 'model.eval() before it is traced or exported' in error.value.wanted
    assert 'inputs.noise' in error.value.wanted
    if kind == 'dropout' and form in CASES:
        documented('Random models', CASES[form], error.value, tmp_path, MEASURED)


@pytest.mark.parametrize('form', FORMS, ids=lambda form: form.__name__)
def test_a_steady_model_and_switched_off_dropout_are_accepted(tmp_path, robot, monkeypatch, form):
    form(tmp_path, 'dropout' if form is pytorch else 'steady')
    load_policy(tmp_path, robot, **prepare(form, monkeypatch)).close()


def test_noise_that_is_an_input_is_no_randomness_of_the_model(tmp_path, robot, observe):
    action = ('x', TensorProto.FLOAT, [1, HORIZON, 3])
    graph = helper.make_graph(
        [
            helper.make_node('ReduceMean', ['state'], ['mean'], keepdims=0),
            helper.make_node('Add', ['noise', 'mean'], ['joint_targets']),
        ],
        'noisy',
        [
            helper.make_tensor_value_info('noise', *action[1:]),
            helper.make_tensor_value_info('state', TensorProto.FLOAT, [1, 3]),
        ],
        [helper.make_tensor_value_info('joint_targets', *action[1:])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    (tmp_path / 'model.onnx').write_bytes(model.SerializeToString())

    def change(content):
        edit(content, {'inputs image': None, 'inputs instruction': None})
        edit(content, {'inputs state tensor': 'state', 'inputs noise': {'tensor': 'noise'}})

    write_policy(tmp_path, ONNX, 'model.onnx', change=change)
    policy = load_policy(tmp_path, robot)
    first, second = (policy.predict(observe()).positions for _ in range(2))
    assert np.abs(first - second).max() > 0.1
