# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The goal snap: near joints go to their goal, others are unchanged."""

import pytest
import torch

from vla_models.network.humanoid_vla import GoalSnap

REACH = 0.08
MOVING = torch.linspace(0.02, 0.14, 12)[None, :, None] / 0.5


def settling(unit: float = 0.5) -> GoalSnap:
    layer = GoalSnap(1, REACH)
    layer.unit.fill_(unit)
    return layer


def way(start: float, end: float, steps: int = 8, unit: float = 0.5) -> tuple:
    """A chunk that goes half of what is left in each step and then rests, in normalised units."""
    places = [end + (start - end) * 0.5**i for i in range(1, steps)]
    chunk = torch.tensor([*places, end, end, end, end])[None, :, None]
    return chunk / unit, torch.tensor([[start]]) / unit


def test_a_joint_near_its_goal_is_sent_there_at_once():
    chunk, current = way(0.95, 1.0)
    settled = settling()(chunk, current)
    assert torch.allclose(settled * 0.5, torch.full_like(settled, 1.0))


def test_in_between_it_fades_without_a_jump():
    """The first step as a function of the distance is continuous, and never past the end."""
    firsts = []
    for i in range(201):
        chunk, current = way(1.0 - 0.001 * i, 1.0)
        firsts.append(float(settling()(chunk, current)[0, 0, 0]) * 0.5)
    changes = torch.tensor(firsts).diff().abs()
    assert changes.max() < 0.01 and max(firsts) <= 1.0 + 1e-6


@pytest.mark.parametrize(
    ('layer', 'chunk', 'current'),
    [
        pytest.param(settling(), *way(0.0, 1.0), id='far from its goal'),
        pytest.param(settling(), MOVING, torch.zeros(1, 1), id='still moving at the end'),
        pytest.param(GoalSnap(1, 0.0), *way(0.99, 1.0), id='without reach'),
    ],
)
def test_other_joints_are_unchanged(layer, chunk, current):
    assert torch.equal(layer(chunk, current), chunk)


def test_the_reach_is_in_radians_whatever_the_unit():
    for unit in (0.1, 2.0):
        chunk, current = way(0.95, 1.0, unit=unit)
        settled = settling(unit)(chunk, current)
        assert torch.allclose(settled * unit, torch.full_like(settled, 1.0), atol=1e-5)
