# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Every command satisfies the box, and a full brake inside it always exists."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_safety.box_limits import BoxLimits, stopping_speed
from vla_safety.testing.box_oracle import BoxOracle
from vla_safety.testing.synthetic import SyntheticRobot

#: From far too short to far too long, as timers under load and stalled processes give them.
periods = st.lists(
    st.one_of(st.floats(1e-4, 0.2), st.sampled_from([1e-4, 0.005, 0.01, 0.01, 0.03, 0.2])),
    min_size=1,
    max_size=60,
)
wishes = st.floats(-1e3, 1e3)


def make_box(robot: SyntheticRobot, lag: float = 1.0, max_period: float = 0.03) -> BoxLimits:
    limits = robot.limits
    return BoxLimits(
        limits.lower + robot.soft_margin,
        limits.upper - robot.soft_margin,
        limits.velocity,
        limits.acceleration,
        lag=lag,
        max_period=max_period,
    )


@given(
    seed=st.integers(0, 10_000),
    lag=st.sampled_from([0.0, 1.0, 4.0]),
    start=st.floats(0.0, 1.0),
    steps=st.lists(st.tuples(st.floats(1e-4, 0.2), wishes, st.floats(0, 1)), max_size=80),
    torque=st.booleans(),
)
def test_every_command_keeps_the_box_whatever_is_wanted_at_whatever_jitter(
    seed, lag, start, steps, torque
):
    robot = SyntheticRobot.random(3, seed)
    box = make_box(robot, lag)
    rng = np.random.default_rng(seed)
    oracle = BoxOracle(robot, 1.0, 1.0, 1.0, box.max_period, rng, brake_every=5)
    position = box.lower + start * (box.upper - box.lower)
    box.reset(position)
    oracle.reset(position)
    for dt, wish, scale in steps:
        period = box.elapse(dt)
        reach = None
        if torque:
            centre = rng.uniform(-3, 3, 3)
            reach = np.array((centre - 0.1, centre + 0.1))
        box.bound(period, scale, reach)
        assert (box.low <= box.brake).all()
        assert (box.brake <= box.high).all()
        wanted = wish * rng.choice([-1.0, 1.0], 3)
        box.commit(np.clip(wanted, box.low, box.high), period)
        oracle.check(dt, box.position, box.velocity, np.zeros(3))
    assert not oracle.found, oracle.first


@given(seed=st.integers(0, 10_000), wish=st.sampled_from([-1e6, 1e6]), brake=periods)
def test_from_a_state_driven_into_a_limit_any_sequence_of_periods_brakes_inside(seed, wish, brake):
    robot = SyntheticRobot.random(4, seed)
    box = make_box(robot, lag=0.0)
    box.reset((box.lower + box.upper) / 2)
    for _ in range(seed % 200):
        period = box.elapse(0.01)
        box.bound(period, 1.0)
        box.commit(np.clip(np.full(4, wish), box.low, box.high), period)
    for dt in brake * 3:
        period = box.elapse(dt)
        box.bound(period, 1.0)
        box.commit(box.brake, period)
        assert (box.position >= box.lower - 1e-9).all()
        assert (box.position <= box.upper + 1e-9).all()


@given(distance=st.floats(0, 10), rate=st.floats(0.1, 200), period=st.floats(0, 0.2), later=periods)
def test_stopping_speed_stops_within_the_distance(distance, rate, period, later):
    #  v |‾‾‾‾‾\            one period at v, then lowered by rate
    #    |      \
    #    +-------\---- t    area = v·T + v²/2a = distance
    v = float(stopping_speed(np.array([distance]), np.array([rate]), period)[0])
    travelled = v * period
    assert travelled + v * v / (2 * rate) == pytest.approx(distance, abs=1e-9, rel=1e-6)
    for h in later * 10:
        v = max(0.0, v - rate * h)
        travelled += v * h
    assert travelled <= distance + 1e-9


