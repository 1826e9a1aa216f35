# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Bad input to the whole: one clear error, the other nodes stay up, nothing moves."""

from __future__ import annotations

import hashlib
import pathlib
import shutil
import subprocess

import pytest
import yaml
from ament_index_python.packages import get_package_share_directory
from whole_robot import launched

from vla_common.modes import Mode
from vla_common.testing import own_domain

BUNDLE = pathlib.Path(get_package_share_directory('vla_bringup')) / 'models' / 'humanoid_vla'
ROBOT = pathlib.Path(get_package_share_directory('vla_robot')) / 'robots' / 'humanoid32'


def copy(source: pathlib.Path, target: pathlib.Path) -> pathlib.Path:
    shutil.copytree(source, target)  # follows the links of a --symlink-install
    return target


def edit_yaml(path: pathlib.Path, change) -> None:
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def missing_model(bundle: pathlib.Path) -> list[str]:
    (bundle / 'model.onnx').unlink()
    return ['model.onnx']


def changed_model(bundle: pathlib.Path) -> list[str]:
    with open(bundle / 'model.onnx', 'ab') as file:
        file.write(b'x')
    return [
        'model.onnx',
        'sha',
        hashlib.sha256((bundle / 'model.onnx').read_bytes()).hexdigest()[:8],
    ]


def malformed_policy(bundle: pathlib.Path) -> list[str]:
    (bundle / 'policy.yaml').write_text('format: 1\nname: [unclosed\n')
    return ['policy.yaml', 'valid YAML']


def joints_of_another_robot(bundle: pathlib.Path) -> list[str]:
    def change(policy: dict) -> None:
        policy['outputs']['action']['joints'][0] = 'third_elbow'

    edit_yaml(bundle / 'policy.yaml', change)
    return ['policy.yaml', 'outputs.action.joints', 'third_elbow']


def another_horizon(bundle: pathlib.Path) -> list[str]:
    def change(policy: dict) -> None:
        policy['outputs']['action']['horizon'] += 3

    edit_yaml(bundle / 'policy.yaml', change)
    return ['wanted']


@pytest.mark.parametrize(
    'damage',
    [missing_model, changed_model, malformed_policy, joints_of_another_robot, another_horizon],
    ids=lambda damage: damage.__name__,
)
def test_a_bad_bundle_is_refused_and_the_robot_just_stands(tmp_path, damage):
    bundle = copy(BUNDLE, tmp_path / 'bundle')
    words = damage(bundle)
    with launched(tmp_path, policy=bundle, respawn='false') as robot:
        robot.wait_log('configure failed')
        (line,) = {
            line.split('configure failed: ')[1]
            for line in robot.output().splitlines()
            if 'configure failed: ' in line and 'inference' in line.split('configure failed')[0]
        }
        for word in [*words, 'found', 'wanted']:
            assert word.lower() in line.lower(), line
        # The others are up, the supervisor tells why it does not go on, and nothing moves.
        robot.wait(
            lambda: (
                bool(robot.supervisor.messages)
                and len(robot.supervisor.last.nodes_active) == 4
                and any('inference' in text for text in robot.supervisor.last.nodes_missing)
            ),
            60.0,
            'the four other nodes active',
        )
        assert robot.mode == Mode.INACTIVE
        assert not robot.call('/supervisor/start').success
        robot.assert_becomes_still()
        robot.assert_standing()


def unknown_joint(robot: pathlib.Path) -> list[str]:
    def change(content: dict) -> None:
        content['groups']['head'].append('antenna')

    edit_yaml(robot / 'robot.yaml', change)
    return ['robot.yaml', 'groups.head', 'antenna']


def malformed_urdf(robot: pathlib.Path) -> list[str]:
    urdf = robot / 'robot.urdf'
    urdf.write_text(urdf.read_text().replace('</robot>', ''))
    return ['robot.urdf']


def no_robot_yaml(robot: pathlib.Path) -> list[str]:
    (robot / 'robot.yaml').unlink()
    return ['robot.yaml', 'no such file']


@pytest.mark.parametrize(
    'damage',
    [unknown_joint, malformed_urdf, no_robot_yaml],
    ids=lambda damage: damage.__name__,
)
def test_a_bad_robot_is_refused_by_the_driver_first_and_nothing_starts(tmp_path, damage):
    words = damage(copy(ROBOT, tmp_path / 'robot'))
    with launched(tmp_path, robot=tmp_path / 'robot', respawn='false') as robot:
        robot.wait_log('configure failed')
        line = next(line for line in robot.output().splitlines() if 'configure failed: ' in line)
        for word in [*words, 'found', 'wanted']:
            assert word in line, line
        assert robot.process.poll() is None, 'the launch ended'
        assert robot.mode in (None, Mode.INACTIVE)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('safety_filter:\n  ros__parameters: {control_frequency: [1\n', ['bad.yaml', 'valid YAML']),
        ('safety_filter:\n  control_frequency: 100.0\n', ['bad.yaml', 'ros__parameters']),
    ],
    ids=['malformed', 'no ros__parameters'],
)
def test_a_bad_parameter_file_ends_the_launch_with_its_name(tmp_path, text, words):
    own_domain()
    file = tmp_path / 'bad.yaml'
    file.write_text(text)
    result = subprocess.run(
        ['ros2', 'launch', 'vla_bringup', 'humanoid.launch.py', f'params_file:={file}'],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode != 0
    for word in words:
        assert word in result.stdout + result.stderr


def test_a_simulated_camera_without_a_simulated_world_is_refused_at_once():
    own_domain()
    result = subprocess.run(
        ['ros2', 'launch', 'vla_bringup', 'humanoid.launch.py', 'driver:=mock'],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode != 0
    assert 'camera: found mujoco, with driver:=mock' in result.stdout + result.stderr


def test_a_parameter_out_of_range_is_refused_at_configure(tmp_path):
    with launched(tmp_path, control_frequency=5000, respawn='false') as robot:
        robot.wait_log('configure failed: parameters of /safety_filter: control_frequency')
        assert robot.mode in (None, Mode.INACTIVE)
