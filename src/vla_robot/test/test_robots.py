# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the robots are."""

import importlib.util
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

ARM = [
    'shoulder_pitch', 'shoulder_roll', 'shoulder_yaw', 'elbow',
    'wrist_yaw', 'wrist_pitch', 'wrist_roll',
]  # fmt: skip
LEG = ['hip_yaw', 'hip_roll', 'hip_pitch', 'knee', 'ankle_pitch', 'ankle_roll']
ORDER = (
    ['head_yaw', 'head_pitch', 'head_roll', 'torso_yaw', 'torso_pitch', 'torso_roll']
    + [f'{side}_{joint}' for side in ('left', 'right') for joint in ARM]
    + [f'{side}_{joint}' for side in ('left', 'right') for joint in LEG]
)


def test_the_humanoid_has_32_joints_in_the_order_that_the_workspace_agreed_on(humanoid):
    assert list(humanoid.joint_names) == ORDER
    assert humanoid.n == 32
    assert all(humanoid.index[name] == i for i, name in enumerate(ORDER))


def test_groups_divide_the_humanoid_into_legs_and_upper_body(humanoid):
    groups = humanoid.groups
    both = np.concatenate([groups['legs'], groups['upper_body']])
    assert sorted(both.tolist()) == list(range(32))
    assert [humanoid.joint_names[i] for i in groups['left_arm']] == [f'left_{j}' for j in ARM]
    assert set(groups['arms']) == {*groups['left_arm'], *groups['right_arm']}


def test_the_humanoid_weighs_what_its_links_weigh(humanoid):
    assert humanoid.total_mass == pytest.approx(53.4)


def test_arrays_of_a_robot_cannot_be_written(humanoid):
    for array in (
        humanoid.limits.lower, humanoid.limits.jerk, humanoid.servo.kp, humanoid.soft_margin,
        humanoid.poses['standing'], humanoid.groups['arms'], humanoid.foot_boxes['left_foot'].size,
    ):  # fmt: skip
        with pytest.raises(ValueError, match='read-only'):
            array[0] = 0
    with pytest.raises(TypeError):
        humanoid.poses['standing'] = None


def test_left_and_right_are_mirror_images(humanoid):
    limits, poses = humanoid.limits, humanoid.poses
    for name in humanoid.joint_names:
        if not name.startswith('left_'):
            continue
        left, right = humanoid.index[name], humanoid.index[name.replace('left', 'right', 1)]
        if name.endswith(('_roll', '_yaw')):
            assert limits.lower[left] == -limits.upper[right]
            assert all(pose[left] == -pose[right] for pose in poses.values())
        else:
            assert limits.lower[left] == limits.lower[right]
            assert all(pose[left] == pose[right] for pose in poses.values())
        for values in (limits.velocity, limits.acceleration, limits.effort, humanoid.servo.kp):
            assert values[left] == values[right]


def test_poses_lie_inside_the_soft_limits(humanoid):
    for pose in humanoid.poses.values():
        assert (pose >= humanoid.limits.lower + humanoid.soft_margin).all()
        assert (pose <= humanoid.limits.upper - humanoid.soft_margin).all()


def test_the_soles_are_flat_and_level_in_the_standing_pose(humanoid):
    kinematics = humanoid.kinematics()
    kinematics.update(humanoid.poses['standing'])
    for foot in ('left_foot', 'right_foot'):
        assert np.allclose(kinematics.frame(foot)[0], np.eye(3), atol=1e-12)
        box = humanoid.foot_boxes[foot]
        assert np.allclose(box.center, [0.035, 0]) and np.allclose(box.size, [0.24, 0.10])
        assert np.allclose(box.corners[:, 2], 0)
    assert kinematics.frame('left_foot')[1][2] == pytest.approx(
        kinematics.frame('right_foot')[1][2], abs=1e-12
    )


def test_the_way_to_the_ready_pose_keeps_the_links_apart(humanoid):
    kinematics = humanoid.kinematics()
    waypoints = humanoid.waypoints('ready')
    assert np.array_equal(waypoints[0], humanoid.poses['standing'])
    assert np.array_equal(waypoints[-1], humanoid.poses['ready'])
    for start, end in pairwise(waypoints):
        for s in np.linspace(0, 1, 21):
            kinematics.update(start + s * (end - start))
            assert kinematics.distances().min() > 0.03


def test_neighbours_and_links_that_overlap_by_construction_are_no_collision_pairs(humanoid):
    pairs = {frozenset(pair) for pair in humanoid.collision_pairs}
    assert frozenset(('base_link', 'left_thigh')) not in pairs
    assert frozenset(('left_shank', 'left_foot')) not in pairs
    assert frozenset(('left_palm', 'right_palm')) in pairs
    assert frozenset(('left_forearm', 'torso_roll_link')) in pairs


def test_the_urdf_is_the_one_that_its_generator_writes(humanoid):
    path = Path(__file__).parents[1] / 'tools' / 'make_humanoid32_urdf.py'
    spec = importlib.util.spec_from_file_location('make_humanoid32_urdf', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert humanoid.urdf_path.read_text() == module.urdf()


def test_another_robot_needs_no_change_of_code(testbot):
    assert testbot.joint_names == ('lift', 'bend', 'pan')
    assert testbot.limits.jerk is None
    assert testbot.foot_boxes == {}
    assert 'file://' in testbot.urdf_text  # its mesh, found
    # stand-upper and upper-lower are neighbours, and so is stand-pan.
    assert set(testbot.collision_pairs) == {('stand', 'lower'), ('pan', 'upper'), ('pan', 'lower')}
    kinematics = testbot.kinematics()
    kinematics.update(testbot.poses['standing'])
    assert kinematics.distances().shape == (3,)
    assert kinematics.frame('left_hand')[1][0] > 0.3
    assert kinematics.gravity_torque(testbot.poses['standing'])[0] < -1


def test_whether_a_robot_has_feet_is_known_without_loading_it():
    code = (
        'import sys\n'
        'from vla_robot.directory import has_feet\n'
        'print(has_feet("humanoid32"), has_feet(sys.argv[1]), "pinocchio" in sys.modules)'
    )
    command = [sys.executable, '-c', code, str(Path(__file__).parent / 'testbot')]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.split() == ['True', 'False', 'False']
