# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A bundle whose model says what it understood, and whether that is possible and done: functions of
its inputs that a test can set.

    understood   a word fits unless it is unknown to the tokenizer; all of them: the least of them
    possible     not with a red picture (reason 0), not with the head turned to the left (reason 1)
    done         1 with the left shoulder at 0.6 rad and beyond, 0 at 0.5 rad and before

The targets are the measured positions; with a blue picture those of the left shoulder lead on.
"""

import copy
from pathlib import Path

import numpy as np

from vla_policy.testing.bundles import (
    HORIZON,
    LENGTH,
    ONNX,
    SIZE,
    WORDS,
    write_policy,
    write_tokenizer,
)

REASONS = ('no such cube in view', 'out of reach of that hand: "{words}"')
JUDGED = {
    'understood': {'tensor': 'understood', 'accept': 0.5},
    'possible': {'tensor': 'possible', 'accept': 0.5, 'reasons': list(REASONS)},
    'done': {'tensor': 'done', 'accept': 0.5},
}
UNKNOWN = WORDS['[UNK]']
RED, BLUE = (255, 0, 0), (0, 0, 255)
LEAD = 0.4
"""rad, by which the last point leads on with a blue picture."""
TURNED = 1.0
"""rad, a head yaw with which nothing is possible."""
ACHIEVED, BEFORE = 0.7, 0.4
"""rad, left shoulder pitch."""


def _lead() -> np.ndarray:
    """float32 (h, 3) rad: the left shoulder has a mean of 0.1 and a scale of 1."""
    lead = np.zeros((HORIZON, 3), np.float32)
    lead[:, 0] = np.linspace(0.0, LEAD, HORIZON)
    return lead


def judged_onnx(path: Path, per_word: bool = True) -> None:
    """per_word: `understood` also has a probability for each token."""
    from onnx import TensorProto, helper, numpy_helper, save

    consts = {
        'unknown': np.int64([[UNKNOWN]]),
        'one': np.float32(1.0),
        'ten': np.float32(10.0),
        'zero': np.float32(0.0),
        'red_at': np.float32(0.4),
        'yaw_at': np.float32(0.2),
        'done_at': np.float32(0.4),
        'axis': np.int64([1]),
        'grid': _lead()[None],
        'first': np.int64([0]),
        'third': np.int64([2]),
        'flat': np.int64([1]),
        'one_each': np.int64([1, 1, 1]),
    }
    nodes = []

    def node(kind: str, inputs: list[str], output: str, **attributes) -> None:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    node('Unsqueeze', ['proprioception', 'axis'], 'row')
    node('Equal', ['language_features', 'unknown'], 'is_unknown')
    node('Cast', ['is_unknown'], 'misfit', to=TensorProto.FLOAT)
    node('Sub', ['one', 'misfit'], 'fits')
    node('ReduceMin', ['fits'], 'least', axes=[1], keepdims=1)
    if per_word:
        node('Concat', ['least', 'fits'], 'understood', axis=1)
    else:
        node('Reshape', ['least', 'flat'], 'understood')
    node('ReduceMean', ['image'], 'channels', axes=[2, 3], keepdims=0)
    for name, source, place, at in (
        ('red', 'channels', 'first', 'red_at'),
        ('blue', 'channels', 'third', 'red_at'),
        ('turned', 'proprioception', 'third', 'yaw_at'),
        ('reached', 'proprioception', 'first', 'done_at'),
    ):
        node('Gather', [source, place], f'{name}_raw', axis=1)
        node('Sub', [f'{name}_raw', at], f'{name}_above')
        node('Mul', [f'{name}_above', 'ten'], f'{name}_scaled')
        node('Clip', [f'{name}_scaled', 'zero', 'one'], name)
    node('Reshape', ['blue', 'one_each'], 'leads')
    node('Mul', ['grid', 'leads'], 'ahead')
    node('Add', ['row', 'ahead'], 'joint_targets')
    node('Sub', ['one', 'red'], 'not_red')
    node('Mul', ['turned', 'not_red'], 'p_turned')
    node('Sub', ['not_red', 'p_turned'], 'p_possible')
    node('Concat', ['p_possible', 'red', 'p_turned'], 'possible', axis=1)
    node('Reshape', ['reached', 'flat'], 'done')
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        'judged',
        [
            value('image', TensorProto.FLOAT, [1, 3, SIZE, SIZE]),
            value('proprioception', TensorProto.FLOAT, [1, 3]),
            value('language_features', TensorProto.INT64, [1, LENGTH]),
        ],
        [
            value('joint_targets', TensorProto.FLOAT, [1, HORIZON, 3]),
            value('understood', TensorProto.FLOAT, [1, 1 + LENGTH] if per_word else [1]),
            value('possible', TensorProto.FLOAT, [1, 1 + len(REASONS)]),
            value('done', TensorProto.FLOAT, [1]),
        ],
        [numpy_helper.from_array(np.asarray(x), name) for name, x in consts.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    save(model, str(path))


def judged_torchscript(path: Path) -> None:
    """The same as TorchScript, with a word at a time."""
    import torch

    class Judged(torch.nn.Module):
        def forward(self, image: torch.Tensor, state: torch.Tensor, words: torch.Tensor):
            blue = ((image.mean((2, 3))[:, 2] - 0.4) * 10).clamp(0, 1)
            targets = state.unsqueeze(1) + blue[:, None, None] * torch.from_numpy(_lead())
            fits = 1.0 - (words == UNKNOWN).float()
            understood = torch.cat([fits.amin(1, keepdim=True), fits], 1)
            red = ((image.mean((2, 3))[:, 0] - 0.4) * 10).clamp(0, 1)
            turned = ((state[:, 2] - 0.2) * 10).clamp(0, 1) * (1 - red)
            possible = torch.stack([1 - red - turned, red, turned], 1)
            return targets, understood, possible, ((state[:, 0] - 0.4) * 10).clamp(0, 1)

    sample = (
        torch.zeros(1, 3, SIZE, SIZE),
        torch.zeros(1, 3),
        torch.zeros(1, LENGTH, dtype=torch.int64),
    )
    torch.jit.save(torch.jit.trace(Judged(), sample), str(path))


def write_judged_bundle(
    directory: Path, change=None, runtime: str = 'onnx', per_word: bool = True
) -> dict:
    """Write the bundle; `change(content)` may corrupt policy.yaml before it is written."""
    directory.mkdir(parents=True, exist_ok=True)
    content = copy.deepcopy(ONNX) | {'name': 'judged', 'tasks': ['wave with your left hand']}
    content['outputs'].update(copy.deepcopy(JUDGED))
    state = content['inputs']['state']
    content['outputs']['action'].update(mean=state['mean'], std=state['std'])
    if runtime == 'onnx':
        judged_onnx(directory / 'model.onnx', per_word)
    else:
        content.update(runtime='torchscript', model='model.pt')
        judged_torchscript(directory / 'model.pt')
    write_tokenizer(directory / 'tokenizer.json')
    return write_policy(directory, content, content['model'], 'tokenizer.json', change=change)
