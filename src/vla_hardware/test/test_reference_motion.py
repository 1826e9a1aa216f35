# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Properties of the reference: continuous, inside the limits, never faster than allowed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import PERIOD, ROBOT

from vla_common.states import Behaviour
from vla_hardware.reference_motion import ReferenceMotion

LOWER, UPPER = ROBOT.limits.lower, ROBOT.limits.upper
SPEED, ACCELERATION = ROBOT.limits.velocity, ROBOT.limits.acceleration
STANDING = ROBOT.poses['standing']
PATHS = [ROBOT.waypoints(pose) for pose in ROBOT.paths]


def motion(duration: float = 2.0, paths=PATHS) -> ReferenceMotion:
    return ReferenceMotion(LOWER, UPPER, SPEED, ACCELERATION, STANDING, duration, paths)


def fractions() -> st.SearchStrategy:
    return st.lists(st.floats(0.0, 1.0), min_size=ROBOT.n, max_size=ROBOT.n).map(np.array)


def inside(fraction: np.ndarray) -> np.ndarray:
    return LOWER + fraction * (UPPER - LOWER)


@given(fraction=fractions(), duration=st.floats(0.1, 3.0))
@settings(max_examples=40, deadline=None)
def test_stand_ends_in_the_standing_pose_and_never_exceeds_a_velocity_limit(fraction, duration):
    m = motion(duration)
    m.restart(inside(fraction))
    m.switch(Behaviour.STAND, m.position)
    before = m.position.copy()
    for _ in range(6000):
        m.tick(PERIOD, before)
        assert (np.abs(m.position - before) <= SPEED * PERIOD * (1 + 1e-6)).all()
        assert (np.abs(m.velocity) <= SPEED * (1 + 1e-6)).all()
        assert (m.position >= LOWER - 1e-12).all()
        assert (m.position <= UPPER + 1e-12).all()
        before = m.position.copy()
        if m.resting:
            break
    assert m.resting
    np.testing.assert_allclose(m.position, STANDING)


def test_stand_takes_the_time_it_is_given_where_the_limits_allow_it():
    m = motion(2.0)
    start = STANDING.copy()
    start[ROBOT.index['left_elbow']] -= 0.5
    m.restart(start)
    m.switch(Behaviour.STAND, start)
    ticks = 0
    while not m.resting:
        m.tick(PERIOD, start)
        ticks += 1
    assert ticks * PERIOD == pytest.approx(2.0, abs=0.02)


def test_stand_from_hands_above_the_table_goes_back_through_the_poses_that_led_there():
    m = motion()
    m.restart(ROBOT.poses['ready'])
    m.switch(Behaviour.STAND, m.position)
    nearest = np.inf
    while not m.resting:
        m.tick(PERIOD, m.position)
        nearest = min(nearest, np.abs(m.position - ROBOT.poses['tucked']).max())
    assert nearest < 1e-6


def test_stand_from_hanging_arms_goes_straight():
    m = motion()
    start = STANDING.copy()
    start[ROBOT.index['left_shoulder_pitch']] = 0.3
    m.restart(start)
    m.switch(Behaviour.STAND, start)
    still = np.delete(np.arange(ROBOT.n), ROBOT.index['left_shoulder_pitch'])
    while not m.resting:
        m.tick(PERIOD, start)
        np.testing.assert_array_equal(m.position[still], STANDING[still])


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_every_switch_of_behaviour_is_continuous_in_the_reference(data):
    """In any order of behaviours, one tick moves no joint further than its speed limit allows;
    after damp and off the reference begins where the joints are."""
    m = motion(1.0)
    m.restart(inside(data.draw(fractions())))
    measured = m.position.copy()
    for _ in range(data.draw(st.integers(1, 6))):
        behaviour = data.draw(st.sampled_from(list(Behaviour)))
        target = inside(data.draw(fractions()))
        was_passive = m.behaviour.passive and not behaviour.passive
        before = np.clip(measured, LOWER, UPPER) if was_passive else m.position.copy()
        m.switch(behaviour, measured)
        for _ in range(data.draw(st.integers(1, 40))):
            if behaviour is Behaviour.TRACK:
                m.follow(target, np.zeros(ROBOT.n), PERIOD)
            else:
                m.tick(PERIOD, measured)
            if not behaviour.passive:
                assert (np.abs(m.position - before) <= SPEED * PERIOD * (1 + 1e-6)).all()
            assert (m.position >= LOWER).all()
            assert (m.position <= UPPER).all()
            before = m.position.copy()
        measured = inside(data.draw(fractions())) if behaviour.passive else m.position.copy()
        if behaviour.passive:
            m.tick(PERIOD, measured)


def test_hold_brakes_a_tracked_motion_along_the_acceleration_limit():
    m = motion()
    m.switch(Behaviour.TRACK, m.position)
    joint = ROBOT.index['left_elbow']
    velocity = np.zeros(ROBOT.n)
    velocity[joint] = -2.0
    m.follow(m.position + velocity * PERIOD, velocity, PERIOD)
    m.switch(Behaviour.HOLD, m.position)
    speed, start = -2.0, m.position[joint]
    while not m.resting:
        m.tick(PERIOD, m.position)
        assert m.velocity[joint] - speed <= ACCELERATION[joint] * PERIOD + 1e-9
        speed = m.velocity[joint]
    expected = 2.0**2 / (2 * ACCELERATION[joint])
    assert start - m.position[joint] == pytest.approx(expected, rel=0.1)


@given(fraction=fractions(), speed=fractions(), scale=st.floats(0.0, 10.0))
@settings(max_examples=60, deadline=None)
def test_tracking_never_leaves_the_limits_whatever_is_commanded(fraction, speed, scale):
    m = motion()
    m.switch(Behaviour.TRACK, m.position)
    wanted = STANDING + scale * (inside(fraction) - STANDING)
    before = m.position.copy()
    for _ in range(20):
        m.follow(wanted, (speed - 0.5) * scale * SPEED, PERIOD)
        assert (m.position >= LOWER).all()
        assert (m.position <= UPPER).all()
        assert (np.abs(m.position - before) <= SPEED * PERIOD * (1 + 1e-9)).all()
        assert (np.abs(m.velocity) <= SPEED * (1 + 1e-9)).all()
        before = m.position.copy()


def test_a_command_beyond_a_limit_is_counted_and_one_at_the_speed_limit_is_not():
    m = motion()
    m.switch(Behaviour.TRACK, m.position)
    beyond = STANDING.copy()
    beyond[0] = UPPER[0] + 0.1
    assert m.follow(beyond, np.zeros(ROBOT.n), PERIOD) == 1
    m.restart(STANDING)
    # Commands come at 100 Hz: one at the speed limit is two ticks away.
    fast = STANDING.copy()
    fast[0] += SPEED[0] * 2 * PERIOD
    assert m.follow(fast, np.zeros(ROBOT.n), PERIOD) == 0
