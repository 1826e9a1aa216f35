# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Observations of GR00T servers: horizons above one, states that are no joints, the keys of the
simulation wrapper."""

import re
from dataclasses import replace

import numpy as np
import pytest

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_inference.configure import common_history
from vla_policy.bundle.bundle import load_bundle
from vla_policy.bundle.model_inputs import History
from vla_policy.load import load_policy
from vla_policy.testing.bundles import JOINTS, edit, remote_bundle
from vla_serving.testing import GrootDouble

SOON = 20.0
WORDS = 'annotation.language.language_instruction'
DROID = {
    'history': {'frames': 2, 'step': 1.0},
    'images': {
        'exterior_image_1_left': {'camera': 'head', 'width': 12, 'height': 8},
        'wrist_image_left': {'camera': 'wrist', 'width': 12, 'height': 8, 'resize': 'stretch'},
    },
    'states': {
        'eef_9d': {'quantity': 'pose_rot6d', 'frame': 'left_hand'},
        'gripper_position': {'quantity': 'constant', 'value': [0.0]},
        'joint_position': {'joints': JOINTS},
    },
    'instruction': WORDS,
}
"""GR00T N1.7, embodiment oxe_droid_relative_eef_relative_joint: video at [-15, 0], 15 Hz."""


def bundle_of(directory, url, dialect='nested', **changes):
    inputs = {
        key: dict(value) if isinstance(value, dict) else value for key, value in DROID.items()
    }
    inputs['states'] = {key: dict(value) for key, value in DROID['states'].items()}
    inputs['images'] = {key: dict(value) for key, value in DROID['images'].items()}
    edit(inputs, changes)
    action = {'parts': {'joint_position': JOINTS}, 'kind': 'joint_delta', 'step': 1 / 15}
    outputs = {'action': action | {'horizon': 40}}
    given = {'runtime': 'groot', 'dialect': dialect, 'inputs': inputs, 'outputs': outputs}
    return remote_bundle(directory, url, **given)


def two_instants(observe, robot):
    grey = {name: np.full((16, 24, 3), 60, np.uint8) for name in ('head', 'wrist')}
    white = {name: np.full((16, 24, 3), 200, np.uint8) for name in ('head', 'wrist')}
    before = observe(images=grey, position=robot.poses['ready'].copy())
    return replace(observe(images=white), past=(before,))


def served(robot, path, observation, server):
    policy = load_policy(path, robot, timeout=SOON)
    chunk = policy.predict(observation)
    policy.close()
    return chunk, server.requests[-1]['data']


def answer(request):
    parts = {'joint_position': np.full((1, 40, 3), 0.01), 'eef_9d': np.zeros((1, 40, 9))}
    prefix = 'action.' if 'video.wrist_image_left' in request['data']['observation'] else ''
    return [{f'{prefix}{key}': value for key, value in parts.items()}, {}]


def test_the_droid_embodiment_gets_two_frames_a_pose_and_a_closed_gripper(tmp_path, robot, observe):
    observation = two_instants(observe, robot)
    with GrootDouble(answer) as server:
        path = bundle_of(tmp_path / 'droid', server.url)
        chunk, data = served(robot, path, observation, server)
    seen = data['observation']
    for key in ('exterior_image_1_left', 'wrist_image_left'):
        frames = seen['video'][key]
        assert frames.shape == (1, 2, 8, 12, 3)
        # The older one first, and not the same twice.
        assert [int(frame.mean()) for frame in frames[0]] == [60, 200]
    states = seen['state']
    assert {key: value.shape for key, value in states.items()} == {
        'eef_9d': (1, 1, 9),
        'gripper_position': (1, 1, 1),
        'joint_position': (1, 1, 3),
    }
    kinematics = robot.kinematics()
    kinematics.update(observation.position)
    rotation, position = kinematics.frame('left_hand')
    np.testing.assert_allclose(states['eef_9d'][0, 0, :3], position, atol=1e-6)
    np.testing.assert_allclose(states['eef_9d'][0, 0, 3:6], rotation[0], atol=1e-6)
    np.testing.assert_allclose(states['eef_9d'][0, 0, 6:], rotation[1], atol=1e-6)
    assert seen['language'] == {WORDS: [['wave with the left hand']]}
    indices = [robot.index[name] for name in JOINTS]
    np.testing.assert_allclose(chunk.positions[0], observation.position[indices] + 0.01, atol=1e-6)
    assert chunk.positions.shape == (40, 3)


def test_the_simulation_wrapper_gets_flat_keys_with_batch_and_time(tmp_path, robot, observe):
    with GrootDouble(answer) as server:
        path = bundle_of(tmp_path / 'sim', server.url, 'sim', **{'states joint_position frames': 2})
        chunk, data = served(robot, path, two_instants(observe, robot), server)
    seen = data['observation']
    assert data['options'] is None
    assert seen['video.wrist_image_left'].shape == (1, 2, 8, 12, 3)
    assert seen['state.joint_position'].shape == (1, 2, 3)
    indices = [robot.index[name] for name in JOINTS]
    np.testing.assert_allclose(
        seen['state.joint_position'][0, 0], robot.poses['ready'][indices], atol=1e-6
    )
    assert seen[WORDS] == ['wave with the left hand']
    assert chunk.positions.shape == (40, 3)


def test_the_beginning_repeats_the_first_frame(tmp_path, robot, observe):
    images = {name: np.full((16, 24, 3), 90, np.uint8) for name in ('head', 'wrist')}
    with GrootDouble(answer) as server:
        path = bundle_of(tmp_path / 'droid', server.url)
        _, data = served(robot, path, observe(images=images), server)
    frames = data['observation']['video']['wrist_image_left'][0]
    np.testing.assert_array_equal(frames[0], frames[1])


def test_the_node_keeps_as_much_as_the_server_looks_back(tmp_path, robot):
    bundle = load_bundle(bundle_of(tmp_path / 'droid', 'tcp://127.0.0.1:1'), robot)
    assert common_history([bundle]) == History(2, 1.0)


@pytest.mark.parametrize(
    ('case', 'changes', 'reason'),
    [
        (
            'more frames than the history',
            {'images wrist_image_left frames': 3},
            'frames: found 3, wanted 1 or 2, as in history',
        ),
        (
            'frames without a history',
            {'history': None, 'states joint_position frames': 2},
            'frames: found 2, wanted 1',
        ),
        (
            'a pose of no frame',
            {'states eef_9d frame': None},
            'inputs.states.eef_9d.frame: found nothing',
        ),
        (
            'a frame that the robot has not',
            {'states eef_9d frame': 'tail'},
            'inputs.states.eef_9d.frame: found tail, wanted a frame',
        ),
        (
            'a constant without a value',
            {'states gripper_position value': None},
            'gripper_position.value: found nothing',
        ),
        (
            'an unknown quantity',
            {'states joint_position quantity': 'torque'},
            'quantity: found torque, wanted one of',
        ),
    ],
)
def test_observations_that_cannot_be_made_are_rejected_by_key(
    tmp_path, robot, case, changes, reason
):
    path = bundle_of(tmp_path / 'droid', 'tcp://127.0.0.1:1', **changes)
    with pytest.raises(ConfigError, match=re.escape(reason)) as error:
        load_policy(path, robot)
    documented('Observations of policy servers', case, error.value, tmp_path)


def test_a_history_for_openpi_is_rejected(tmp_path, robot):
    inputs = {'history': {'frames': 2, 'step': 0.1}, 'states': {'state': {'joints': JOINTS}}}
    path = remote_bundle(tmp_path / 'pi', 'ws://127.0.0.1:1', inputs=inputs)
    with pytest.raises(
        ConfigError, match='inputs.history: found one, wanted none: openpi has no'
    ) as error:
        load_bundle(path, robot)
    documented('Observations of policy servers', 'a history for openpi', error.value, tmp_path)
