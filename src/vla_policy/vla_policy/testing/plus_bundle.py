# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A bundle whose model adds 0.1 to the state."""

from __future__ import annotations

import hashlib

import numpy as np
import yaml

JOINTS = ['left_elbow', 'head_yaw']


def write(directory, batch):
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
    numbers = {'mean': [0.0, 0.0], 'std': [1.0, 1.0]}
    policy = {
        'format': 1,
        'name': 'plus',
        'version': '1',
        'runtime': 'onnx',
        'model': 'model.onnx',
        'inputs': {'state': {'tensor': 'state', 'joints': JOINTS} | numbers},
        'outputs': {
            'action': {
                'tensor': 'targets',
                'kind': 'joint_position',
                'joints': JOINTS,
                'horizon': 6,
                'step': 0.1,
            }
            | numbers
        },
        'files': {
            'model.onnx': hashlib.sha256((directory / 'model.onnx').read_bytes()).hexdigest()
        },
    }
    (directory / 'policy.yaml').write_text(yaml.safe_dump(policy))
    return str(directory)
