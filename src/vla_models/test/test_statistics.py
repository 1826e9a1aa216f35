# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Statistics of an evaluation: intervals, shares by kind, JSON; and shipped records."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from vla_models.goals import Goals
from vla_models.refusals import WordsOutcome
from vla_models.scenarios import CYCLE, IMAGE_TASKS, SUITES, make_scenario
from vla_models.scenes import possible
from vla_models.statistics import (
    EpisodeOutcome,
    answers_of,
    done_report,
    markdown_of,
    share,
    summarise,
)
from vla_robot import load_robot

ROBOT = load_robot('humanoid32')
GOALS = Goals(ROBOT)
MODELS = Path(__file__).resolve().parents[3] / 'models'


def outcome(kind: str, success: bool, **others) -> EpisodeOutcome:
    given = {'error': 0.01, 'seconds': 2.0 if success else None, 'path': 0.5, 'fallen': False}
    given |= {'violations': 0, 'interventions': 0} | others
    return EpisodeOutcome(task=f'{kind}_x', kind=kind, success=success, **given)


def test_the_json_has_the_documented_fields_and_counts_by_kind():
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


def test_the_table_has_a_row_for_each_kind_and_one_for_the_image_tasks_together():
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


def test_done_counts_what_is_reported_late_early_and_wrongly():
    true = [
        outcome('reach', True, reported=True, held=2.0, ended=2.4),
        outcome('reach', True, reported=True, held=2.0, ended=3.6),  # late
        outcome('reach', True, held=2.0),  # never
        outcome('reach', False, reported=True, ended=1.0),  # wrong
    ]
    impossible = [outcome('reach', True), outcome('reach', False, reported=True)]
    found = done_report(true, impossible)
    assert found['true_reported'] == pytest.approx(1 / 3, abs=1e-3)
    assert found['false_reported'] == pytest.approx(2 / 6, abs=1e-3)
    assert found['latency_s'] == 1.0
    assert (found['true']['n'], found['false']['n']) == (3, 6)
    assert done_report([], [])['true_reported'] is None


def test_answers_are_in_the_json_and_in_the_table():
    some = [outcome('reach', True, reported=True, held=2.0, ended=2.5)]
    suites = {'relations': some, 'two_steps': [outcome('look', False)], 'impossible': some[:0]}
    words = WordsOutcome(200, 190, 400, 4, ('a sentence',))
    found = answers_of(some, suites, words)
    assert found['refusal']['nonsense_refused'] == 0.95
    assert found['refusal']['sense_refused'] == 0.01
    assert found['refusal']['impossible_refused'] is None
    assert found['refusal']['nonsense']['ci95'][0] < 0.95 < found['refusal']['nonsense']['ci95'][1]
    assert found['language']['two_steps']['success'] == 0.0
    result = summarise(some, {'expert': some, 'blind': [], 'deaf': []}) | found
    result['by_seed'] = {'1': share(some), '2': share(some)}
    text = markdown_of(result)
    assert '| nonsense: refused | 95 % of 200 | 91–97 % |' in text
    assert '| seed 2 | 100 % of 1 |' in text and '0.50 s (median)' in text


@pytest.mark.parametrize('suite', sorted(SUITES))
def test_a_scenario_of_language_follows_from_its_seed_and_has_what_it_is_about(suite):
    first, again = (SUITES[suite](ROBOT, GOALS, 5, 3) for _ in range(2))
    assert first == again
    colours = {cube.color for cube in first.scene.cubes}
    assert (first.second is not None) == (suite == 'two_steps')
    assert first.reason == ('out of reach of that hand' if suite == 'impossible' else '')
    assert (first.task.colour in colours) and first.task.has_target
    if suite == 'impossible':
        other = SUITES[suite](ROBOT, GOALS, 5, 4)
        assert other.task.colour not in {cube.color for cube in other.scene.cubes}
        assert other.reason == 'no such cube in view'


@pytest.mark.parametrize('suite', ['', *sorted(SUITES)])
def test_what_is_asked_is_possible_or_not_in_the_world_in_which_the_episode_begins(suite):
    """Not in another one: how the torso leans at the start moves what a hand reaches by 2 cm."""
    for number in range(12):
        scenario = SUITES.get(suite, make_scenario)(ROBOT, GOALS, 9, number)
        world = scenario.world(ROBOT)
        tasks = [task for task in (scenario.task, scenario.second) if task is not None]
        assert list(possible(world, GOALS, tasks)) == ([] if scenario.reason else tasks)
        again = scenario.world(ROBOT)
        np.testing.assert_array_equal(again.joint_position, world.joint_position)


def test_a_scenario_follows_from_its_seed_and_its_swapped_instruction_is_of_another_task():
    for number in range(3):
        first, again = (make_scenario(ROBOT, GOALS, 5, number) for _ in range(2))
        assert (first.instruction, first.scene.digest) == (again.instruction, again.scene.digest)
        assert first.swapped_instruction != first.instruction
    assert make_scenario(ROBOT, GOALS, 6, 0).scene.digest != first.scene.digest


def test_four_of_five_scenes_are_about_a_cube():
    assert np.mean([kind in IMAGE_TASKS for kind in CYCLE]) == 0.8


def test_no_shipped_record_has_a_path_of_the_machine_that_made_it():
    records = [path for kind in ('json', 'yaml') for path in MODELS.glob(f'*/*.{kind}')]
    assert MODELS / 'humanoid_vla' / 'evaluation.json' in records
    for path in records:
        for text in re.findall(r'[\w.~]*(?:/[\w.-]+){2,}', path.read_text()):
            pytest.fail(f'{path.name}: {text}')
