# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Levels, causes, falls."""

import dataclasses

import numpy as np
import pytest
from standing import Standing, pushed, verdict_params

from vla_balance.assessment import BalanceAssessment
from vla_balance.estimator import BalanceEstimate
from vla_common.states import Level
from vla_common.testing import bytes_kept

UPRIGHT = BalanceEstimate(
    orientation=np.array([1.0, 0, 0, 0]), tilt=0.0, tilt_rate=0.0,
    com=np.array([0.0, 0.0, 0.8]), com_velocity=np.zeros(3), capture_point=np.zeros(2),
    zmp=np.zeros(2), polygon=np.zeros((4, 2)), margin=0.1, reach_margin=0.1,
    base_height=0.78,
    left_contact=True, right_contact=True, omega=3.5, base_rotation=np.eye(3),
    base_position=np.zeros(3),
)  # fmt: skip


def seen(**changes) -> BalanceEstimate:
    return dataclasses.replace(UPRIGHT, **changes)


def once(**changes):
    return BalanceAssessment(verdict_params()).update(seen(**changes), 0.0)


@pytest.mark.parametrize(
    ('tilt', 'level'), [(0.29, 0), (0.31, 1), (0.41, 2), (0.51, 3), (float('nan'), 3)]
)
def test_tilt_levels(tilt, level):
    verdict = once(tilt=tilt)
    assert verdict.level == level
    assert verdict.cause == ('tilt' if level else '')


def test_a_low_centre_of_mass_is_an_emergency():
    assert once(com=np.array([0, 0, 0.29])).level is Level.EMERGENCY
    assert once(com=np.array([0, 0, 0.29])).cause == 'low_com'
    assert once(com=np.array([0, 0, np.nan])).level is Level.EMERGENCY


def test_the_capture_points_margin_warns_and_then_endangers():
    assert once(margin=0.02).level is Level.SAFE
    assert once(margin=0.01).level is Level.WARNING
    assert once(margin=-0.02).level is Level.DANGER
    assert once(margin=float('nan')).level is Level.DANGER


def test_no_contact_warns_and_is_an_emergency_once_it_lasts():
    assessment = BalanceAssessment(verdict_params(no_contact_time=0.2))
    lost = seen(left_contact=False, right_contact=False, margin=-np.inf)
    assert assessment.update(lost, 0.0).level is Level.WARNING
    assert assessment.update(lost, 0.19).level is Level.WARNING
    verdict = assessment.update(lost, 0.21)
    assert (verdict.level, verdict.cause) == (Level.EMERGENCY, 'no_contact')
    assert assessment.update(seen(), 0.3).findings == ()


def test_levels_rise_at_once_and_fall_with_delay_and_keep_their_cause():
    assessment = BalanceAssessment(verdict_params(level_fall_after=0.5))
    assert assessment.update(seen(tilt=0.45), 0.0).level is Level.DANGER
    verdict = assessment.update(seen(), 0.1)
    assert (verdict.level, verdict.cause, verdict.findings) == (Level.DANGER, 'tilt', ())
    assert assessment.update(seen(), 0.59).level is Level.DANGER
    verdict = assessment.update(seen(), 0.61)
    assert (verdict.level, verdict.cause) == (Level.SAFE, '')


def test_a_fall_is_predicted_when_the_capture_point_stays_outside():
    assessment = BalanceAssessment(verdict_params(fall_margin=0.06, fall_time=0.15))
    out = seen(margin=-0.07, reach_margin=-0.07)
    assert not assessment.update(out, 0.0).falling
    assert not assessment.update(seen(margin=-0.05, reach_margin=-0.05), 0.1).falling
    assert not assessment.update(out, 0.2).falling
    assert assessment.update(out, 0.36).falling


def test_tipping_back_towards_the_foot_in_the_air_is_no_fall():
    assessment = BalanceAssessment(verdict_params(fall_margin=0.06, fall_time=0.15))
    back = seen(margin=-0.09, reach_margin=0.05, right_contact=False)
    assert not assessment.update(back, 0.0).falling
    assert not assessment.update(back, 0.5).falling


def test_lying_has_fallen_by_tilt_or_by_height():
    assert once(tilt=1.2).fallen
    assert once(base_height=0.2).fallen
    assert once(base_height=float('nan')).fallen
    assert not once().fallen
    assert not once(tilt=1.2).falling


@pytest.mark.parametrize('side', ['front', 'back', 'left'])
def test_a_push_that_is_survived_is_no_emergency(side):
    s = pushed(side, 17.0)
    assert not s.world.fallen
    assert max(v.level for v in s.verdicts) < Level.EMERGENCY


@pytest.mark.parametrize('side', ['front', 'back', 'left'])
def test_a_fall_is_predicted_well_before_it_has_happened(side):
    s = pushed(side, 35.0)
    assert s.world.fallen
    predicted = next(i for i, v in enumerate(s.verdicts) if v.falling)
    fallen = next(i for i, v in enumerate(s.verdicts) if v.fallen)
    assert (fallen - predicted) * 0.005 > 0.2
    assert s.verdicts[-1].fallen
    assert s.verdicts[-1].level is Level.EMERGENCY


def test_no_update_keeps_memory():
    standing = Standing()
    states = []
    standing.robot.run(0.2, None, lambda time, state: states.append(state))

    def update():
        nonlocal now
        now += 0.005
        standing.assessment.update(standing.estimator.update(now, *states[-1]), now)

    now = 1.0
    # 200 times a second, 1 byte is 0.7 MB/h.
    assert bytes_kept(update) < 1.0
