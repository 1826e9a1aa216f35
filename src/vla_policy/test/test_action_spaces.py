# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Action spaces: what each kind means, what is refused, and that hostile chunks stay in limits."""

import dataclasses

import numpy as np
import pinocchio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_common.yaml_file import ConfigReader
from vla_policy.action_decoder import ActionDecoder
from vla_policy.bundle.action_space import (
    KINDS,
    ROTATIONS,
    ActionSpace,
    CartesianSpace,
    EndEffector,
    read_action_space,
    read_kind,
)
from vla_policy.rotations import matrices, rows_of
from vla_policy.testing.hostile_actions import HostileActions, hostile_space
from vla_policy.types import PolicyError
from vla_robot import load_robot

STEP = 0.1
UR5E, PANDA, HUMANOID = (load_robot(name) for name in ('ur5e', 'panda', 'humanoid32'))
FORMS = tuple(form for form in ROTATIONS if form != 'none')


def arm(robot):
    return tuple(robot.joint_names[j] for j in robot.chain('hand'))


def decoder_of(
    robot, kind, rotation='rotation_vector', frame='base', relative_to='observed', **more
):
    cartesian = CartesianSpace((EndEffector('hand', rotation),), frame, (0.02, 0.1))
    space = ActionSpace(kind, arm(robot), relative_to, cartesian, **more)
    return ActionDecoder(space, robot, STEP, 'policy.yaml')


def hand(robot, targets=None, frame='hand'):
    q = robot.poses['ready'].copy()
    if targets is not None:
        q[list(robot.chain('hand'))] = targets
    kinematics = robot.kinematics()
    kinematics.update(q)
    return kinematics.frame(frame)


@pytest.mark.parametrize('form', FORMS)
def test_every_form_of_a_rotation_means_the_same_matrix(form):
    wanted = np.array([pinocchio.exp3(v) for v in np.random.default_rng(1).normal(0, 1, (20, 3))])
    assert matrices(rows_of(wanted, form), form) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('robot', [UR5E, PANDA], ids=lambda robot: robot.name)
def test_an_absolute_pose_is_reached_in_every_form(robot, form):
    rotation, position = hand(robot)
    turn = rotation @ pinocchio.exp3(np.array([0.1, -0.05, 0.2]))
    goal = position + [0.02, 0.05, -0.03]
    row = np.concatenate([goal, rows_of(turn[None], form)[0]])
    targets, error = decoder_of(robot, 'end_effector_pose', form)(
        np.tile(row, (8, 1)), robot.poses['ready']
    )
    found_turn, found = hand(robot, targets[-1])
    assert found == pytest.approx(goal, abs=3e-4)
    assert found_turn == pytest.approx(turn, abs=2e-3)
    assert error.reason == '' and error.position < 3e-4


def test_the_two_orders_of_a_quaternion_are_different_rotations():
    wxyz = np.array([[0.9, 0.1, 0.3, 0.3]]) / np.linalg.norm([0.9, 0.1, 0.3, 0.3])
    assert not np.allclose(matrices(wxyz, 'quaternion_wxyz'), matrices(wxyz, 'quaternion_xyzw'))


@pytest.mark.parametrize('frame', ['base', 'tool'])
@pytest.mark.parametrize('relative_to', ['observed', 'previous'])
def test_a_delta_is_along_the_declared_axes_and_from_the_declared_pose(frame, relative_to):
    """Four times 1 cm along x: together 4 cm from the previous, 1 cm from the observed pose."""
    rotation, position = hand(UR5E)
    decode = decoder_of(UR5E, 'end_effector_delta', frame=frame, relative_to=relative_to)
    targets, _ = decode(np.tile([0.01, 0, 0, 0, 0, 0], (4, 1)), UR5E.poses['ready'])
    axis = rotation[:, 0] if frame == 'tool' else np.array([1.0, 0.0, 0.0])
    count = 4 if relative_to == 'previous' else 1
    assert hand(UR5E, targets[-1])[1] - position == pytest.approx(count * 0.01 * axis, abs=3e-4)


