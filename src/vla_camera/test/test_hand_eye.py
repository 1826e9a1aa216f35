# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The hand-eye transform on rendered boards and on exact poses."""

import json

import numpy as np
import pinocchio as pin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rendered_board import transform

from vla_camera.calibration.calibrate_command import main as calibrate_command
from vla_camera.calibration.check_command import main as check_command
from vla_camera.calibration.hand_eye import daniilidis, distance, hand_eye, inverse, park
from vla_camera.calibration.hand_eye_command import main as hand_eye_command
from vla_camera.calibration.pose_pairs import read_pairs
from vla_camera.calibration_file import read_calibration, write_calibration
from vla_camera.source import Calibration
from vla_common.errors import ConfigError
from vla_common.rotation import quaternion_xyzw
from vla_common.testing_refusals import documented
from vla_common.yaml_file import dump_yaml

ON_LINK = transform([0.3, -1.2, 0.7], [0.05, -0.03, 0.08])
"""The camera on the hand, or the board on it."""
IN_BASE = transform([2.0, 0.5, 0.3], [0.6, 0.1, 0.2])
"""The board in the base, or the camera in it."""


def entry(image, pose):
    xyzw = list(quaternion_xyzw(pose[:3, :3]))
    return {'image': image, 'pose': {'position': pose[:3, 3].tolist(), 'orientation': xyzw}}


def link_pose(board_in_camera, to_hand):
    """Of the link, for what the camera sees."""
    if to_hand:
        return IN_BASE @ board_in_camera @ inverse(ON_LINK)
    return IN_BASE @ inverse(board_in_camera) @ inverse(ON_LINK)


@pytest.fixture(scope='module')
def calibration(board_set, tmp_path_factory):
    """Made of the images themselves, as a user makes it."""
    out = tmp_path_factory.mktemp('calibration') / 'camera.yaml'
    assert calibrate_command([str(board_set.folder), '--out', str(out)]) == 0
    return out


@pytest.mark.parametrize('to_hand', [False, True], ids=['eye in hand', 'eye to hand'])
def test_a_rendered_sequence_gives_the_transform_within_1_mm_and_a_tenth_of_a_degree(
    board_set, calibration, capsys, to_hand
):
    pairs = [
        entry(f'{k:03}.png', link_pose(pose, to_hand)) for k, pose in enumerate(board_set.poses)
    ]
    path = board_set.folder / f'pairs_{to_hand}.yaml'
    path.write_text(dump_yaml({'link': 'left_hand', 'pairs': pairs}))
    out = calibration.with_name('hand_eye.yaml')
    arguments = [str(path), '--calibration', str(calibration), '--json', '--out', str(out)]
    assert hand_eye_command(arguments + ['--to-hand'] * to_hand) == 0
    found = json.loads(capsys.readouterr().out)
    assert found['parent'] == ('base' if to_hand else 'left_hand') and out.is_file()
    x = np.eye(4)
    x[:3, :3], x[:3, 3] = pin.rpy.rpyToMatrix(*found['rpy']), found['position']
    metres, radians = distance(x, IN_BASE if to_hand else ON_LINK)
    assert metres < 1e-3 and np.degrees(radians) < 0.1
    assert found['leave_one_out_mm'] < 2.0 and abs(found['scale'] - 1.0) < 0.005


def poses(count, seed, spread=0.5):
    random = np.random.default_rng(seed)
    return [
        transform(random.normal(0.0, spread, 3), random.normal(0.0, 0.15, 3)) for _ in range(count)
    ]


def boards_of(links, x=ON_LINK, scale=1.0):
    seen = [inverse(link @ x) @ IN_BASE for link in links]
    for board in seen:
        board[:3, 3] *= scale
    return seen


@given(
    st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=3),
    st.lists(st.floats(-2.0, 2.0), min_size=3, max_size=3),
    st.integers(0, 1000),
)
@settings(max_examples=20, deadline=None)
def test_both_methods_give_any_transform_from_exact_poses(rvec, place, seed):
    if np.linalg.norm(rvec) > 3.1:
        rvec = [0.5 * value for value in rvec]
    x, links = transform(rvec, place), poses(8, seed)
    for method in (park, daniilidis):
        metres, radians = distance(method(links, boards_of(links, x)), x)
        assert metres < 1e-6 and radians < 1e-6, method.__name__


def few(links):
    return links[:7], boards_of(links[:7])


def parallel_axes(links):
    turned = [transform([0.0, 0.0, 0.2 * k], link[:3, 3]) for k, link in enumerate(links)]
    return turned, boards_of(turned)


def square_of_another_size(links):
    return links, boards_of(links, scale=1.05)


def one_wrong_pose(links):
    seen = boards_of(links)
    seen[5] = seen[5] @ transform([0.0, 0.2, 0.0], [0.03, 0.0, 0.0])
    return links, seen