def test_a_joint_driven_into_its_limit_stops_before_it():
    #  position            velocity
    #  1.0 ---------===    2 |   /‾‾\          up at a, along v_max,
    #             /          |  /    \         down along the braking distance:
    #         ,-'            | /      \        v² = 2·a·(1 − p), so that at p = 1: v = 0
    #  0  --'            0   |/        \__
    box = make_box(SyntheticRobot.uniform(1), lag=0.0)
    box.reset(np.zeros(1))
    track = []
    for _ in range(200):
        box.bound(0.01, 1.0)
        box.commit(box.high, 0.01)
        track.append((box.position[0], box.velocity[0]))
    positions, velocities = np.array(track).T
    assert velocities.max() == pytest.approx(2.0)
    assert positions.max() <= 1.0 + 1e-12
    assert positions[-1] == pytest.approx(1.0, abs=0.5 * 10 * 0.01**2 + 1e-6)  # ½·a·T²
    braking = (positions > 0.8) & (velocities > 1e-3)
    assert (velocities[braking] ** 2 <= 2 * 10 * (1.0 - positions[braking]) + 1e-9).all()
    # The naive bound (limit − q)/dt, with the same acceleration limit, overshoots by v²/2a.
    p, v = 0.0, 0.0
    naive = []
    for _ in range(200):
        v = float(np.clip((1.0 - p) / 0.01, max(v - 0.1, -2.0), min(v + 0.1, 2.0)))
        p += v * 0.01
        naive.append(p)
    assert max(naive) > 1.1


def test_a_gap_of_200_ms_is_not_leapt_over_and_costs_no_more_speed_than_a_brake():
    box = make_box(SyntheticRobot.uniform(1), max_period=0.03)
    box.reset(np.array([-0.5]), np.array([2.0]))
    before = box.position.copy()
    period = box.elapse(0.2)
    box.bound(period, 1.0)
    box.commit(box.high, period)
    assert period == 0.03
    # 0.17 s of excess at 10 rad/s² take 1.7 rad/s away; 0.03 s may give 0.3 back.
    assert box.velocity[0] == pytest.approx(0.6)
    assert (box.position - before)[0] == pytest.approx(0.6 * 0.03)


def test_a_joint_that_starts_beyond_its_limit_may_come_back_but_not_go_further():
    box = make_box(SyntheticRobot.uniform(1))
    box.reset(np.array([1.2]), np.array([0.5]))
    assert box.velocity[0] == 0.0
    box.bound(0.01, 1.0)
    assert box.high[0] == 0.0
    assert box.low[0] == pytest.approx(-0.1)


def test_a_lower_speed_scale_slows_down_at_the_acceleration_limit_and_not_faster():
    box = make_box(SyntheticRobot.uniform(1, reach=10.0))
    box.reset(np.zeros(1), np.array([2.0]))
    speeds = []
    for _ in range(20):
        box.bound(0.01, 0.25)
        box.commit(box.high, 0.01)
        speeds.append(box.velocity[0])
    assert np.diff([2.0, *speeds]).min() >= -0.1 - 1e-12
    assert speeds[-1] == pytest.approx(0.5)


def test_the_torque_bound_never_drags_a_command_that_rests():
    box = make_box(SyntheticRobot.uniform(1))
    box.reset(np.array([0.5]))
    pushed = np.array([-0.8])  # the joint was pushed far away: window far from the command
    box.bound(0.01, 1.0, np.array((pushed - 0.1, pushed + 0.1)))
    assert box.low[0] < 0.0  # may go back to the joint
    assert box.high[0] == 0.0  # may stay, must not go further away


@pytest.mark.parametrize(
    'change',
    [
        {'lower': np.array([1.0])},
        {'upper': np.array([np.nan])},
        {'velocity': np.array([0.0])},
        {'acceleration': np.array([np.inf])},
    ],
)
def test_invalid_limits_are_rejected(change):
    limits = {
        'lower': np.array([-1.0]),
        'upper': np.array([1.0]),
        'velocity': np.array([1.0]),
        'acceleration': np.array([1.0]),
    }
    with pytest.raises(ValueError, match='limits must be'):
        BoxLimits(**{**limits, **change}, lag=1.0, max_period=0.03)
