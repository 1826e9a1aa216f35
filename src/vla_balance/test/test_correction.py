# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the correction is worth, in physics, and its bounds."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standing import PERIOD, ROBOT, SIDES, STANDING, Standing, pushed

from vla_balance.correction import BalanceCorrection
from vla_balance.gains import BalanceGains
from vla_common.errors import ConfigError
from vla_common.states import Level
from vla_common.testing_refusals import documented
from vla_common.yaml_file import ConfigReader, load_yaml
from vla_sim import SensorNoise


@pytest.mark.parametrize('side', SIDES)
def test_it_survives_a_push_of_20_newton_seconds(side):
    assert not pushed(side, 20.0).world.fallen


def feet_apart(s: Standing) -> float:
    kinematics = ROBOT.kinematics()
    kinematics.update(s.world.read().position)
    return kinematics.frame('left_foot')[1][1] - kinematics.frame('right_foot')[1][1]


def test_pushed_from_both_sides_in_turn_it_stands_and_its_feet_stay_apart():
    s = Standing()
    s.run(0.7)
    before = feet_apart(s)
    for side in ('left', 'right'):
        s.push(side, 20.0)
        s.run(2.5)
        assert feet_apart(s) > before - 0.02
    assert not s.world.fallen
    assert max(verdict.level for verdict in s.verdicts) < Level.EMERGENCY


@pytest.mark.parametrize(('bears', 'hovers'), [('left', 'right'), ('right', 'left')])
def test_the_foot_in_the_air_is_carried_as_far_as_the_other_hip_gives_way(bears, hovers):
    gains = dataclasses.replace(BalanceGains.load(ROBOT), carry=1.0, carry_limit=0.05)
    loaded, none = np.array([0.0, 0.0, 520.0, 0.0, 0.0, 0.0]), np.zeros(6)
    wrenches = (loaded, none) if bears == 'left' else (none, loaded)
    turned = {}
    for carry in (0.0, 1.0):
        correction = BalanceCorrection(ROBOT, dataclasses.replace(gains, carry=carry))
        q = STANDING.copy()
        q[ROBOT.index[f'{bears}_hip_roll']] += 0.2
        for _ in range(40):
            offset = correction.update(
                PERIOD, q, np.zeros(ROBOT.n), np.array([1.0, 0, 0, 0]), np.zeros(3), *wrenches,
                STANDING,
            )  # fmt: skip
        turned[carry] = offset[ROBOT.index[f'{hovers}_hip_roll']]
    assert turned[1.0] - turned[0.0] == pytest.approx(0.05)


def test_without_it_the_robot_falls_from_a_push_that_it_would_survive():
    assert pushed('back', 14.0, corrected=False).world.fallen


def test_it_survives_a_push_with_noisy_and_late_sensors():
    s = pushed('back', 15.0, sensor_noise=SensorNoise.typical(), sensor_delay=0.008)
    assert not s.world.fallen


def arms_forward(t: float) -> np.ndarray:
    """Both arms from hanging to horizontal in 0.6 s."""
    a = min(t / 0.6, 1.0)
    reference = STANDING.copy()
    for side in ('left', 'right'):
        reference[ROBOT.index[f'{side}_shoulder_pitch']] = -1.6 * a**3 * (10 - 15 * a + 6 * a * a)
    return reference


def swing(t: float) -> np.ndarray:
    """Both arms back and forth together, 2 rad/s."""
    reference = STANDING.copy()
    for side in ('left', 'right'):
        reference[ROBOT.index[f'{side}_shoulder_pitch']] = -0.5 * np.sin(2 * t)
        reference[ROBOT.index[f'{side}_elbow']] = -0.6 + 0.4 * np.cos(2 * t)
    return reference


@pytest.mark.parametrize('motion', [arms_forward, swing])
def test_it_stands_while_both_arms_move_and_falls_without_the_correction(motion):
    outcome = {}
    for corrected in (True, False):
        s = Standing(corrected)
        s.run(5.0, motion)
        outcome[corrected] = s.world.fallen
    assert outcome == {True: False, False: True}


@pytest.mark.parametrize('side', SIDES)
def test_it_survives_a_push_of_20_newton_seconds_while_both_arms_swing(side):
    s = Standing()
    s.run(1.5, swing)
    s.push(side, 20.0)
    s.run(2.5, swing)
    assert not s.world.fallen
    # Nor is it taken for a fall: an e-stop would damp the robot that has just saved itself.
    assert max(verdict.level for verdict in s.verdicts) < Level.EMERGENCY


def test_standing_quietly_it_settles_where_it_wants_the_capture_point():
    s = Standing()
    s.run(5.0)
    assert np.abs(s.correction.error).max() < 0.003
    assert np.abs(s.estimates[-1].com_velocity).max() < 0.005


