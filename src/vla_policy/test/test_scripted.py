# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Motions without a model."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_policy.load import load_policy
from vla_policy.scripted_policy import HoldPolicy
from vla_policy.types import ChunkCheck, InstructionRefused
from vla_robot import load_robot

SCRIPTED = Path(__file__).parents[3] / 'models' / 'scripted'
TEXTS = ['hold still', 'wave with the left hand', 'Wave!', 'look around']


@pytest.fixture
def policy(robot):
    return load_policy(SCRIPTED, robot)


@pytest.mark.parametrize(
    ('text', 'motion'),
    [
        ('wave with the left hand', 'left_elbow'),
        ('Please WAVE, with your right hand.', 'right_elbow'),
        ('wave', 'right_elbow'),
        ('look around', 'head_yaw'),
    ],
)
def test_words_choose_the_motion(policy, observe, text, motion):
    start = policy.predict(observe(instruction=text))
    later = policy.predict(observe(instruction=text, elapsed=3.0))
    moved = np.abs(later.positions - start.positions[0]).max(axis=0)
    assert moved[start.joints.index(motion)] > 0.3


def test_unknown_instruction_is_rejected_with_the_known_ones(policy):
    with pytest.raises(InstructionRefused, match=r'no motion for "dance".*wave_left'):
        policy.check('dance')


@pytest.mark.parametrize('text', TEXTS)
def test_motion_is_smooth_within_the_limits_and_comes_back(policy, robot, observe, text):
    """Perfect tracking: each observation is where the last chunk wanted to be."""
    position = robot.poses['standing'].copy()
    start, dt = position.copy(), 0.1
    done, path = False, []
    for k in range(160):
        chunk = policy.predict(observe(instruction=text, position=position, elapsed=k * dt))
        ChunkCheck(robot.joint_names)(chunk)
        index = [robot.index[name] for name in chunk.joints]
        assert (chunk.positions >= robot.limits.lower[index]).all()
        assert (chunk.positions <= robot.limits.upper[index]).all()
        assert np.abs(chunk.positions[0] - position[index]).max() <= 0.3  # 3 rad/s at most
        speed = np.abs(np.diff(chunk.positions, axis=0)) / np.diff(chunk.times)[:, None]
        assert (speed <= robot.limits.velocity[index]).all()
        done = chunk.done
        if done:
            break
        position[index] = chunk.positions[0]
        path.append(position.copy())
    if text == 'hold still':
        assert not done
        np.testing.assert_array_equal(np.array(path), np.tile(start, (len(path), 1)))
    else:
        assert done
        np.testing.assert_allclose(position, start, atol=1e-6)


def test_chunks_made_at_different_moments_agree_where_they_overlap(policy, robot, observe):
    text = 'wave with the left hand'
    first = policy.predict(observe(instruction=text))
    index = [robot.index[name] for name in first.joints]
    position = robot.poses['standing'].copy()
    position[index] = first.positions[4]  # 0.5 s later it is there
    second = policy.predict(observe(instruction=text, position=position, elapsed=0.5))
    np.testing.assert_allclose(second.positions[:-5], first.positions[5:], atol=1e-12)


def test_motion_restarts_from_joints_found_elsewhere(policy, robot, observe):
    text = 'wave with the left hand'
    policy.predict(observe(instruction=text))
    elsewhere = robot.poses['standing'].copy()
    elsewhere[robot.index['left_shoulder_roll']] += 1.0
    chunk = policy.predict(observe(instruction=text, position=elsewhere, elapsed=0.2))
    index = [robot.index[name] for name in chunk.joints]
    assert np.abs(chunk.positions[0] - elsewhere[index]).max() < 0.05


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-0.05, 0.05), min_size=32, max_size=32))
def test_hold_does_not_creep_with_what_is_measured(noise):
    from vla_policy.types import Observation
    from vla_robot import load_robot

    robot = load_robot('humanoid32')
    hold = HoldPolicy(robot)

    def at(position, elapsed):
        return Observation(
            {}, position, np.zeros(32), np.array([1.0, 0, 0, 0]), 'anything', 0, elapsed
        )

    start = robot.poses['standing']
    first = hold.predict(at(start, 0.0))
    again = hold.predict(at(start + np.array(noise), 0.1))
    np.testing.assert_array_equal(first.positions, again.positions)
    index = [robot.index[name] for name in first.joints]
    np.testing.assert_array_equal(first.positions[0], start[index])
    assert not any('hip' in name or 'knee' in name for name in first.joints)


TESTBOT = Path(__file__).parents[2] / 'vla_robot' / 'test' / 'testbot'


@pytest.fixture
def testbot():
    return load_robot(TESTBOT)


def carry_out(policy, robot, observe, text):
    """The last chunk, and all positions, of a robot that follows exactly, from standing."""
    policy.reset()
    position, path = robot.poses['standing'].copy(), []
    blank = dataclasses.replace(observe(instruction=text), velocity=np.zeros(robot.n))
    for elapsed in np.arange(0.0, 15.0, 1.6):
        chunk = policy.predict(dataclasses.replace(blank, position=position, elapsed=elapsed))
        ChunkCheck(robot.joint_names)(chunk)
        position = position.copy()
        position[[robot.index[name] for name in chunk.joints]] = chunk.positions[-1]
        path.append(chunk.positions)
    return chunk, np.vstack(path)


