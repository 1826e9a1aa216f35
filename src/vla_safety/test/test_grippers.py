# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Grippers in the filter: what is rejected and limited, and that the last safe grip is held."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_robot import load_robot
from vla_safety.chunk import Chunk
from vla_safety.filter import SafetyFilter
from vla_safety.grippers import order_of
from vla_safety.violations import ViolationKind, violation

PANDA = load_robot('panda')
HAND = PANDA.grippers['hand']
FINGERS = HAND.joints


class Hand:
    """The filter with an arm that follows exactly, and fingers that an object stops.

      |<- object, 40 mm ->|      a finger of the real hand lies against it at q = 0.02 m, while
    [=]                   [=]    its command goes on to where the grip force is reached
    """

    def __init__(self, parameters, width=0.04):
        self.filter = SafetyFilter(PANDA, parameters)
        self.width, self.now, self.stamp = width, 10.0, 1
        self.q, self.v = PANDA.poses['ready'].copy(), np.zeros(PANDA.n)
        self.filter.reset(self.q)
        self.outputs = []

    def order(self, opening, force=0.0, speed=0.0, name='hand', age=0.0):
        self.stamp += 1
        order = order_of([name], [opening], [force], [speed])
        return self.filter.grippers.admit(order, self.stamp, age)

    def close_by_chunk(self, opening=0.0):
        positions = np.tile(HAND.joint_positions(opening), (20, 1))
        times = 0.1 * np.arange(1, 21)
        return self.filter.accept(Chunk(FINGERS, times, positions, self.now), self.now, self.q)

    def run(self, seconds, **kwargs):
        for _ in range(round(seconds / 0.01)):
            self.now += 0.01
            output = self.filter.tick(self.now, 0.01, self.q, self.v, **kwargs)
            self.q = output.position.copy()
            self.q[FINGERS] = np.maximum(self.q[FINGERS], 0.5 * self.width)
            self.outputs.append(output)
        return output

    def force(self, output):
        """N that the servos turn the command into."""
        return float((PANDA.servo.kp * (self.q - output.position))[FINGERS].mean())


def test_an_order_closes_with_the_grip_force_of_robot_yaml_and_not_more(parameters):
    hand = Hand(parameters)
    assert hand.order(0.0) == []
    output = hand.run(3.0)
    wanted = HAND.grip_force * parameters.effort_fraction
    assert hand.force(output) == pytest.approx(wanted, rel=0.05)
    assert max(map(hand.force, hand.outputs)) <= wanted * 1.001


@settings(max_examples=15)
@given(st.floats(1.0, 70.0), st.floats(0.01, 0.1), st.sampled_from([0.02, 0.04, 0.06]))
def test_force_and_speed_of_an_order_are_never_exceeded(parameters, force, speed, width):
    hand = Hand(parameters, width)
    assert hand.order(0.0, force, speed) == []
    hand.run(2.0)
    speeds = [np.abs(o.velocity[FINGERS]).max() for o in hand.outputs]
    assert max(speeds) <= 0.5 * speed + 1e-9
    assert max(map(hand.force, hand.outputs)) <= force + 1e-6


def test_a_grip_is_counted_and_is_no_intervention(parameters):
    hand = Hand(parameters)
    hand.order(0.0)
    hand.run(2.0)
    output = hand.run(0.1)
    assert output.counts[ViolationKind.GRIP_FORCE] == 2
    assert not output.changed
    assert output.level == 0


