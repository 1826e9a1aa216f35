# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The short form of `ros2 run vla_validation adversary`, and that it can find something."""

import json
import math

import pytest

from vla_policy.bundle.action_space import KINDS
from vla_robot import load_robot
from vla_safety import box_limits
from vla_safety.compiled import as_python
from vla_validation.filter import adversary
from vla_validation.filter.action_attack import attack_actions
from vla_validation.filter.box_attack import attack


def test_no_command_breaks_the_box_in_an_adversarial_run():
    summary = attack(ticks=16_000, seed=20261121)
    assert summary['violations'] == 0, summary['first']
    assert summary['commands_judged'] > 15_000
    assert summary['brakes_played'] > 200
    # It is an attack only if much of it gets through to the box.
    assert summary['chunks_accepted'] > 300
    assert summary['states'].keys() >= {'TRACKING', 'BRAKING', 'NO_CHUNK', 'INFEASIBLE'}
    assert len(summary['chunks_refused']) >= 8


def test_no_command_of_the_shipped_robot_breaks_the_box():
    summary = attack(ticks=2_000, seed=3, robot=load_robot('humanoid32'))
    assert summary['violations'] == 0, summary['first']


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('name', ['ur5e', 'panda'])
def test_no_command_breaks_the_box_whatever_the_kind_of_the_actions(name, kind):
    summary = attack_actions(1_500, 7, load_robot(name), kind)
    assert summary['violations'] == 0, summary['first']
    assert summary['chunks_accepted'] > 20
    if kind.startswith('end_effector'):
        assert summary['actions_rejected'] > 0
        assert 20 < summary['actions_not_followed'] < summary['actions_decoded']


def test_the_command_prints_json_as_its_last_line_and_exits_0(capsys):
    assert adversary.main(['--ticks', '500', '--seed', '1', '--json']) == 0
    summary = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert summary['violations'] == 0
    assert summary['ticks'] == 500


def naive_speed(distance, rate, late):
    """The bound that everybody writes first."""
    return max(distance, 0.0) / 0.01


def too_generous_brake(distance, rate, late):
    """A sign forgotten in front of aT."""
    return math.sqrt((rate * late) ** 2 + 2.0 * rate * max(distance, 0.0))


@pytest.mark.parametrize('mutant', [naive_speed, too_generous_brake])
def test_the_oracle_finds_a_filter_with_a_wrong_braking_bound(monkeypatch, mutant):
    loops = as_python(box_limits.joints)
    loops._stopping_speed = loops._lagging_speed = mutant
    monkeypatch.setattr(box_limits, 'joints', loops)
    summary = attack(ticks=6_000, seed=1)
    assert summary['by_kind'].get('braking_distance', 0) > 0


def test_the_oracle_finds_a_filter_that_leaps_over_gaps(monkeypatch):
    monkeypatch.setattr(box_limits.BoxLimits, 'elapse', lambda self, dt: dt)
    summary = attack(ticks=6_000, seed=1)
    assert summary['by_kind'].get('leap', 0) > 0