def test_the_bundle_fits_any_robot_by_its_groups_poses_and_hands(observe, testbot):
    policy = load_policy(SCRIPTED, testbot)
    chunk, _ = carry_out(policy, testbot, observe, 'go to the ready pose')
    assert set(chunk.joints) == set(testbot.joint_names)
    goal = [testbot.poses['ready'][testbot.index[name]] for name in chunk.joints]
    assert np.allclose(chunk.positions[-1], goal, atol=1e-9) and chunk.done
    for text in ('move the left arm', 'please wave with your left hand'):
        chunk, path = carry_out(policy, testbot, observe, text)
        assert set(chunk.joints) == {'lift', 'bend'}, text
        assert (np.abs(path - path[0]).max(axis=0) > 0.05).all() and chunk.done
    with pytest.raises(InstructionRefused, match=r'no motion for "dance".*move_left_arm'):
        policy.check('dance')


def test_a_motion_that_the_robot_lacks_is_refused_not_replaced(testbot):
    policy = load_policy(SCRIPTED, testbot)
    for text in ('wave with the right hand', 'look around'):  # one arm; its head cannot pitch
        with pytest.raises(InstructionRefused) as refused:
            policy.check(text)
        assert 'wave_right' not in str(refused.value)


def test_an_arm_waves_with_its_one_hand_and_has_no_left_one(observe):
    arm = load_robot('ur5e')
    policy = load_policy(SCRIPTED, arm)
    assert policy.bundle.tasks == (
        'hold still', 'wave with the hand', 'move arm', 'move upper body', 'go to standing',
        'go to ready',
    )  # fmt: skip
    chunk, path = carry_out(policy, arm, observe, 'wave with the hand')
    assert set(chunk.joints) == set(arm.joint_names)
    assert (np.abs(path - path[0]).max(axis=0) > 0.05).all() and chunk.done
    with pytest.raises(InstructionRefused):
        policy.check('wave with your left hand')


def test_the_tasks_of_the_bundle_are_those_that_the_robot_can_do(policy, testbot):
    other = load_policy(SCRIPTED, testbot)
    assert other.bundle.tasks == (
        'hold still', 'wave with the left hand', 'move left arm', 'move head', 'move upper body',
        'go to standing', 'go to ready',
    )  # fmt: skip
    named = {task: policy._chosen(task).name for task in policy.bundle.tasks}
    assert named == {
        'hold still': 'hold', 'wave with the left hand': 'wave_left',
        'wave with the right hand': 'wave_right', 'look around': 'look_around',
        'move head': 'move_head', 'move torso': 'move_torso', 'move left arm': 'move_left_arm',
        'move right arm': 'move_right_arm', 'move arms': 'move_arms',
        'move upper body': 'move_upper_body',
    }  # fmt: skip
    for one in (policy, other):
        for task in one.bundle.tasks:
            one.check(task)
        one.check(one.bundle.spec.example)
    # The way to the ready pose of humanoid32 is no straight line: the table is in it.
    with pytest.raises(InstructionRefused):
        policy.check('go to the ready pose')


def test_numbered_and_accented_groups_have_an_instruction_each(testbot):
    groups = {'arm_1': [0], 'arm_2': [1], 'vänster': [2], 'legs': [], 'upper_body': [0, 1, 2]}
    robot = dataclasses.replace(
        testbot, groups={name: np.array(members, int) for name, members in groups.items()}
    )
    policy = load_policy(SCRIPTED, robot)
    for text, joint in (
        ('move arm 2', 'bend'),
        ('move the arm 1', 'lift'),
        ('vänster, move', 'pan'),
    ):
        assert policy._chosen(text).joints == (joint,)
    with pytest.raises(InstructionRefused):
        policy.check('move arm 3')


def test_a_slow_joint_gets_the_time_that_a_pose_needs(observe, testbot):
    velocity = np.array([0.1, 1.0, 1.0])
    limits = dataclasses.replace(testbot.limits, velocity=velocity)
    policy = load_policy(SCRIPTED, dataclasses.replace(testbot, limits=limits))
    motion = policy._chosen('go to ready')
    times = np.arange(0.0, motion.total, 0.01)
    path = motion.positions(testbot.poses['standing'], times)
    assert np.abs(np.diff(path, axis=0) / 0.01).max(axis=0)[0] == pytest.approx(0.05, rel=0.01)
    swing = policy._chosen('move left arm').positions(np.zeros(2), times)
    assert (np.abs(np.diff(swing, axis=0) / 0.01).max(axis=0) <= 0.2 * velocity[:2]).all()


def test_a_robot_without_an_upper_body_is_refused_by_key(testbot):
    groups = {**testbot.groups, 'legs': np.arange(3), 'upper_body': np.array([], int)}
    with pytest.raises(ConfigError, match=r'testbot: groups.upper_body: found no') as error:
        load_policy(SCRIPTED, dataclasses.replace(testbot, groups=groups))
    documented('Scripted policies', 'a robot without an upper body', error.value)