@pytest.mark.parametrize('frame', ['base', 'tool'])
def test_a_delta_turns_about_the_declared_axes(frame):
    rotation, position = hand(UR5E)
    turn = pinocchio.exp3(np.array([0.0, 0.0, 0.2]))
    row = np.array([0, 0, 0, 0, 0, 0.2])
    targets, _ = decoder_of(UR5E, 'end_effector_delta', frame=frame)(row[None], UR5E.poses['ready'])
    wanted = rotation @ turn if frame == 'tool' else turn @ rotation
    found, at = hand(UR5E, targets[-1])
    assert found == pytest.approx(wanted, abs=2e-3)
    assert at == pytest.approx(position, abs=3e-4)


def test_a_pose_may_be_given_in_another_frame_of_the_robot():
    """The humanoid's left hand in the frame of its torso, which the arm does not move."""
    joints = tuple(HUMANOID.joint_names[j] for j in HUMANOID.groups['left_arm'])
    space = CartesianSpace((EndEffector('left_hand', 'none'),), 'torso', (0.02, 0.1))
    decode = ActionDecoder(
        ActionSpace('end_effector_pose', joints, cartesian=space), HUMANOID, STEP, ''
    )
    q = HUMANOID.poses['ready'].copy()
    kinematics = HUMANOID.kinematics()
    kinematics.update(q)
    (torso, at), (_, there) = kinematics.frame('torso'), kinematics.frame('left_hand')
    local = torso.T @ (there + [0.0, 0.03, 0.02] - at)
    targets, error = decode(np.tile(local, (4, 1)), q)
    q[HUMANOID.groups['left_arm']] = targets[-1]
    kinematics.update(q)
    assert kinematics.frame('left_hand')[1] == pytest.approx(there + [0.0, 0.03, 0.02], abs=3e-4)
    assert not error.reason


def test_two_hands_move_in_one_action():
    names = (*HUMANOID.groups['left_arm'], *HUMANOID.groups['right_arm'])
    joints = tuple(HUMANOID.joint_names[j] for j in names)
    hands = (EndEffector('left_hand', 'rotation_vector'), EndEffector('right_hand', 'none'))
    space = ActionSpace(
        'end_effector_delta', joints, cartesian=CartesianSpace(hands, 'base', (0.02, 0.1))
    )
    q = HUMANOID.poses['ready'].copy()
    kinematics = HUMANOID.kinematics()
    kinematics.update(q)
    before = [kinematics.frame(one.frame)[1] for one in hands]
    row = np.array([0.0, 0.02, 0.02, 0, 0, 0, 0.01, -0.02, 0.03])
    targets, error = ActionDecoder(space, HUMANOID, STEP, '')(np.tile(row, (4, 1)), q)
    q[[HUMANOID.index[name] for name in joints]] = targets[-1]
    kinematics.update(q)
    assert kinematics.frame('left_hand')[1] - before[0] == pytest.approx(row[:3], abs=3e-4)
    assert kinematics.frame('right_hand')[1] - before[1] == pytest.approx(row[6:], abs=3e-4)
    assert error.position < 3e-4


def test_velocities_and_deltas_of_joints_add_up_from_the_observed_posture():
    q, names = UR5E.poses['ready'], arm(UR5E)[:2]
    values = np.array([[0.5, -1.0], [0.5, -1.0], [0.0, 2.0]])
    velocity = ActionDecoder(ActionSpace('joint_velocity', names), UR5E, STEP, '')(values, q)[0]
    assert velocity == pytest.approx(q[:2] + STEP * np.cumsum(values, axis=0))
    previous = ActionSpace('joint_delta', names, 'previous')
    assert ActionDecoder(previous, UR5E, STEP, '')(values, q)[0] == pytest.approx(
        q[:2] + np.cumsum(values, axis=0)
    )
    observed = ActionSpace('joint_delta', names)
    assert ActionDecoder(observed, UR5E, STEP, '')(values, q)[0] == pytest.approx(q[:2] + values)


