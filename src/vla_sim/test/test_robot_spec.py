# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""MuJoCo's robot is the URDF's: names, meshes, dynamics; what differs is refused."""

import dataclasses
import shutil
from pathlib import Path

import mujoco
import numpy as np
import pytest
import trimesh

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_robot import load_robot
from vla_sim import Scene, World
from vla_sim.mujoco_model import build

TESTBOT = Path(__file__).parents[2] / 'vla_robot' / 'test' / 'testbot'


@pytest.fixture
def changed(tmp_path):
    def load(*changes):
        shutil.copytree(TESTBOT, tmp_path / 'testbot')
        path = tmp_path / 'testbot' / 'robot.urdf'
        text = path.read_text()
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        path.write_text(text)
        return load_robot(tmp_path / 'testbot')

    return load


def test_a_mujoco_block_of_the_urdf_changes_nothing(changed):
    plain = build(load_robot(TESTBOT), Scene.default())
    block = '<mujoco><compiler boundmass="9" discardvisual="false"/></mujoco><mujoco/></robot>'
    model = build(changed(('</robot>', block)), Scene.default())
    assert np.array_equal(model.body_mass, plain.body_mass)


@pytest.mark.parametrize('name', ['table', 'red_cube'])
def test_a_link_with_a_name_of_the_scene_is_refused(changed, name):
    robot = changed(('name="upper"', f'name="{name}"'), ('link="upper"', f'link="{name}"'))
    with pytest.raises(ConfigError) as caught:
        World(robot)
    assert caught.value.key == f'link[{name}]'
    assert caught.value.found == 'a name of the simulated scene'
    case = {'table': 'a link named table', 'red_cube': 'a link named as a cube'}[name]
    documented('URDFs', case, caught.value, robot.directory)


def test_a_refusal_of_mujoco_is_one_line_with_the_file(changed):
    robot = changed(('"upper_0"', '"table_top"'), ('name="upper"', 'name="floor_0"'),
                    ('link="upper"', 'link="floor_0"'))  # fmt: skip
    World(robot)  # shapes are named by their link
    text = robot.urdf_text.replace('mass value="0.6"', 'mass value="-0.6"')
    broken = dataclasses.replace(robot, urdf_text=text)
    with pytest.raises(ConfigError, match='a URDF that MuJoCo reads') as caught:
        World(broken)
    assert caught.value.file == str(robot.urdf_path)
    assert '\n' not in str(caught.value)
    assert caught.value.__cause__ is not None
    documented('URDFs', 'what MuJoCo alone refuses', caught.value, robot.directory)


def test_damping_and_friction_of_the_urdf_reach_the_simulation(changed):
    axis = '<axis xyz="0 0 1"/>'
    robot = changed((axis, axis + '<dynamics damping="0.7" friction="0.2"/>'))
    model = build(robot, Scene.default())
    dof = model.joint('pan').dofadr[0]
    assert model.dof_damping[dof] == 0.7 and model.dof_frictionloss[dof] == 0.2
    assert model.dof_damping[model.joint('lift').dofadr[0]] == 0.1


def test_two_meshes_of_one_file_name_stay_two_and_every_format_is_read(changed, tmp_path):
    robot = changed()
    folder = robot.directory
    for name, size, file in (('a', 0.1, 'part.obj'), ('b', 0.2, 'part.obj'), ('c', 0.05, 'p.ply')):
        (folder / name).mkdir()
        trimesh.creation.box((size, 0.02, 0.02)).export(folder / name / file)
    urdf = folder / 'robot.urdf'
    text = urdf.read_text()
    for link, file in (('lower', 'a/part.obj'), ('upper', 'b/part.obj'), ('stand', 'c/p.ply')):
        shape = f'<collision><geometry><mesh filename="{file}"/></geometry></collision>'
        text = text.replace(f'<link name="{link}">', f'<link name="{link}">{shape}')
    urdf.write_text(text)
    robot = load_robot(folder)
    model = build(robot, Scene.default())  # and compared with Pinocchio's
    for link, half in (('lower', 0.05), ('upper', 0.1), ('stand', 0.025)):
        geom = model.geom(f'{link}_0').id
        assert model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH
        assert max(model.geom_aabb[geom, 3:]) == pytest.approx(half, abs=1e-6)


def test_a_robot_that_mujoco_reads_otherwise_than_pinocchio_is_refused():
    robot = load_robot(TESTBOT)
    for before, after, what in (
        ('xyz="0.08 0 0.3"', 'xyz="0.08 0 0.31"', 'position'),
        ('size="0.18 0.05 0.05"', 'size="0.18 0.05 0.06"', 'collision shape'),
        ('mass value="0.6"', 'mass value="0.7"', 'mass'),
    ):
        text = robot.urdf_text.replace(before, after)
        assert text != robot.urdf_text
        with pytest.raises(ConfigError, match=f'{what}: MuJoCo and Pinocchio differ') as caught:
            World(dataclasses.replace(robot, urdf_text=text))
        if what == 'mass':
            case = 'what MuJoCo reads otherwise than Pinocchio'
            documented('URDFs', case, caught.value, robot.directory)


def test_a_prismatic_joint_is_moved_by_its_servo_in_m(changed):
    robot = changed(('name="bend" type="revolute"', 'name="bend" type="prismatic"'))
    world = World(robot)
    target = robot.poses['standing'].copy()
    target[robot.index['bend']] = 0.2
    world.command(target)
    world.step(1500)
    assert world.read().position[robot.index['bend']] == pytest.approx(0.2, abs=0.01)