@pytest.mark.parametrize(
    ('given', 'kind', 'subject'),
    [
        ({'opening': np.nan}, ViolationKind.NOT_FINITE, 'hand opening'),
        ({'opening': 0.0, 'force': np.inf}, ViolationKind.NOT_FINITE, 'hand force'),
        ({'opening': 0.2}, ViolationKind.IMPLAUSIBLE, 'hand opening'),
        ({'opening': -0.05}, ViolationKind.IMPLAUSIBLE, 'hand opening'),
        ({'opening': 0.0, 'force': 71.0}, ViolationKind.IMPLAUSIBLE, 'hand force'),
        ({'opening': 0.0, 'force': -1.0}, ViolationKind.IMPLAUSIBLE, 'hand force'),
        ({'opening': 0.0, 'speed': 1.0}, ViolationKind.IMPLAUSIBLE, 'hand speed'),
        ({'opening': 0.0, 'name': 'foot'}, ViolationKind.UNKNOWN_JOINT, 'gripper foot'),
        ({'opening': 0.0, 'age': 1.0}, ViolationKind.STALE, 'gripper command'),
        ({'opening': 0.0, 'age': -1.0}, ViolationKind.FUTURE, 'gripper command'),
        ({'opening': 0.0, 'age': np.nan}, ViolationKind.STALE, 'gripper command'),
    ],
)
def test_what_cannot_be_trusted_is_rejected_and_the_last_grip_is_held(
    parameters, given, kind, subject
):
    hand = Hand(parameters)
    hand.order(0.0)
    before = hand.run(2.0)
    found = hand.order(**given)
    assert [(item.kind, item.subject) for item in found] == [(kind, subject)]
    assert hand.filter.grippers.rejected == 1
    after = hand.run(1.0)
    assert hand.force(after) == pytest.approx(hand.force(before), rel=0.02)


def test_an_order_that_was_sent_twice_counts_once(parameters):
    hand = Hand(parameters)
    order = order_of(['hand'], [0.0], [], [])
    assert hand.filter.grippers.admit(order, 5, 0.0) == []
    (found,) = hand.filter.grippers.admit(order, 5, 0.0)
    assert found.kind is ViolationKind.REPLAYED


def test_arrays_of_different_length_are_no_order(parameters):
    hand = Hand(parameters)
    (found,) = hand.filter.grippers.admit(order_of(['hand'], [0.0, 0.0], [], []), 9, 0.0)
    assert found.kind is ViolationKind.WRONG_SHAPE


def test_a_chunk_replaces_an_order(parameters):
    hand = Hand(parameters)
    hand.order(0.0)
    hand.run(1.0)
    assert hand.close_by_chunk(0.08) == []
    hand.run(1.5)
    assert hand.q[FINGERS] == pytest.approx([0.04, 0.04], abs=1e-3)


@pytest.mark.parametrize('end', ['horizon', 'stop', 'nan chunk'])
def test_whatever_ends_a_motion_the_grip_is_held(parameters, end):
    hand = Hand(parameters)
    assert hand.close_by_chunk() == []
    before = hand.run(1.9)
    stop = None
    if end == 'stop':
        stop = violation(ViolationKind.STATE_STALE, 'joint_states', 1.0, 0.1)
    elif end == 'nan chunk':
        assert hand.close_by_chunk(np.nan)
    after = hand.run(3.0, stop=stop)
    assert hand.force(after) == pytest.approx(hand.force(before), rel=0.02)
    assert hand.force(after) > 0.8 * HAND.grip_force


def test_a_chunk_without_the_gripper_leaves_the_grip(parameters):
    hand = Hand(parameters)
    hand.order(0.0)
    before = hand.run(2.0)
    arm = PANDA.groups['arm']
    positions = np.tile(hand.q[arm] + 0.05, (20, 1))
    chunk = Chunk(arm, 0.1 * np.arange(1, 21), positions, hand.now)
    assert hand.filter.accept(chunk, hand.now, hand.q) == []
    after = hand.run(1.0)
    assert hand.force(after) == pytest.approx(hand.force(before), rel=0.02)


def test_a_robot_without_grippers_rejects_every_order(parameters):
    from vla_safety.testing.synthetic import SyntheticRobot

    core = SafetyFilter(SyntheticRobot.uniform(), parameters)
    (found,) = core.grippers.admit(order_of(['hand'], [0.0], [], []), 1, 0.0)
    assert found.kind is ViolationKind.UNKNOWN_JOINT
    assert core.grippers.counts == {}