def test_ignored_columns_may_hold_anything_and_change_nothing():
    row = np.array([0.01, 0, 0, 0, 0, 0])
    plain, _ = decoder_of(UR5E, 'end_effector_delta')(row[None], UR5E.poses['ready'])
    wide = np.insert(row, 3, np.nan)
    decode = decoder_of(UR5E, 'end_effector_delta', ignore=(3,))
    assert np.array_equal(decode(wide[None], UR5E.poses['ready'])[0], plain)


def test_a_pose_out_of_reach_is_reported_as_one_that_the_robot_cannot_follow():
    rotation, position = hand(UR5E)
    row = np.concatenate([position + [2.0, 0, 0], rows_of(rotation[None], 'rpy')[0]])
    _, error = decoder_of(UR5E, 'end_effector_pose', 'rpy')(
        np.tile(row, (10, 1)), UR5E.poses['ready']
    )
    assert error.position > 1.0
    assert error.reason.startswith('cannot follow: hand stays ')


QUATERNION = np.array([0.3, 0.2, 0.4, 1.0, 0.0, 0.0, 0.0])
BAD = [
    ('NaN', QUATERNION * [1, np.nan, 1, 1, 1, 1, 1], 'not finite: hand'),
    ('infinite', QUATERNION + [np.inf, 0, 0, 0, 0, 0, 0], 'not finite: hand'),
    ('a short quaternion', QUATERNION * [1, 1, 1, 0.5, 1, 1, 1], 'quaternion of length 0.5'),
    ('no quaternion', QUATERNION * [1, 1, 1, 0, 1, 1, 1], 'quaternion of length 0'),
    ('millimetres', QUATERNION * [1000, 1, 1, 1, 1, 1, 1], 'hand is to be 300 m away'),
    ('a wrong width', QUATERNION[:6], r'shape \(3, 6\), wanted \(points, 7\)'),
]