def poses_in_another_order(links):
    return links, boards_of(links)[::-1]


@pytest.mark.parametrize(
    ('case', 'words'),
    [
        (few, 'pairs: found 7 poses, wanted at least 8'),
        (parallel_axes, 'about a second axis, wanted at least 8'),
        (square_of_another_size, 'lengths: found the camera moves 1.050 m for each 1 m'),
        (one_wrong_pose, 'set'),
        (poses_in_another_order, 'set'),
    ],
    ids=lambda value: getattr(value, '__name__', ''),
)
def test_poses_that_do_not_determine_the_transform_are_refused(case, words):
    links, seen = case(poses(12, 3))
    with pytest.raises(ConfigError) as error:
        hand_eye(links, seen, False, 'set')
    assert words in str(error.value)


def test_joint_positions_become_the_pose_of_the_link(robot, tmp_path):
    joints = {robot.joint_names[i]: 0.1 + 0.05 * i for i in robot.chain('left_hand')}
    path = tmp_path / 'pairs.yaml'
    content = {'robot': 'humanoid32', 'link': 'left_hand'}
    path.write_text(dump_yaml(content | {'pairs': [{'image': 'a.png', 'joints': joints}]}))
    (pose,) = read_pairs(path).poses
    q = np.array([joints.get(name, 0.0) for name in robot.joint_names])
    kinematics = robot.kinematics()
    kinematics.update(q)
    rotation, place = kinematics.frame('left_hand')
    base_rotation, base_place = kinematics.frame('base')
    np.testing.assert_allclose(pose[:3, 3], base_rotation.T @ (place - base_place), atol=1e-9)
    np.testing.assert_allclose(pose[:3, :3], base_rotation.T @ rotation, atol=1e-9)


def test_files_of_pairs_that_cannot_be_used_are_refused_in_one_line(
    board_set, calibration, tmp_path, capsys
):
    some = entry('000.png', np.eye(4))
    robot = {'robot': 'humanoid32', 'link': 'left_hand'}
    for case, content in (
        ('no pairs', {'pairs': []}),
        ('joints without a robot', {'pairs': [{'image': 'a.png', 'joints': {}}]}),
        ('neither joints nor pose', {'pairs': [{'image': 'a.png'}]}),
        ('joint of the chain missing', robot | {'pairs': [{'image': 'a.png', 'joints': {}}]}),
        ('joint that the robot has not', robot | {
            'pairs': [{'image': 'a.png', 'joints': {'left_elbows': 0.1}}]
        }),
        ('link that the robot has not', robot | {'link': 'hand', 'pairs': [some]}),
        ('quaternion that is none', {'pairs': [
            some | {'pose': {'position': [0, 0, 0], 'orientation': [0, 0, 0, 0.5]}}
        ]}),
        ('image that is missing', {'pairs': [some]}),
    ):  # fmt: skip
        path = tmp_path / 'pairs.yaml'
        path.write_text(dump_yaml(content))
        assert hand_eye_command([str(path), '--calibration', str(calibration)]) == 2, case
        line = capsys.readouterr().err.splitlines()[-1]
        documented('Calibrations of cameras', case, line, tmp_path)


def test_a_calibration_that_holds_is_told_from_one_that_does_not(
    board_set, calibration, tmp_path, capsys
):
    new = [str(board_set.folder / f'{k:03}.png') for k in (1, 4, 7, 10, 13)]
    assert check_command([str(calibration), *new]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == 'holds'
    true = read_calibration(calibration, 640, 480)
    for name, changed, words in (
        ('zoom', {'fx': true.fx * 1.03, 'fy': true.fy * 1.03}, 'focal length 0.97'),
        ('shifted', {'cx': true.cx + 12.0}, 'principal point 1'),
        ('lens', {'distortion': (0.0,) * 5}, 'residual'),
    ):
        path = tmp_path / f'{name}.yaml'
        write_calibration(path, name, Calibration(**(vars(true) | changed)), 640, 480)
        assert check_command([str(path), *new, '--json']) == 1, name
        found = json.loads(capsys.readouterr().out)
        assert any(words in text for text in found['wrong']), (name, found)


def test_images_that_show_nothing_are_no_verdict(board_set, calibration, tmp_path, capsys):
    two = [str(board_set.folder / f'{k:03}.png') for k in (1, 4)]
    other = tmp_path / 'other.yaml'
    write_calibration(other, 'other', read_calibration(calibration, 640, 480), 320, 240)
    for case, arguments in (
        ('check with two images', [str(calibration), *two]),
        ('check of a calibration of another size', [str(other), *two]),
    ):
        assert check_command(arguments) == 2
        line = capsys.readouterr().err.splitlines()[-1]
        documented('Calibrations of cameras', case, line, tmp_path, board_set.folder)