def test_nothing_of_it_acts_on_a_robot_in_the_air():
    correction = BalanceCorrection(ROBOT, BalanceGains.load(ROBOT))
    zeros, n = np.zeros(6), ROBOT.n
    tilted = np.array([np.cos(0.2), 0.0, np.sin(0.2), 0.0])
    offset = correction.update(
        PERIOD, STANDING, np.zeros(n), tilted, np.zeros(3), zeros, zeros, STANDING
    )
    assert not offset.any()


@given(
    pitch=st.floats(-0.6, 0.6),
    roll=st.floats(-0.6, 0.6),
    rate=st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=3),
)
@settings(max_examples=60, deadline=None)
def test_it_touches_the_legs_only_and_is_finite(pitch, roll, rate):
    correction = BalanceCorrection(ROBOT, BalanceGains.load(ROBOT))
    w = np.array([0.0, 0.0, 260.0, 0.0, 0.0, 0.0])
    q = np.array([1.0, roll / 2, pitch / 2, 0.0])
    q /= np.linalg.norm(q)
    offset = correction.update(
        PERIOD, STANDING, np.zeros(ROBOT.n), q, np.array(rate), w, w, STANDING
    )
    assert np.isfinite(offset).all()
    upper = ROBOT.groups['upper_body']
    assert not offset[upper].any()


@pytest.mark.parametrize('lean', [-0.06, 0.06])
def test_leaning_forward_the_toes_press_and_the_pelvis_goes_back(lean):
    """And the other way round leaning backward."""
    w = np.array([0.0, 0.0, 260.0, 0.0, 0.0, 0.0])
    zeros, n = np.zeros(3), ROBOT.n
    correction = BalanceCorrection(ROBOT, BalanceGains.load(ROBOT))
    q = np.array([np.cos(lean / 2), 0.0, np.sin(lean / 2), 0.0])
    offset = correction.update(PERIOD, STANDING, np.zeros(n), q, zeros, w, w, STANDING)
    assert np.sign(correction.error[0]) == np.sign(lean)
    assert np.sign(offset[ROBOT.index['left_ankle_pitch']]) == np.sign(lean)
    # Seen from the pelvis the feet go the way of the lean.
    kinematics = ROBOT.kinematics()
    kinematics.update(STANDING)
    before = kinematics.frame('left_foot')[1][0]
    legs = np.zeros(n)
    hip, knee = ROBOT.index['left_hip_pitch'], ROBOT.index['left_knee']
    legs[[hip, knee]] = offset[[hip, knee]]
    kinematics.update(STANDING + legs)
    assert np.sign(kinematics.frame('left_foot')[1][0] - before) == np.sign(lean)


def fields(**changes) -> ConfigReader:
    file = ROBOT.directory / 'robot.yaml'
    return ConfigReader(file, load_yaml(file)['balance'] | changes, 'balance')


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'ankle': [1.0]}, 'balance.ankle'),
        ({'hip_limit': 'much'}, 'balance.hip_limit: found much'),
        ({'integral': -1.0}, 'balance.integral'),
        ({'carry': -1.0}, 'balance.carry'),
        ({'anckle': [1.0, 1.0]}, 'anckle'),
    ],
)
def test_a_bad_gain_is_named(change, words):
    with pytest.raises(ConfigError, match=words):
        BalanceGains.from_fields(fields(**change))


def test_a_robot_without_gains_is_named(tmp_path):
    (tmp_path / 'robot.yaml').write_text('name: x\n')
    robot = dataclasses.replace(ROBOT, directory=tmp_path)
    with pytest.raises(ConfigError, match='balance: found nothing') as error:
        BalanceGains.load(robot)
    documented('Robot directories', 'no gains of the balance', error.value, tmp_path)


def no_left_leg(robot):
    groups = {name: joints for name, joints in robot.groups.items() if name != 'left_leg'}
    return dataclasses.replace(robot, groups=groups)


def a_leg_that_only_turns(robot):
    yaw = np.array([robot.index['right_hip_yaw']])
    return dataclasses.replace(robot, groups={**robot.groups, 'right_leg': yaw})


def limp_ankles(robot):
    kp = robot.servo.kp.copy()
    kp[robot.index['left_ankle_roll']] = 0.0
    return dataclasses.replace(robot, servo=dataclasses.replace(robot.servo, kp=kp))


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (no_left_leg, 'groups.left_leg: found nothing'),
        (a_leg_that_only_turns, r'groups.right_leg: found none, wanted a joint about y'),
        (limp_ankles, 'servos: found kp 0 of left_ankle_roll'),
    ],
)
def test_legs_that_cannot_balance_are_refused_by_key(change, words):
    with pytest.raises(ConfigError, match=words) as error:
        BalanceCorrection(change(ROBOT), BalanceGains.load(ROBOT))
    if change is no_left_leg:
        documented(
            'Robot directories', 'feet without a group left_leg', error.value, ROBOT.directory
        )