@pytest.mark.parametrize(
    ('row', 'reason'), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_a_row_that_is_no_pose_is_rejected_with_its_reason(row, reason):
    decode = decoder_of(UR5E, 'end_effector_pose', 'quaternion_wxyz')
    rows = np.tile(row, (3, 1))
    with pytest.raises(PolicyError, match=reason):
        decode(rows, UR5E.poses['ready'])


@pytest.mark.parametrize('form', ['rot6d_rows', 'rot6d_columns'])
def test_six_numbers_that_are_parallel_or_nothing_are_no_rotation(form):
    for six in ([1, 0, 0, 2, 0, 0], [0, 0, 0, 0, 1, 0]):
        with pytest.raises(ValueError, match='six numbers'):
            matrices(np.array([six], float), form)


def test_degrees_are_no_rotation():
    with pytest.raises(ValueError, match='90 rad'):
        matrices(np.array([[90.0, 0.0, 0.0]]), 'rpy')


def read(**keys):
    f = ConfigReader('policy.yaml', keys, 'outputs.action')
    space = read_action_space(f, read_kind(f), ('shoulder_pan_joint', 'wrist_1_joint'))
    f.close()
    return space


REFUSED = [
    ('a moving base', {'kind': 'base_velocity'}, 'no robot here has a base that moves'),
    ('no end effector', {'kind': 'end_effector_pose'}, 'outputs.action.end_effectors'),
    (
        'a form of rotations that nobody knows',
        {'kind': 'end_effector_pose', 'end_effectors': {'hand': 'euler'}},
        'outputs.action.end_effectors.hand: found euler, wanted one of quaternion_wxyz',
    ),
    (
        'a pose relative to the tool',
        {'kind': 'end_effector_pose', 'end_effectors': {'hand': 'rpy'}, 'frame': 'tool'},
        'relative to the tool is kind end_effector_delta',
    ),
    (
        'an ignored column beyond the last',
        {'kind': 'joint_velocity', 'ignore': [5]},
        'outputs.action.ignore: found 5, wanted columns from 0 to 2: 2 are used',
    ),
    (
        'a frame for joints',
        {'kind': 'joint_velocity', 'frame': 'base'},
        'outputs.action.frame: found an unknown key',
    ),
    (
        'deltas from elsewhere',
        {'kind': 'joint_delta', 'relative_to': 'start'},
        'outputs.action.relative_to: found start, wanted one of observed, previous',
    ),
]


@pytest.mark.parametrize(('case', 'keys', 'message'), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_malformed_action_space_is_refused_by_key(case, keys, message):
    with pytest.raises(ConfigError) as found:
        read(**keys)
    assert message in str(found.value)
    documented('Action spaces', case, found.value)


ON_ROBOT = [
    ('unknown end effector', {'frame_': 'gripper'}, 'end_effectors.gripper: found gripper, no end'),
    ('unknown frame', {'frame': 'hnad'}, 'frame: found hnad, no frame of this robot'),
    (
        'joints that move no end effector',
        {'joints': ('left_elbow', 'right_elbow')},
        'found right_elbow',
    ),
    ('an end effector at rest', {'joints': ('right_elbow',)}, 'that none of the joints moves'),
    ('a reference that moves along', {'frame': 'left_palm'}, 'moved by left_elbow'),
]


@pytest.mark.parametrize(('case', 'keys', 'message'), ON_ROBOT, ids=[case[0] for case in ON_ROBOT])
def test_an_action_that_does_not_fit_the_robot_is_refused_by_name(case, keys, message):
    end = EndEffector(keys.get('frame_', 'left_hand'), 'rpy')
    cartesian = CartesianSpace((end,), keys.get('frame', 'base'), (0.02, 0.1))
    space = ActionSpace(
        'end_effector_pose', keys.get('joints', ('left_elbow',)), cartesian=cartesian
    )
    with pytest.raises(ConfigError) as found:
        ActionDecoder(space, HUMANOID, STEP, 'policy.yaml')
    assert message in str(found.value)
    documented('Action spaces', case, found.value)


def check_chunk(robot, space, targets, q):
    """Positions in limits, or no further out than the start; steps within the velocity limits."""
    at = [robot.joint_names.index(name) for name in space.joints]
    assert np.isfinite(targets).all()
    path = np.vstack([q[at], targets])
    assert (np.abs(np.diff(path, axis=0)) <= STEP * robot.limits.velocity[at] + 1e-9).all()
    assert (targets >= np.minimum(robot.limits.lower[at], q[at]) - 1e-9).all()
    assert (targets <= np.maximum(robot.limits.upper[at], q[at]) + 1e-9).all()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(['ur5e', 'panda', 'humanoid32']))
def test_hostile_chunks_of_poses_are_rejected_or_stay_in_the_limits(seed, name):
    robot = {'ur5e': UR5E, 'panda': PANDA, 'humanoid32': HUMANOID}[name]
    rng = np.random.default_rng(seed)
    space = hostile_space(robot, str(rng.choice(KINDS[3:])), rng)
    decode, hostile = ActionDecoder(space, robot, STEP, ''), HostileActions(robot, space, rng)
    q = rng.uniform(robot.limits.lower - 0.1, robot.limits.upper + 0.1)
    try:
        targets, error = decode(hostile.values(q), q)
    except PolicyError:
        return
    check_chunk(robot, space, targets, q)
    assert np.isfinite(dataclasses.astuple(error)[:3]).all()


def test_a_seeded_campaign_of_hostile_chunks_from_where_the_last_one_ended():
    rng = np.random.default_rng(20261201)
    rejected = followed = lost = 0
    for robot in (UR5E, PANDA, HUMANOID):
        for kind in KINDS[3:]:
            q = robot.poses['standing'].copy()
            space = hostile_space(robot, kind, rng)
            decode = ActionDecoder(space, robot, STEP, '')
            hostile = HostileActions(robot, space, rng)
            at = [robot.joint_names.index(name) for name in space.joints]
            for _ in range(40):
                try:
                    targets, error = decode(hostile.values(q), q)
                except PolicyError:
                    rejected += 1
                    continue
                check_chunk(robot, space, targets, q)
                followed += not error.reason
                lost += bool(error.reason)
                q[at] = targets[-1]
    # It is an attack only if each happens often.
    assert rejected > 10 and lost > 50 and followed > 10
