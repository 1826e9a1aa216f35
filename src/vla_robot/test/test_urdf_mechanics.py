# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What a URDF may contain: honoured, or without effect. (Refusals: test_malformed_robots.)"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from vla_robot import load_robot

TESTBOT = Path(__file__).parent / 'testbot'
PAN_AXIS = '<axis xyz="0 0 1"/>'


@pytest.fixture
def changed(tmp_path):
    """Loads the test robot with its URDF's text replaced."""

    def load(*changes):
        directory = tmp_path / 'testbot'
        shutil.copytree(TESTBOT, directory)
        path = directory / 'robot.urdf'
        text = path.read_text()
        for before, after in changes:
            assert before in text
            text = text.replace(before, after, 1)
        path.write_text(text)
        return load_robot(directory)

    return load


def hand(robot, q):
    kinematics = robot.kinematics()
    kinematics.update(np.array(q))
    return kinematics.frame('left_hand')[1]


def test_what_changes_nothing_is_left_out(changed, testbot):
    robot = changed(
        (
            '</robot>',
            '<material name="m"/><transmission name="t"><type>x</type><joint name="pan"/>'
            '<actuator name="a"><mechanicalReduction>50</mechanicalReduction></actuator>'
            '</transmission><gazebo reference="pan"><mu1>1</mu1></gazebo>'
            '<ros2_control name="c" type="system"><joint name="pan"/></ros2_control>'
            '<mujoco><compiler meshdir="meshes" discardvisual="false"/></mujoco></robot>',
        ),
        (PAN_AXIS, PAN_AXIS + '<calibration rising="0"/>'),
    )
    assert robot.urdf_text.replace('<material name="m" />', '').split() == [
        *testbot.urdf_text.replace(str(testbot.directory), str(robot.directory)).split()
    ]


def test_an_axis_of_any_length_is_a_direction(changed, testbot):
    robot = changed(('<axis xyz="0 1 0"/>', '<axis xyz="0 -3 0"/>'))
    assert np.allclose(hand(robot, [0.4, 0, 0]), hand(testbot, [-0.4, 0, 0]), atol=1e-12)


def test_damping_and_friction_of_the_urdf_replace_that_of_robot_yaml(changed):
    robot = changed((PAN_AXIS, PAN_AXIS + '<dynamics damping="0.7" friction="0.2"/>'))
    assert robot.simulation.joint_damping.tolist() == [0.1, 0.1, 0.7]
    assert robot.simulation.joint_friction.tolist() == [0.0, 0.0, 0.2]


def test_soft_limits_narrow_the_position_limits(changed):
    soft = '<safety_controller soft_lower_limit="-5" soft_upper_limit="0.6" k_velocity="10"/>'
    robot = changed((PAN_AXIS, PAN_AXIS + soft))
    i = robot.index['pan']
    assert (robot.limits.lower[i], robot.limits.upper[i]) == (-1.0, 0.6)


def test_a_link_may_have_the_name_of_a_joint(changed):
    robot = changed()
    assert robot.has_link('pan') and 'pan' in robot.index
    kinematics = robot.kinematics()
    kinematics.update(np.array([0.0, 0.0, 0.5]))
    rotation, _ = kinematics.frame('pan')
    assert rotation[1, 0] == pytest.approx(np.sin(0.5))
    assert not robot.has_link('lift')  # a joint only


def test_an_inertia_that_rounding_made_impossible_is_corrected_by_as_much(changed):
    robot = changed(('ixx="0.1" iyy="0.1" izz="0.1"', 'ixx="0.1" iyy="0.1" izz="0.20000001"'))
    moments = robot.pinocchio_model.inertias[1].inertia.diagonal()
    assert moments[0] + moments[1] >= moments[2]
    assert np.allclose(moments, [0.1, 0.1, 0.2], rtol=1e-6)


def test_a_package_that_is_not_installed_may_be_the_robot_directory_itself(changed, testbot):
    robot = changed(('meshes/wedge.stl', 'package://testbot_description/meshes/wedge.stl'))
    assert str(robot.directory / 'meshes' / 'wedge.stl') in robot.urdf_text


def test_meshdir_of_a_mujoco_block_is_searched_last(changed):
    robot = changed(
        ('meshes/wedge.stl', 'wedge.stl'),
        ('</robot>', '<mujoco><compiler meshdir="meshes"/></mujoco></robot>'),
    )
    assert 'meshes/wedge.stl' in robot.urdf_text


def test_a_prismatic_joint_moves_along_its_axis_in_m(changed, testbot):
    robot = changed(('name="bend" type="revolute"', 'name="bend" type="prismatic"'))
    moved = hand(robot, [0, 0.3, 0]) - hand(robot, [0, 0, 0])
    assert np.allclose(moved, [0, 0.3, 0], atol=1e-12)
    from vla_robot.collision import CollisionModel

    model = CollisionModel(robot)
    pair = model.pairs.index(('stand', 'lower'))
    assert model.distance_bounds[pair][robot.index['bend']] == 1.0


def test_the_hull_of_a_mesh_contains_it_and_a_distance_to_it_is_never_larger(tmp_path):
    import coal
    import trimesh

    from vla_robot.meshes import convex_hull, load_mesh

    where = (tmp_path, 'mesh')
    horseshoe = trimesh.creation.box((0.2, 0.2, 0.05)).subdivide().subdivide()
    vertices = horseshoe.vertices.copy()
    inner = (np.abs(vertices[:, 0]) < 0.06) & (vertices[:, 1] > 0)
    vertices[inner, 1] -= 0.08  # a notch
    horseshoe.vertices = vertices
    horseshoe.export(tmp_path / 'notch.stl')
    points, mesh = load_mesh(tmp_path / 'notch.stl', [1, 1, 1], where)
    assert mesh.num_tris == len(horseshoe.faces)
    hull = convex_hull(points, where)
    normals, offsets = np.array(hull.normals()), np.array(hull.offsets()).ravel()
    assert (points @ normals.T + offsets <= 1e-9).all()
    ball, here = coal.Sphere(0.02), coal.Transform3s()
    rng = np.random.default_rng(0)
    closer = 0
    for _ in range(200):
        place = coal.Transform3s(np.eye(3), rng.uniform(-0.3, 0.3, 3))
        distances = [
            coal.distance(shape, here, ball, place, coal.DistanceRequest(), coal.DistanceResult())
            for shape in (hull, mesh)
        ]
        if distances[1] > 0:
            assert distances[0] <= distances[1] + 1e-9
            closer += distances[0] < distances[1] - 1e-3
    assert closer > 3  # the notch is filled
