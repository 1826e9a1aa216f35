# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Bundles with a memory: what the model gave in the call before is an input of the next one."""

import copy

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_policy.load import load_policy
from vla_policy.testing.bundles import HORIZON, JOINTS, ONNX, write_policy
from vla_policy.types import PolicyError

MEMORY = {'tensor': 'memory', 'following': 'next_memory', 'shape': [2]}


class Counting(torch.nn.Module):
    """State (1, k), memory (1, 2) to targets, all memory[0] / 10, and memory + (1, state[0])."""

    def forward(self, state, memory):
        targets = (memory[:, :1] / 10).unsqueeze(2).expand(-1, HORIZON, len(JOINTS)) + 0 * state[0]
        return targets, memory + torch.cat([torch.ones_like(state[:, :1]), state[:, :1]], 1)


def counting_onnx(path, width=2) -> None:
    def constant(name, value):
        return numpy_helper.from_array(np.asarray(value), name)

    nodes = [
        helper.make_node('Slice', ['memory', 'zero', 'one', 'one'], ['count']),
        helper.make_node('Mul', ['count', 'tenth'], ['scaled']),
        helper.make_node('Add', ['scaled', 'grid'], ['joint_targets']),
        helper.make_node('Slice', ['proprioception', 'zero', 'one', 'one'], ['first']),
        helper.make_node('Concat', ['ones', 'first'], ['step'], axis=1),
        helper.make_node('Add', ['memory', 'step'], ['next_memory']),
    ]
    shape = [1, HORIZON, len(JOINTS)]
    graph = helper.make_graph(
        nodes,
        'counting',
        [
            helper.make_tensor_value_info('proprioception', TensorProto.FLOAT, [1, 3]),
            helper.make_tensor_value_info('memory', TensorProto.FLOAT, [1, width]),
        ],
        [
            helper.make_tensor_value_info('joint_targets', TensorProto.FLOAT, shape),
            helper.make_tensor_value_info('next_memory', TensorProto.FLOAT, [1, width]),
        ],
        [
            constant('zero', np.int64([0])),
            constant('one', np.int64([1])),
            constant('tenth', np.float32(0.1)),
            constant('ones', np.ones((1, 1), np.float32)),
            constant('grid', np.zeros(shape, np.float32)),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())


def write(directory, runtime='onnx', width=2, change=None):
    directory.mkdir(parents=True, exist_ok=True)
    content = copy.deepcopy(ONNX) | {'runtime': runtime}
    del content['inputs']['image'], content['inputs']['instruction']
    content['inputs']['state'] |= {'mean': [0.0] * 3, 'std': [1.0] * 3}
    content['inputs']['memory'] = dict(MEMORY)
    content['outputs']['action'] |= {'mean': [0.0] * 3, 'std': [1.0] * 3}
    if runtime == 'onnx':
        counting_onnx(directory / 'model.onnx', width)
    else:
        content['model'] = 'model.pt'
        sample = (torch.zeros(1, 3), torch.zeros(1, 2))
        torch.jit.trace(Counting(), sample).save(directory / 'model.pt')
    if change is not None:
        change(content)
    write_policy(directory, content, content['model'])
    return directory


@pytest.mark.parametrize('runtime', ['onnx', 'torchscript'])
def test_the_memory_goes_from_call_to_call_and_an_instruction_begins_with_zeros(
    tmp_path, robot, observe, runtime
):
    policy = load_policy(write(tmp_path, runtime), robot)
    policy.reset()

    def count() -> float:
        return float(policy.predict(observe()).positions[0, 0])

    assert [count() for _ in range(3)] == pytest.approx([0.0, 0.1, 0.2])
    policy.reset()
    assert count() == 0.0


def test_inputs_do_not_change_the_memory(tmp_path, robot, observe):
    policy = load_policy(write(tmp_path), robot)
    policy.reset()
    policy.predict(observe())
    tensors = policy.inputs(observe())
    policy.run(tensors)
    np.testing.assert_array_equal(policy.inputs(observe())['memory'], tensors['memory'])


def test_a_memory_that_is_not_finite_is_an_error_and_the_last_one_stays(tmp_path, robot, observe):
    policy = load_policy(write(tmp_path), robot)
    policy.reset()
    policy.predict(observe())
    bad = observe()
    bad.position[:] = np.nan
    with pytest.raises(PolicyError, match='next_memory is not finite'):
        policy.predict(bad)
    assert float(policy.predict(observe()).positions[0, 0]) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ('case', 'change', 'message'),
    [
        (
            'a memory without a shape',
            lambda c: c['inputs']['memory'].update(shape=[]),
            'inputs.memory.shape: found',
        ),
        (
            'a memory with the name of an output',
            lambda c: c['inputs']['memory'].update(following='joint_targets'),
            'outputs: found tensor joint_targets used twice',
        ),
        (
            'a memory beside several samples',
            lambda c: c['inputs'].update(noise={'tensor': 'noise', 'samples': 2}),
            'inputs.memory: found one, wanted none beside several samples',
        ),
        (
            'a memory of another shape than the model has',
            lambda c: c['inputs']['memory'].update(shape=[3]),
            'input memory: found float32',
        ),
        (
            'a memory that no output gives',
            lambda c: c['inputs']['memory'].update(following='state_out'),
            'output state_out: found only joint_targets, next_memory',
        ),
    ],
)
def test_a_memory_that_cannot_be_used_is_refused_by_key(tmp_path, robot, case, change, message):
    with pytest.raises(ConfigError, match=message) as error:
        load_policy(write(tmp_path / 'bundle', change=change), robot)
    documented('Policy bundles', case, error.value, tmp_path)
