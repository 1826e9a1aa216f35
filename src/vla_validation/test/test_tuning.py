# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_robot tune`: gains found in simulation, and robot.yaml with them."""

import dataclasses
import json
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from vla_balance.gains import BalanceGains
from vla_balance.testing import Standing
from vla_common.errors import ConfigError
from vla_robot import load_robot
from vla_robot.tune import main
from vla_validation.tuning import command, search, trials
from vla_validation.tuning.command import servo_classes
from vla_validation.tuning.robot_file import replaced
from vla_validation.tuning.servo_gains import (
    center_of_mass_height,
    joint_inertia,
    scaled_balance,
    servo_gains,
)
from vla_validation.tuning.trials import Trial

TESTBOT = Path(__file__).parents[2] / 'vla_robot' / 'test' / 'testbot'
HUMANOID = load_robot('humanoid32')


@pytest.fixture
def testbot(tmp_path):
    return shutil.copytree(TESTBOT, tmp_path / 'testbot')


def change(file, before, after):
    text = file.read_text()
    assert before in text, before
    file.write_text(text.replace(before, after))


def run(capsys, *arguments):
    status = main([*map(str, arguments), '--json'])
    return status, json.loads(capsys.readouterr().out.splitlines()[-1])


def scaled_humanoid(directory, length, mass):
    """humanoid32 with all lengths, and all masses, times a factor; efforts as gravity needs."""
    shutil.copytree(HUMANOID.directory, directory)
    tree = ET.parse(directory / 'robot.urdf')
    factors = {
        'mass': ('value', mass), 'limit': ('effort', mass * length), 'box': ('size', length),
        'origin': ('xyz', length), 'cylinder': ('radius length', length),
        'capsule': ('radius length', length), 'sphere': ('radius', length),
        'inertia': ('ixx iyy izz ixy ixz iyz', mass * length**2),
    }  # fmt: skip
    for element in tree.iter():
        names, factor = factors.get(element.tag, ('', 1.0))
        for name in names.split():
            if name in element.attrib:
                values = (factor * float(x) for x in element.attrib[name].split())
                element.set(name, ' '.join(f'{value:.9g}' for value in values))
    tree.write(directory / 'robot.urdf')
    file = directory / 'robot.yaml'
    text = file.read_text()
    file.write_text(re.sub(r'^balance:\n.*?^(?=camera)', '', text, flags=re.MULTILINE | re.DOTALL))
    return directory


# -- the file ------------------------------------------------------------------------------------

LAYOUT = """\
# a robot
servos:                  # classes
  arm: {joints: [a, b], kp: 80, kv: 3}   # flow
  leg:
    kp: 1.5e2            # block
    kv:   7
balance:
  ankle: [2, 3]          # pair
  hip:
  - 1                    # forward
  - 2                    # sideways
"""


def test_numbers_are_replaced_where_they_are_and_comments_stay():
    values = {
        ('servos', 'arm', 'kp'): 100.0, ('servos', 'leg', 'kp'): 0.00001,
        ('balance', 'ankle'): (2.13, 10.0), ('balance', 'hip'): (0.5, 0.25),
    }  # fmt: skip
    expected = LAYOUT
    for before, after in (
        ('kp: 80', 'kp: 100'), ('1.5e2', '0.00001'), ('[2, 3]', '[2.13, 10]'),
        ('- 1 ', '- 0.5 '), ('- 2 ', '- 0.25 '),
    ):  # fmt: skip
        expected = expected.replace(before, after)
    assert replaced(LAYOUT, values, Path('robot.yaml')) == expected
    windows = replaced(LAYOUT.replace('\n', '\r\n'), values, Path('robot.yaml'))
    assert windows == expected.replace('\n', '\r\n')
    assert replaced(LAYOUT, {}, Path('robot.yaml')) == LAYOUT


def test_a_missing_section_is_appended():
    text = replaced(
        'a: 1  # one', {('balance', 'hip'): (1.0, 2.5), ('balance', 'x'): 3.0}, Path('f')
    )
    assert text == 'a: 1  # one\n\nbalance:\n  hip: [1, 2.5]\n  x: 3\n'


