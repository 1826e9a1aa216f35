# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_robot check`, with the parts of every package."""

import json
import shutil
from pathlib import Path

import cv2
import pytest

from vla_robot import load_robot
from vla_robot.check import main

TESTBOT = Path(__file__).parents[2] / 'vla_robot' / 'test' / 'testbot'
BOX = '<collision><geometry><box size="0.1 0.1 0.1"/></geometry></collision>'
COVERS = ''.join(
    f'<link name="{name}">{BOX}</link><joint name="{name}_mount" type="fixed">'
    f'<parent link="stand"/><child link="{name}"/><origin xyz="-0.1 {y} 0.6"/></joint>'
    for name, y in (('left_cover', 0.05), ('right_cover', -0.06))
)
"""Two covers 10 mm apart, fixed to the same link."""


@pytest.fixture
def robot_directory(tmp_path):
    shutil.copytree(TESTBOT, tmp_path / 'testbot')
    return tmp_path / 'testbot'


def change(file, before, after):
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))


def run(capsys, *arguments):
    status = main([*map(str, arguments), '--json'])
    return status, json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_good_robot_has_no_findings_and_a_picture(robot_directory, tmp_path, capsys):
    status, result = run(capsys, robot_directory, '--out', tmp_path / 'robot.png')
    assert (status, result['findings']) == (0, [])
    assert result['robot'] == {
        'name': 'testbot', 'joints': 3, 'links': 6, 'collision_pairs': 3, 'mass_kg': 7.1,
        'heaviest_body_kg': 5.0, 'groups': {'left_arm': 2, 'head': 1, 'legs': 0, 'upper_body': 3},
        'poses': ['standing', 'ready'], 'stands_on_feet': False,
        'frames': {'base': 'stand', 'imu': 'stand', 'head_camera': 'eye', 'left_hand': 'grip'},
    }  # fmt: skip
    assert 0 < result['filter']['tick_ms']['p50'] < result['filter']['tick_ms']['limit'] == 8.0
    assert cv2.imread(str(tmp_path / 'robot.png')).shape == (480, 1280, 3)


@pytest.mark.parametrize('arm', ['ur5e', 'panda', 'xarm7', 'so101'])
def test_nothing_needs_attention_at_the_arms_that_ship(arm, capsys):
    status, result = run(capsys, arm)
    assert (status, result['findings']) == (0, [])
    assert result['robot']['frames']['hand'] and not result['robot']['stands_on_feet']


def test_pairs_that_are_always_near_are_printed_ready_to_paste(robot_directory, capsys):
    change(robot_directory / 'robot.urdf', '</robot>', COVERS + '</robot>')
    assert main([str(robot_directory)]) == 1
    printed = capsys.readouterr().out
    assert 'nearer than 0.02 m in every configuration' in printed
    paste = 'allowed_collisions:\n  - [left_cover, right_cover]'
    assert paste in printed
    change(robot_directory / 'robot.yaml', 'allowed_collisions: []', paste)
    status, result = run(capsys, robot_directory)
    assert (status, result['filter']['near_by_construction']) == (0, [])


def test_each_weakness_is_named_with_its_key(robot_directory, capsys):
    change(robot_directory / 'robot.yaml', 'head_camera: eye', 'head_camera: pan')
    change(robot_directory / 'robot.yaml', 'kv: 3', 'kv: 0')
    change(robot_directory / 'robot.urdf', 'velocity="2" effort="20"', 'velocity="115" effort="2"')
    status, result = run(capsys, robot_directory)
    assert status == 1
    found = {finding['key']: finding for finding in result['findings']}
    assert 'optical frame: z forward' in found['frames.head_camera']['wanted']
    assert found['frames.head_camera']['found'] == 'pan, whose z points up and y not down'
    assert found['servos']['found'] == 'kp 80, kv 0 of pan'  # the last of three
    assert found['joint[lift]/limit@velocity']['found'] == '115'
    assert 'of gravity at lift' in found['poses.ready']['found']


def test_a_pose_with_links_too_near_is_named(robot_directory, capsys):
    change(
        robot_directory / 'robot.yaml', 'standing: {lift: 0.5}', 'standing: {lift: 1, bend: 2.3}'
    )
    status, result = run(capsys, robot_directory)
    keys = [finding['key'] for finding in result['findings']]
    assert (status, keys) == (1, ['poses.standing'])
    assert 'stand and lower' in result['findings'][0]['found']


def test_a_robot_with_feet_needs_balance_gains_that_hold_it(tmp_path, capsys):
    directory = tmp_path / 'humanoid'
    shutil.copytree(load_robot('humanoid32').directory, directory)
    robot_yaml = directory / 'robot.yaml'
    for before, after in (
        ('ankle: [2.13, 2.19]', 'ankle: [0, 0]'),
        ('shift: [1.45, 1.05]', 'shift: [0, 0]'),
        ('kp: 500\n    kv: 10', 'kp: 100\n    kv: 2'),
    ):
        change(robot_yaml, before, after)
    status, result = run(capsys, directory)
    assert status == 1
    assert result['balance']['stands'] is False
    text = robot_yaml.read_text()
    robot_yaml.write_text(
        text[: text.index('# Gains of the balance')] + text[text.index('camera:\n') :]
    )
    status, result = run(capsys, directory)
    assert [(f['key'], f['found']) for f in result['findings']] == [
        (f'{robot_yaml}: balance', 'nothing')
    ]


def test_a_robot_that_cannot_be_loaded_is_one_line_and_exit_code_2(robot_directory, capsys):
    change(robot_directory / 'robot.urdf', '<axis xyz="0 0 1"/>', '<axis xyz="0 0 0"/>')
    assert main([str(robot_directory)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ''
    assert captured.err.count('\n') == 1 and 'joint[pan]/axis@xyz: found 0 0 0' in captured.err
    status, result = run(capsys, robot_directory)
    assert status == 2 and 'joint[pan]/axis@xyz' in result['error']
