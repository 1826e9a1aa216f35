# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Properties of the instruction grammar."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_models.language import (
    GRAMMAR,
    HELD_OUT,
    TRAIN,
    Step,
    elliptic,
    instruction_of,
    phrase,
    templates_of,
)
from vla_models.nonsense import nonsense
from vla_models.references import by_colour
from vla_models.refusals import followable, unfollowable
from vla_models.tasks import ALL_TASKS, Task, TaskKind

ABOUT_CUBES = [task for task in ALL_TASKS if task.has_target]


@given(st.sampled_from(ALL_TASKS), st.integers(0, 10_000), st.booleans())
def test_an_instruction_names_the_hand_and_the_colour_of_its_task(task, seed, held_out):
    text = phrase(task, random.Random(seed), held_out=held_out)
    for word in (task.hand, task.colour):
        assert word is None or word in text
    assert 'None' not in text and '{' not in text


@pytest.mark.parametrize('kind', TaskKind)
def test_held_out_phrasings_are_never_trained_on(kind):
    assert not set(TRAIN[kind]) & set(HELD_OUT[kind])
    assert HELD_OUT[kind]
    for part in GRAMMAR['references']['training']:
        names = GRAMMAR['references']
        assert not set(names['training'][part]) & set(names['held_out'][part])


@pytest.mark.parametrize('held_out', [False, True])
@pytest.mark.parametrize('task', ALL_TASKS, ids=lambda task: task.name)
def test_every_task_has_a_template_with_its_hand_and_where_it_has_one_also_without(task, held_out):
    assert templates_of(Step.plain(task), held_out)
    if task.kind in (TaskKind.REACH, TaskKind.POINT):
        assert templates_of(Step(task, named=False), held_out)


@given(st.sampled_from(ABOUT_CUBES), st.sampled_from(ABOUT_CUBES), st.integers(0, 1000))
def test_two_steps_name_both_cubes_in_their_order(first, second, seed):
    steps = tuple(Step(task, by_colour(task.colour)) for task in (first, second))
    text = instruction_of(steps, random.Random(seed))
    if first.colour != second.colour:
        assert 0 <= text.index(first.colour) < text.index(second.colour)


def test_a_second_step_is_said_by_its_cube_alone_only_if_nothing_else_differs():
    red, blue = Task(TaskKind.REACH, 'left', 'red'), Task(TaskKind.REACH, 'left', 'blue')
    other = replace(blue, hand='right')
    assert elliptic(Step(red), Step(blue))
    assert not elliptic(Step(red), Step(other))
    assert elliptic(Step(red, named=False), Step(other, named=False))
    assert not elliptic(Step(red), Step(Task(TaskKind.POINT, 'left', 'blue')))


def test_sentences_of_the_evaluation_are_in_no_training_data():
    words = random.Random(0)
    held = {text.lower() for text in unfollowable()}
    assert len(held) == 200
    assert not held & {nonsense(words).lower() for _ in range(20_000)}
    seen = {phrase(task, words) for task in ALL_TASKS for _ in range(200)}
    assert not seen & set(followable(1))