@pytest.mark.parametrize(
    ('text', 'found'),
    [
        ('a: {b: &x 3, c: *x}', 'an alias'),
        ('a: {b: [1, 2]}', 'another kind of value'),
        ('a: {b: {c: 1}}', 'another kind of value'),
        ('a: {c: 1}', 'another kind of value'),
    ],
)
def test_what_cannot_be_replaced_is_refused(text, found):
    with pytest.raises(ConfigError, match=f'robot.yaml.*{found}'):
        replaced(text, {('a', 'b'): 1.0}, Path('robot.yaml'))


# -- robots without feet -------------------------------------------------------------------------


def test_a_robot_without_gains_gets_some_that_follow(testbot, capsys):
    file = testbot / 'robot.yaml'
    change(file, 'kp: 80, kv: 3', 'kp: 0, kv: 0')
    change(file, 'armature: {all: 0.01}', 'armature: {all: 0}  # unknown')
    before = file.read_text()
    status, result = run(capsys, testbot, '--dry-run')
    assert (status, result['written'], file.read_text()) == (0, '', before)
    status, result = run(capsys, testbot)
    assert (status, result['written']) == (0, str(file))
    assert set(result['changed']) == {'servos.all.kp', 'servos.all.kv', 'simulation.armature.all'}
    assert result['before']['error'] is None and result['after']['error'] < trials.FOLLOWS
    assert result['after']['push'] is None
    robot = load_robot(testbot)
    assert (robot.servo.kp == result['changed']['servos.all.kp']).all()
    assert (robot.servo.kp > 0).all() and (robot.servo.kv > 0).all()
    assert (robot.servo.kp <= robot.limits.effort.min() / 0.2).all()
    text = file.read_text()
    assert '# unknown' in text and text.startswith('# Another robot altogether')
    # Found gains are good ones: they stay.
    assert run(capsys, testbot)[1]['changed'] == {}
    assert file.read_text() == text


def test_soft_servos_are_replaced_and_good_ones_stay(testbot, capsys):
    file = testbot / 'robot.yaml'
    assert run(capsys, testbot)[1]['changed'] == {}
    change(file, 'kp: 80, kv: 3', 'kp: 2, kv: 3')
    _, result = run(capsys, testbot, '--steps', 2)
    assert result['after']['error'] < 0.5 * result['before']['error']
    assert load_robot(testbot).servo.kp[0] > 2


@pytest.mark.parametrize('upper_body', ['[]', '[left_arm, head]'])
def test_a_robot_without_hands_or_an_upper_body_is_tuned(testbot, capsys, upper_body):
    file = testbot / 'robot.yaml'
    change(file, '  left_hand: grip\n', '')
    change(file, 'upper_body: [left_arm, head]', f'upper_body: {upper_body}')
    change(file, 'joints: [upper_body]', 'joints: [left_arm, head]')
    change(file, 'kp: 80', 'kp: 0')
    change(file, 'simulation:', '# none yet\nsimulation:')
    text = file.read_text()
    text = re.sub(
        '(?m)^  all: (.*)$',
        r'  all: \1\n  legs: {joints: [legs], kp: 0, kv: 0, '
        r'acceleration: 1, soft_margin: 0}',
        text,
    )
    file.write_text(text.replace('armature: {all: 0.01}', 'armature: {all: 0.01, legs: 0}'))
    status, result = run(capsys, testbot)
    assert status == 0 and result['changed']['servos.all.kp'] > 0
    assert not [key for key in result['changed'] if 'legs' in key]


def test_an_interrupted_search_changes_nothing_and_says_so(testbot, capsys, monkeypatch):
    before = (testbot / 'robot.yaml').read_bytes()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, 'try_gains', interrupted)
    assert main([str(testbot)]) == 2
    assert 'tune: interrupted; ' in capsys.readouterr().err
    assert (testbot / 'robot.yaml').read_bytes() == before


