# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The gripper output of a model: its convention in policy.yaml, its refusals, its targets."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_policy.bundle.bundle import load_bundle
from vla_policy.bundle.gripper_output import GripperOutput
from vla_policy.gripper_actions import GripperActions
from vla_policy.load import load_policy
from vla_policy.testing.bundles import HORIZON, LENGTH, ONNX, SIZE, write_policy, write_tokenizer
from vla_policy.types import ChunkCheck, Observation, PolicyError
from vla_robot import load_robot

PANDA = load_robot('panda')
JOINTS = ['panda_joint1', 'panda_joint2', 'panda_joint3']
GRIPPER = {'tensor': 'gripper', 'grippers': ['hand'], 'open': 1, 'kind': 'continuous'}


def write(directory, gripper=GRIPPER, robot='panda', joints=JOINTS):
    """A model whose gripper number is the measured position of the first joint."""
    from onnx import TensorProto, helper, numpy_helper, save

    directory.mkdir(parents=True)
    content = copy.deepcopy(ONNX) | {'robot': robot}
    content['inputs']['state'] |= {'joints': joints, 'mean': [0.0] * 3, 'std': [1.0] * 3}
    content['outputs']['action'] |= {'joints': joints, 'mean': [0.0] * 3, 'std': [1.0] * 3}
    content['outputs']['gripper'] = gripper
    consts = {
        'axis': np.int64([1]),
        'zeros': np.zeros((1, HORIZON, 3), np.float32),
        'column': np.zeros((1, HORIZON, 1), np.float32),
        'first': np.int64([0]),
    }
    nodes = [
        helper.make_node('Unsqueeze', ['proprioception', 'axis'], ['row']),
        helper.make_node('Add', ['row', 'zeros'], ['joint_targets']),
        helper.make_node('Gather', ['row', 'first'], ['one'], axis=2),
        helper.make_node('Add', ['one', 'column'], ['gripper']),
    ]
    value, kind = helper.make_tensor_value_info, TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        'gripping',
        [
            value('image', kind, [1, 3, SIZE, SIZE]),
            value('proprioception', kind, [1, 3]),
            value('language_features', TensorProto.INT64, [1, LENGTH]),
        ],
        [value('joint_targets', kind, [1, HORIZON, 3]), value('gripper', kind, [1, HORIZON, 1])],
        [numpy_helper.from_array(x, name) for name, x in consts.items()],
    )
    opset = [helper.make_opsetid('', 17)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=8), directory / 'model.onnx')
    write_tokenizer(directory / 'tokenizer.json')
    write_policy(directory, content, 'model.onnx', 'tokenizer.json')
    return directory


def seen(number):
    q = PANDA.poses['ready'].copy()
    q[0] = number
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    upright = np.array([1.0, 0.0, 0.0, 0.0])
    return Observation({'head': image}, q, np.zeros(PANDA.n), upright, 'wave left', 0, 0.0)


@pytest.mark.parametrize(('is_open', 'wanted'), [(1, 0.01), (0, 0.03)])
def test_the_number_moves_the_fingers_in_the_declared_direction(tmp_path, is_open, wanted):
    policy = load_policy(write(tmp_path / 'b', GRIPPER | {'open': is_open}), PANDA)
    chunk = policy.predict(seen(0.25))
    ChunkCheck(PANDA.joint_names)(chunk)
    assert chunk.joints == (*JOINTS, 'panda_finger_joint1', 'panda_finger_joint2')
    assert chunk.positions[:, 3:] == pytest.approx(np.full((HORIZON, 2), wanted))
    assert chunk.positions[:, 0] == pytest.approx(0.25)


@pytest.mark.parametrize('number', [np.nan, 3.0, -1.0])
def test_a_number_of_another_convention_is_no_chunk(tmp_path, number):
    policy = load_policy(write(tmp_path / 'b'), PANDA)
    with pytest.raises(PolicyError):
        policy.predict(seen(number))


def actions(**changes):
    output = GripperOutput('g', ('hand',), **({'open': 1, 'kind': 'binary'} | changes))
    return GripperActions(output, PANDA, 4)


def closed(made, *numbers):
    """For each point whether it is closed."""
    return (made.targets(np.array(numbers)[None, :, None])[:, 0] < 0.001).tolist()


def test_a_binary_gripper_changes_only_beyond_its_hysteresis():
    made = actions(hysteresis=0.1)
    assert closed(made, 0.9, 0.45, 0.39, 0.55) == [False, False, True, True]
    assert closed(made, 0.39, 0.5, 0.59, 0.61) == [True, True, True, False]
    assert closed(made, 0.5, 0.5, 0.5, 0.5) == [True] * 4, 'it goes on from the point before'
    made.reset()
    assert closed(made, 0.51, 0.5, 0.5, 0.5) == [False] * 4


def test_the_threshold_is_in_the_models_own_numbers():
    made = actions(open=0, threshold=0.2)
    assert closed(made, 0.1, 0.3, 0.1, 0.9) == [False, True, False, True]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-0.5, 1.5), min_size=4, max_size=4))
def test_every_accepted_number_is_an_opening_of_the_gripper(numbers):
    for kind in ('binary', 'continuous'):
        found = actions(kind=kind).targets(np.array(numbers)[None, :, None])
        assert ((found >= 0.0) & (found <= 0.04)).all()


def refused(tmp_path, case, on=PANDA, **changes):
    directory = write(tmp_path / 'b', **changes)
    with pytest.raises(ConfigError) as caught:
        load_bundle(directory, on)
    documented('Grippers', case, caught.value, directory)
    return caught.value


def test_a_gripper_output_on_a_robot_without_one_is_refused_by_name(tmp_path):
    robot = load_robot('xarm7')
    given = {'joints': ['joint1', 'joint2', 'joint3'], 'robot': 'xarm7'}
    error = refused(tmp_path, 'a gripper output for a robot without a gripper', robot, **given)
    assert (error.key, error.found) == ('outputs.gripper.grippers', 'hand')


def test_it_is_ignored_by_declared_choice_only(tmp_path):
    ignored = {'tensor': 'gripper', 'grippers': ['hand'], 'ignored': True}
    given = {'joints': ['joint1', 'joint2', 'joint3'], 'robot': 'xarm7'}
    bundle = load_bundle(write(tmp_path / 'b', ignored, **given), load_robot('xarm7'))
    assert bundle.model.answered == ('joint_targets',)


@pytest.mark.parametrize(
    ('case', 'changes'),
    [
        ('a gripper output without its convention', {'open': None}),
        ('a convention between the two', {'open': 2}),
        ('an unknown kind of gripper output', {'kind': 'analog'}),
        ('a hysteresis for a continuous output', {'hysteresis': 0.1}),
        ('a hysteresis wider than the range', {'kind': 'binary', 'hysteresis': 0.6}),
    ],
)
def test_a_convention_that_is_missing_or_wrong_is_refused(case, changes, tmp_path):
    gripper = {k: v for k, v in (GRIPPER | changes).items() if v is not None}
    assert refused(tmp_path, case, gripper=gripper).key.startswith('outputs.gripper')


def test_a_joint_is_not_commanded_twice(tmp_path):
    joints = [*JOINTS[:2], 'panda_finger_joint1']
    error = refused(tmp_path, 'a joint of the gripper in the action too', joints=joints)
    assert error.key == 'outputs.action.joints'
