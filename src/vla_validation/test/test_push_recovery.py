# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Push recovery: the search for the largest push, and the command."""

import json
import math

import pytest

from vla_robot import load_robot
from vla_validation.pushes import command, push_recovery
from vla_validation.pushes.push_recovery import Push, largest, swinging_arms, worst

ROBOT = load_robot('humanoid32')


class Pillar:
    """Falls at the first push of its strength, which hangs on the heading."""

    def __init__(self, strength):
        self.strength = strength
        self.fallen = False
        self.pushed = []
        self.world = self

    def run(self, seconds, motion=None):
        pass

    def push(self, direction, impulse, link):
        self.pushed.append((tuple(round(x, 9) for x in direction), impulse))
        self.fallen = self.fallen or impulse > self.strength


@pytest.mark.parametrize('strength', [0.2, 7.3, 19.99, 20.0, 39.0])
def test_the_search_finds_the_largest_push_on_its_grid(strength):
    found = largest(lambda: Pillar(strength), Push(0.0, 'chest'), 0.5)
    assert found == 0.5 * math.floor(strength / 0.5)


def test_a_former_push_goes_to_the_other_side_and_may_already_be_too_much():
    pillar = Pillar(15.0)
    assert push_recovery.recovers(lambda: pillar, Push(0.0, 'chest', former=10.0), 12.0)
    assert pillar.pushed == [((-1.0, 0.0, 0.0), 10.0), ((1.0, 0.0, 0.0), 12.0)]
    assert not push_recovery.recovers(lambda: Pillar(15.0), Push(0.0, 'chest', former=20.0), 1.0)


def test_the_worst_moment_is_the_one_that_counts(monkeypatch):
    strengths = {1.0: 9.0, 2.0: 5.0, 3.0: 7.0}
    monkeypatch.setattr(
        push_recovery, 'recovers', lambda make, push, impulse: impulse <= strengths[push.heading]
    )
    moments = [Push(heading, 'chest') for heading in strengths]
    assert worst(lambda: None, moments, 0.5) == 5.0


def test_the_swing_begins_at_the_standing_pose_and_moves_arms_only():
    motion = swinging_arms(ROBOT, 1.0)
    assert motion(0.0) == pytest.approx(ROBOT.poses['standing'])
    moved = [j for j in range(ROBOT.n) if motion(2.0)[j] != ROBOT.poses['standing'][j]]
    assert set(moved) <= set(ROBOT.groups['arms'].tolist())
    assert moved


def test_the_command_prints_the_table_and_returns_whether_it_is_enough(monkeypatch, capsys):
    monkeypatch.setattr(push_recovery, 'recovers', lambda make, push, impulse: impulse <= 21.3)
    assert command.main(['--json']) == 0
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])['directions']
    assert [row['direction'] for row in rows] == ['front', 'left', 'back', 'right']
    assert {row['arms_swinging'] for row in rows} == {21.0}
    monkeypatch.setattr(push_recovery, 'recovers', lambda make, push, impulse: impulse <= 19.0)
    assert command.main(['--json', '--directions', '8']) == 1


def test_a_missing_robot_is_one_line(capsys):
    assert command.main(['--robot', 'no_such_robot']) == 2
    assert 'pushes: ' in capsys.readouterr().err
