# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Actions of end effectors: from a bundle, through our server, and from a server of others."""

import numpy as np
import pytest

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_policy.bundle.bundle import load_bundle
from vla_policy.load import load_policy
from vla_policy.testing.bundles import JOINTS, STEP, hand_deltas, remote_bundle, write_bundle
from vla_policy.types import PolicyError
from vla_serving.served_policy import ServedPolicy
from vla_serving.testing import openpi_server

SOON = 30.0
ARM = [f'left_{j}' for j in ('shoulder_pitch', 'shoulder_roll', 'shoulder_yaw', 'elbow')]
LIBERO = {
    'parts': {'actions': 7},
    'kind': 'end_effector_delta',
    'end_effectors': {'left_hand': 'none'},
    'joints': ARM,
    'ignore': [3, 4, 5, 6],
    'step': STEP,
}
"""Seven numbers, of which an arm of four joints follows the first three."""


def hand_of(robot, observation, chunk=None):
    q = observation.position.copy()
    if chunk is not None:
        q[[robot.index[name] for name in chunk.joints]] = chunk.positions[-1]
    kinematics = robot.kinematics()
    kinematics.update(q)
    return kinematics.frame('left_hand')[1]


def remote(tmp_path, port, action):
    outputs = {'action': action}
    return remote_bundle(tmp_path / 'remote', f'ws://127.0.0.1:{port}', outputs=outputs)


def test_a_bundle_of_hand_motions_gives_joint_targets_that_move_the_hand(tmp_path, robot, observe):
    write_bundle(tmp_path / 'hand', change=hand_deltas)
    policy = load_policy(tmp_path / 'hand', robot)
    seen = observe(position=robot.poses['ready'].copy())
    chunk = policy.predict(seen)
    assert chunk.joints == tuple(ARM) and chunk.positions.shape == (5, 4)
    assert not chunk.cannot_follow and chunk.pose_error.position < 1e-3
    moved = hand_of(robot, seen, chunk) - hand_of(robot, seen)
    # What the model wants, about: 0.1 state + 0.01 image + 0.001 token, times std, plus mean.
    assert moved == pytest.approx([0.0, 0.02, 0.01], abs=0.02)
    assert not policy.takes_prefix


def test_a_served_bundle_of_hand_motions_answers_with_joints_and_what_it_leaves(
    tmp_path, robot, observe
):
    write_bundle(tmp_path / 'hand', change=hand_deltas)
    local = load_policy(tmp_path / 'hand', robot)
    served = ServedPolicy(local, robot)
    seen = observe(position=robot.poses['ready'].copy())
    image = np.full((8, 8, 3), 128, np.uint8)
    seen = observe(position=seen.position, images={'head': image})
    with openpi_server(served.answer, served.metadata) as there:
        policy = load_policy(f'ws://127.0.0.1:{there["port"]}', robot, timeout=SOON)
        chunk = policy.predict(seen)
        policy.close()
    wanted = local.predict(seen)
    np.testing.assert_allclose(chunk.positions, wanted.positions, atol=1e-4)
    assert chunk.joints == wanted.joints
    assert chunk.pose_error.path == pytest.approx(wanted.pose_error.path, abs=1e-5)


def test_a_servers_hand_motions_are_followed_and_its_other_columns_ignored(
    tmp_path, robot, observe
):
    row = [0.0, 0.02, 0.03, np.nan, 9.0, 9.0, 1.0]
    with openpi_server(lambda request: {'actions': np.tile(row, (5, 1))}, {}) as there:
        policy = load_policy(remote(tmp_path, there['port'], LIBERO), robot, timeout=SOON)
        seen = observe(position=robot.poses['ready'].copy())
        chunk = policy.predict(seen)
        moved = hand_of(robot, seen, chunk) - hand_of(robot, seen)
        assert moved == pytest.approx(row[:3], abs=5e-4)
        policy.close()


@pytest.mark.parametrize(
    ('row', 'reason'),
    [
        ([np.nan, 0, 0, 0, 0, 0, 0], 'not finite: left_hand'),
        ([50.0, 0, 0, 0, 0, 0, 0], 'left_hand is to be 50 m away'),
        ([0.0, 0, 0], 'wanted \\(points, 7\\)'),
    ],
)
def test_a_servers_row_that_is_no_motion_is_a_policy_error(tmp_path, robot, observe, row, reason):
    with openpi_server(lambda request: {'actions': np.tile(row, (5, 1))}, {}) as there:
        policy = load_policy(remote(tmp_path, there['port'], LIBERO), robot, timeout=SOON)
        with pytest.raises(PolicyError, match=reason):
            policy.predict(observe())
        policy.close()


def test_joint_velocities_with_a_gripper_column_are_read_as_droid_sends_them(
    tmp_path, robot, observe
):
    action = {
        'parts': {'actions': 4},
        'kind': 'joint_velocity',
        'joints': JOINTS,
        'ignore': [3],
        'step': STEP,
    }
    row = [0.5, -0.5, 0.2, 1.0]
    with openpi_server(lambda request: {'actions': np.tile(row, (5, 1))}, {}) as there:
        policy = load_policy(remote(tmp_path, there['port'], action), robot, timeout=SOON)
        seen = observe()
        start = seen.position[[robot.index[name] for name in JOINTS]]
        chunk = policy.predict(seen)
        assert chunk.positions[-1] == pytest.approx(start + 5 * STEP * np.array(row[:3]))
        policy.close()


@pytest.mark.parametrize(
    ('case', 'changes', 'message'),
    [
        ('too few columns', {'parts': {'actions': 6}}, 'parts: found 6 columns, wanted 7'),
        (
            'a prefix for a hand',
            {'prefix': 'prefix'},
            'inputs.prefix: found prefix, wanted none: only joint_position',
        ),
        ('columns as joints', {'joints': None}, 'outputs.action.parts.actions'),
    ],
)
def test_a_remote_action_that_does_not_fit_is_refused_by_key(tmp_path, case, changes, message):
    action = {k: v for k, v in (LIBERO | changes).items() if v is not None and k != 'prefix'}
    inputs = {'states': {'observation/state': {'joints': JOINTS}}}
    if 'prefix' in changes:
        inputs['prefix'] = changes['prefix']
    path = remote_bundle(
        tmp_path / 'pi', 'ws://localhost:1', inputs=inputs, outputs={'action': action}
    )
    with pytest.raises(ConfigError) as found:
        load_bundle(path)
    assert message in str(found.value)
    documented('Remote policies', case, found.value, tmp_path)
