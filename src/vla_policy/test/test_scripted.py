# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Motions without a model."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_policy.load import load_policy
from vla_policy.scripted_policy import HoldPolicy
from vla_policy.types import ChunkCheck, InstructionRefused

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
