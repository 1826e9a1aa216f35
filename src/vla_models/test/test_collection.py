# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Collection: successes in physics, deterministic, several labels per image."""

from pathlib import Path

import numpy as np
import pytest

from vla_models.collection import FIRST_STATIC, LABELS, STATIC_FRAMES, Collector
from vla_models.dataset import Episode
from vla_models.expert import SPEED
from vla_models.tasks import ALL_TASKS, TASK_INDEX
from vla_robot import load_robot

ROBOT = load_robot('humanoid32')
FILTER = next(
    path
    for parent in Path(__file__).resolve().parents
    if (path := parent / 'config' / 'safety_filter.yaml').exists()
)


@pytest.fixture(scope='module')
def collector() -> Collector:
    return Collector(ROBOT, 3, str(FILTER), backend='raycast')


@pytest.fixture(scope='module')
def demonstration(collector) -> Episode:
    found = (collector.attempt(number) for number in range(20))
    return next(each for each in found if isinstance(each, Episode) and each.task.has_target)


def test_a_demonstration_fits_the_layout_and_is_labelled_with_its_own_task_first(demonstration):
    demonstration.check(Collector.layout(ROBOT, 3))
    assert (demonstration.labels.task[:, 0] == TASK_INDEX[demonstration.task]).all()
    assert np.array_equal(demonstration.action, demonstration.labels.action[:, 0, 0])


def test_one_image_has_different_instructions(demonstration):
    for tasks in demonstration.labels.task:
        assert len(set(tasks)) == LABELS


def test_labels_begin_where_the_robot_is(demonstration):
    layout = Collector.layout(ROBOT, 3)
    columns = [layout.state_joints.index(name) for name in layout.action_joints]
    first = demonstration.labels.action[:, :, 0]
    step = np.abs(first - demonstration.state[:, None, columns]).max()
    assert step < SPEED * layout.step + 0.15  # a wave's goal moves besides


def test_static_views_are_the_same_for_the_same_number_and_their_postures_independent(collector):
    first, again = (collector.attempt(FIRST_STATIC + 1) for _ in range(2))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.labels.action, again.labels.action)
    assert len(first.image) == STATIC_FRAMES
    assert first.state.std(axis=0).max() > 0.3
    first.check(Collector.layout(ROBOT, 3))


def test_a_target_is_known_exactly_where_it_is_in_the_image(collector):
    labels = collector.attempt(FIRST_STATIC + 2).labels
    seen = np.isfinite(labels.pixel).all(-1)
    assert seen.any()
    assert (np.isfinite(labels.target).all(-1) == seen).all()
    about_cubes = np.array([task.has_target for task in ALL_TASKS])[labels.task]
    assert not (seen & ~about_cubes).any()
