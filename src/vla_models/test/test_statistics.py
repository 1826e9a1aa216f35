# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The figures of an evaluation: intervals, shares by kind, and the JSON as it is promised."""

from __future__ import annotations

import json

import numpy as np
import pytest

from vla_models.goals import Goals
from vla_models.scenarios import CYCLE, SEEING, make_scenario
from vla_models.statistics import EpisodeOutcome, markdown_of, summarise, wilson
from vla_robot import load_robot

ROBOT = load_robot('humanoid32')
GOALS = Goals(ROBOT)


def outcome(kind: str, success: bool, **others) -> EpisodeOutcome:
    given = {'error': 0.01, 'seconds': 2.0 if success else None, 'path': 0.5, 'fallen': False}
    given |= {'violations': 0, 'interventions': 0} | others
    return EpisodeOutcome(task=f'{kind}_x', kind=kind, success=success, **given)


@pytest.mark.parametrize(('good', 'count'), [(0, 10), (5, 10), (10, 10), (97, 100)])
def test_the_interval_holds_the_share_and_stays_in_0_to_1(good, count):
    low, high = wilson(good, count)
    assert 0.0 <= low <= good / count <= high <= 1.0
    assert high - low < 0.7


def test_the_interval_is_wilson_s():
    # Newcombe (1998), table I: 81 of 263, Wilson's score without continuity correction.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)


def test_the_json_is_as_promised_and_counts_by_kind():
    outcomes = [
        outcome('look', True, interventions=2),
        outcome('look', False, error=float('inf')),
        outcome('stand', True, fallen=True, violations=1),
    ]
    controls = {'expert': [outcome('look', True)], 'blind': [outcome('look', False)], 'deaf': []}
    result = json.loads(json.dumps(summarise(outcomes, controls), allow_nan=False))
    assert set(result) == {'success', 'tasks', 'falls', 'violations', 'controls', 'details'}
    assert result['tasks']['look'] == {
        'success': 0.5,
        'n': 2,
        'ci95': pytest.approx([0.0945, 0.9055]),
    }
    assert result['controls'] == {'expert': 1.0, 'blind': 0.0, 'deaf': None}
    assert (result['falls'], result['violations']) == (1, 1)
    policy = result['details']['policy']
    assert policy['interventions'] == 2
    assert policy['reach_point_look']['n'] == 2
    assert policy['tasks']['look']['median_error'] == 0.01


def test_the_table_has_a_row_for_each_kind_and_for_what_needs_eyes_together():
    outcomes = [outcome('look', True), outcome('reach', False), outcome('wave', True)]
    text = markdown_of(summarise(outcomes, {'expert': outcomes, 'blind': [], 'deaf': []}))
    assert [line.split('|')[1].strip() for line in text.splitlines()[2:7]] == [
        'wave',
        'look',
        'reach',
        'reach, point, look',
        'all',
    ]
    assert '50 % of 2' in text


def test_a_scenario_is_the_same_for_the_same_seed_and_a_misheard_one_asks_for_something_else():
    for number in range(3):
        first, again = (make_scenario(ROBOT, GOALS, 5, number) for _ in range(2))
        assert (first.instruction, first.scene.digest) == (again.instruction, again.scene.digest)
        assert first.misheard != first.instruction
    assert make_scenario(ROBOT, GOALS, 6, 0).scene.digest != first.scene.digest


def test_four_of_five_scenes_are_about_a_cube():
    assert np.mean([kind in SEEING for kind in CYCLE]) == 0.8