def test_a_directory_that_is_no_robot_is_one_line(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count('\n') == 1


# -- humanoids -----------------------------------------------------------------------------------


def test_a_larger_humanoid_stands_with_gains_scaled_to_it(tmp_path):
    """Dynamic similarity: lengths with h, times with the square root of h/g."""
    robot = load_robot(scaled_humanoid(tmp_path / 'giant', 1.3, 2.0))
    assert robot.total_mass == pytest.approx(2.0 * HUMANOID.total_mass)
    ratio = center_of_mass_height(robot) / center_of_mass_height(HUMANOID)
    assert ratio == pytest.approx(1.3, rel=1e-3)
    assert joint_inertia(robot) == pytest.approx(2.0 * 1.69 * joint_inertia(HUMANOID), rel=1e-3)
    gains = BalanceGains.load(HUMANOID)
    scaled = scaled_balance(gains, HUMANOID, robot)
    assert scaled.shift_limit == pytest.approx(1.3 * gains.shift_limit, rel=0.01)
    assert scaled.hip[0] == pytest.approx(gains.hip[0] / 1.3, rel=0.01)
    assert scaled.ankle == gains.ankle
    servo = servo_gains(robot, servo_classes(robot))
    assert (servo.kp <= robot.limits.effort / 0.2 + 1e-9).all()
    standing = Standing(dataclasses.replace(robot, servo=servo), scaled)
    standing.run(2.0)
    assert standing.lean < 0.06


def test_a_humanoid_without_balance_gains_and_with_soft_legs_stands_again(
    tmp_path, capsys, monkeypatch
):
    """One gentle push from behind is enough here; the command pushes from every side."""
    monkeypatch.setattr(trials, 'HEADINGS', (0.0,))
    monkeypatch.setattr(trials, 'STRONGEST', 0.16)
    directory = scaled_humanoid(tmp_path / 'same', 1.0, 1.0)
    file = directory / 'robot.yaml'
    for kv in (12, 10):  # legs and ankles; not the torso
        rest = f'    kv: {kv}\n    acceleration: 20\n'
        change(file, f'kp: 500\n{rest}', f'kp: 20\n{rest}')
    status, result = run(capsys, directory, '--steps', 0)
    assert status == 0
    assert result['before']['stood'] < 4.0 and not result['before']['push']
    assert result['after']['lean'] < 0.06 and result['after']['push'] >= 0.1 * HUMANOID.total_mass
    robot = load_robot(directory)
    assert BalanceGains.load(robot).hip_limit == result['changed']['balance.hip_limit']
    assert '# Servo classes: stiffness' in file.read_text()
    upper = HUMANOID.groups['upper_body']  # it followed well: its servos stay
    assert np.array_equal(robot.servo.kp[upper], HUMANOID.servo.kp[upper])


def test_feet_without_the_groups_of_the_legs_are_one_line(tmp_path, capsys):
    directory = scaled_humanoid(tmp_path / 'no_groups', 1.0, 1.0)
    text = (directory / 'robot.yaml').read_text()
    (directory / 'robot.yaml').write_text(re.sub('left_leg', 'one_leg', text))
    assert main([str(directory)]) == 2
    printed = capsys.readouterr().err
    assert printed.count('\n') == 1 and 'groups.left_leg: found nothing' in printed


# -- the search ----------------------------------------------------------------------------------


def test_the_search_takes_only_what_is_better_and_withstands_no_less(monkeypatch):
    """A landscape with its best ankle gain at 4 forward; a hip gain pays for it with pushes."""
    seen = []

    def landscape(robot, gains, least=0.0):
        seen.append(gains.balance)
        push = 20.0 - abs(gains.balance.ankle[0] - 4.0)
        if gains.balance.hip != start.balance.hip:
            push -= 3.0
        return Trial(0.0, 1.0, 4.0, 0.0 if push < 17 else -5.0, 0.0, push)

    monkeypatch.setattr(search, 'try_gains', landscape)
    start = command.given_gains(HUMANOID)
    classes = servo_classes(HUMANOID)
    done = []
    first = landscape(HUMANOID, start)
    best, trial = search.search(
        HUMANOID, classes, (start, first), [(start, False)], 40, done.append
    )
    assert abs(best.balance.ankle[0] - 4.0) < 0.7 and trial.push > first.push
    assert best.balance.hip == start.balance.hip
    scores = [one.score for one in done]
    assert scores == sorted(scores) and len(seen) == len(done) + 1 <= 42
    assert np.array_equal(best.servo.kp, start.servo.kp)


def test_a_robot_that_falls_later_is_nearer_to_one_that_stands():
    fell = [Trial(None, 50.0, stood, 1.0) for stood in (0.5, 1.5)]
    stands = Trial(0.02, 50.0, 4.0, 0.01, None, 0.0)
    assert fell[0].score < fell[1].score < stands.score
    assert not fell[1].usable and stands.usable
