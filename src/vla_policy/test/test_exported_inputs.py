# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Inputs as exported VLAs have them: int32 ids, masks of several types, constants, bytes of pixels,
dotted names."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_policy.load import load_policy
from vla_policy.testing.bundles import HORIZON, JOINTS, ONNX, SIZE, write_policy, write_tokenizer

IDS, MASK, EMBODIMENT = 'observation.language.tokens', 'attention_mask', 'embodiment_id'


def write(
    directory, *, ids=TensorProto.INT32, mask=TensorProto.BOOL, mask_dtype='int64', **changes
):
    """targets = ids.mean() + 10 mask.mean() + 100 embodiment + 0.001 image.mean()"""
    directory.mkdir(exist_ok=True)
    inputs = {
        IDS: (ids, [1, 4]),
        MASK: (mask, [1, 4]),
        EMBODIMENT: (TensorProto.INT64, [1]),
        'pixels': (TensorProto.UINT8, [1, SIZE, SIZE, 3]),
    }
    nodes, sums = [], []
    for i, (name, factor) in enumerate(zip(inputs, (0.1, 1.0, 0.01, 0.001), strict=True)):
        nodes.append(helper.make_node('Cast', [name], [f'f{i}'], to=TensorProto.FLOAT))
        nodes.append(helper.make_node('ReduceMean', [f'f{i}'], [f'm{i}'], keepdims=0))
        nodes.append(helper.make_node('Mul', [f'm{i}', f'k{i}'], [f's{i}']))
        sums.append((f's{i}', numpy_helper.from_array(np.float32(factor), f'k{i}')))
    nodes.append(helper.make_node('Sum', [name for name, _ in sums], ['sum']))
    nodes.append(helper.make_node('Add', ['sum', 'grid'], ['joint_targets']))
    grid = numpy_helper.from_array(np.zeros((1, HORIZON, 3), np.float32), 'grid')
    graph = helper.make_graph(
        nodes,
        'vla',
        [helper.make_tensor_value_info(name, *about) for name, about in inputs.items()],
        [helper.make_tensor_value_info('joint_targets', TensorProto.FLOAT, [1, HORIZON, 3])],
        [constant for _, constant in sums] + [grid],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    (directory / 'model.onnx').write_bytes(model.SerializeToString())
    write_tokenizer(directory / 'tokenizer.json')
    image = {'tensor': 'pixels', 'camera': 'head', 'width': SIZE, 'height': SIZE, 'layout': 'nhwc'}
    image |= {'range': [0, 255], 'mean': [0, 0, 0], 'std': [1, 1, 1]}
    words = {'tensor': IDS, 'tokenizer': 'tokenizer.json', 'length': 4, 'mask': MASK}
    action = ONNX['outputs']['action'] | {'mean': [0.0] * 3, 'std': [1.0] * 3, 'joints': JOINTS}
    described = ONNX | {
        'inputs': {
            'image': image | changes.pop('image', {}),
            'instruction': words | {'mask_dtype': mask_dtype},
            'constants': {EMBODIMENT: {'shape': [1], 'dtype': 'int64', 'value': 24}}
            | changes.pop('constants', {}),
        },
        'outputs': {'action': action},
    }
    write_policy(directory, described, 'model.onnx', 'tokenizer.json')


@pytest.mark.parametrize('mask_dtype', ['bool', 'int32', 'int64'])
@pytest.mark.parametrize('mask', [TensorProto.BOOL, TensorProto.INT32, TensorProto.INT64])
@pytest.mark.parametrize('ids', [TensorProto.INT32, TensorProto.INT64])
def test_ids_masks_constants_and_pixels_arrive_in_the_types_of_the_model(
    tmp_path, robot, observe, ids, mask, mask_dtype
):
    write(tmp_path, ids=ids, mask=mask, mask_dtype=mask_dtype)
    policy = load_policy(tmp_path, robot)
    picture = np.full((SIZE, SIZE, 3), 200, np.uint8)
    observation = observe(instruction='left hand', images={'head': picture})
    tensors = policy.inputs(observation)
    assert tensors[MASK].tolist() == [[1, 1, 0, 0]]
    assert tensors[EMBODIMENT].tolist() == [24]
    # ids (3, 5, 0, 0), half of the mask, embodiment 24, grey 200
    wanted = 0.1 * 2.0 + 1.0 * 0.5 + 0.01 * 24 + 0.001 * 200
    np.testing.assert_allclose(policy.predict(observation).positions, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ('case', 'changes', 'reason'),
    [
        (
            'float ids',
            {'ids': TensorProto.FLOAT},
            f'input {IDS}: found float32 .1, 4., wanted int64 or int32',
        ),
        ('a float mask', {'mask': TensorProto.FLOAT}, f'input {MASK}: found float32'),
        (
            'normalised pixels for a model that takes bytes',
            {'image': {'mean': [1, 1, 1]}},
            'input pixels: found uint8 .* wanted float32 or float16',
        ),
        (
            'another type of mask',
            {'mask_dtype': 'float32'},
            'inputs.instruction.mask_dtype: found float32, wanted one of',
        ),
        (
            'half of a whole number',
            {'constants': {EMBODIMENT: {'shape': [1], 'dtype': 'int64', 'value': 0.5}}},
            f'inputs.constants.{EMBODIMENT}.value: found 0.5, wanted a whole number',
        ),
        (
            'a constant that the model has not',
            {'constants': {'other': {'shape': [1], 'dtype': 'bool', 'value': True}}},
            'input other: found only',
        ),
    ],
)
def test_types_that_do_not_fit_are_rejected_by_name(tmp_path, robot, case, changes, reason):
    write(tmp_path, **changes)
    with pytest.raises(ConfigError, match=reason) as error:
        load_policy(tmp_path, robot)
    documented('Tensors of models', case, error.value, tmp_path)
