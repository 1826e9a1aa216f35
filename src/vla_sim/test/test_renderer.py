# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A picture shows what is there, where it is, and the same with every backend."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_robot import load_robot
from vla_sim import CameraOffset, Renderer, Scene, World, opengl
from vla_sim.snapshot import side_by_side
from vla_sim.view_scene import main

SIZES = [(112, 112), (224, 224), (321, 241)]  # odd sizes too


@pytest.fixture(scope='module')
def world(robot) -> World:
    world = World(robot)
    world.reset('ready')
    return world


def in_image(renderer, world, point) -> tuple[float, float, float]:
    """Pixel (u, v) and depth of a world point, as the docstring of Renderer defines them."""
    rotation, position = world.frame_pose('head_camera')
    x, y, z = rotation.T @ (np.asarray(point) - position)
    fx, fy, cx, cy = renderer.intrinsics
    return cx + fx * x / z, cy + fy * y / z, z


def raycast(world, width=160, height=120, **options) -> Renderer:
    return Renderer(world.robot, world.scene, width, height, backend='raycast', **options)


def test_every_cube_of_the_default_scene_is_seen_in_the_ready_pose(world):
    with raycast(world, 320, 240) as renderer:
        rgb, depth = renderer.render(world.qpos)
        for cube in world.scene.cubes:
            top = np.array(cube.position) + [0, 0, cube.size / 2]
            u, v, z = in_image(renderer, world, top)
            assert 0 <= u < 320 and 0 <= v < 240
            seen = rgb[int(v), int(u)] / 255
            # The colour of the cube, whatever the light does to its brightness.
            expected = np.array(cube.rgb) / np.linalg.norm(cube.rgb)
            assert seen @ expected / np.linalg.norm(seen) > 0.98, cube.name
            assert depth[int(v), int(u)] == pytest.approx(z, abs=0.01)


@pytest.mark.parametrize('side', ['left', 'right'])
def test_a_wrist_camera_sees_the_table_and_its_own_hand_where_they_are(world, side):
    camera = world.robot.cameras[f'{side}_wrist']
    with raycast(world, 320, 240, camera=camera.name) as renderer:
        rgb, depth = renderer.render(world.qpos)
        body = world.data.body(camera.link)
        rotation, place = body.xmat.reshape(3, 3), body.xpos
        fx, fy, cx, cy = renderer.intrinsics
        assert fy == pytest.approx(120 / np.tan(camera.fovy / 2))
        near = 0
        for cube in world.scene.cubes:
            top = np.array(cube.position) + [0, 0, cube.size / 2]
            x, y, z = rotation.T @ (top - place)
            u, v = round(cx + fx * x / z - 0.5), round(cy + fy * y / z - 0.5)
            if z > 0 and 2 < u < 317 and 2 < v < 237 and abs(depth[v, u] - z) < 0.01:
                near += 1
                seen, expected = rgb[v, u] / 255, np.array(cube.rgb)
                cosine = seen @ expected / np.linalg.norm(seen) / np.linalg.norm(expected)
                assert cosine > 0.98, cube.name
        assert near >= 2
        x, y, z = rotation.T @ (world.frame_pose(f'{side}_hand')[1] - place)
        seen = depth[int(cy + fy * y / z), int(cx + fx * x / z)]
        assert 0.05 < seen <= z + 0.005, 'the fingers, seen from above, before their tips'


def test_the_whole_table_in_front_is_seen_in_the_ready_pose(world):
    with raycast(world, 320, 240) as renderer:
        table = world.scene.table
        near = table.position[0] - table.size[0] / 2
        for y in (-0.3, 0.0, 0.3):
            for x in (near, near + 0.45):
                u, v, _ = in_image(renderer, world, (x, y, table.height))
                assert 0 <= u < 320 and 0 <= v < 240


def test_a_moved_cube_moves_in_the_picture(world, robot):
    other = World(robot)
    other.reset('ready')
    other.set_cube_position('red_cube', (0.45, 0.25, 0.8625))
    with raycast(world, noise=False) as renderer:
        before, _ = renderer.render(world.qpos)
        after, _ = renderer.render(other.qpos)
        u, v, _ = in_image(renderer, other, (0.45, 0.25, 0.885))
    red = after[int(v), int(u)].astype(int)
    assert red[0] > 2 * red[1]
    assert np.abs(before[int(v), int(u)].astype(int) - red).max() > 50


def test_floor_and_sky_differ_and_the_sky_has_no_depth(world, robot):
    standing = World(robot)
    with raycast(world, noise=False) as renderer:
        rgb, depth = renderer.render(standing.qpos)
    assert np.isinf(depth[0]).all() and np.isfinite(depth[-1]).all()
    assert (rgb[0, 80] == np.round(255 * np.array(world.scene.sky_rgb))).all()
    assert np.abs(rgb[0, 80].astype(int) - rgb[-1, 80]).max() > 40


def test_what_is_two_pixels_wide_is_not_missed_by_the_two_passes_of_the_ray_caster(robot):
    """Against one ray for every pixel."""
    scene = Scene.sample(11)
    world = World(robot, scene)
    world.reset('ready')
    for camera in ('head_camera', 'overview'):
        with Renderer(robot, scene, 163, 121, 'raycast', camera, noise=False) as renderer:
            rgb, depth = renderer.render(world.qpos)
            eye, data = renderer._eye, renderer._data
            rotation = data.cam_xmat[eye._camera].reshape(3, 3)
            visible = eye._visible(data, rotation, data.cam_xpos[eye._camera])
            every_shape = np.broadcast_to(eye._shown, visible.shape)
            _, _, all_rgb, all_depth = eye._cast(data, np.arange(163 * 121), every_shape)
        differs = np.abs(rgb.reshape(-1, 3).astype(int) - all_rgb).max(axis=1) > 2
        assert differs.mean() < 0.002
        nearer = np.isfinite(depth.ravel()) & ~differs
        assert np.allclose(depth.ravel()[nearer], all_depth[nearer], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('backend', opengl.BACKENDS)
@pytest.mark.parametrize('camera', ['head_camera', 'left_wrist_camera', 'overview'])
def test_opengl_and_the_ray_caster_draw_the_same(robot, backend, camera):
    if not opengl.available(backend):
        pytest.skip(f'{backend} is not on this machine')
    if os.environ.get('PYOPENGL_PLATFORM', backend) != backend:
        pytest.skip('one process can load one OpenGL platform')
    scene = Scene.sample(4)
    world = World(robot, scene)
    world.reset('ready')
    for width, height in SIZES:
        pictures = []
        for name in (backend, 'raycast'):
            with Renderer(robot, scene, width, height, name, camera, noise=False) as renderer:
                assert renderer.backend == name
                pictures.append(renderer.render(world.qpos))
        (rgb, depth), (other_rgb, other_depth) = pictures
        same = np.abs(rgb.astype(int) - other_rgb).max(axis=2) <= 3
        assert same.mean() > 0.98  # the rest are edges, where a pixel may go to either side
        both = same & np.isfinite(depth) & np.isfinite(other_depth)
        assert both.mean() > 0.7
        error = np.abs(depth[both] - other_depth[both]) / other_depth[both]
        assert np.percentile(error, 99) < 1e-3


def test_a_misplaced_camera_does_not_see_its_own_housing(robot):
    scene = Scene(camera=CameraOffset(position=(0.0, 0.0, -0.03)))  # back into the head
    world = World(robot, scene)
    world.reset('ready')
    with raycast(world, noise=False) as renderer:
        _, depth = renderer.render(world.qpos)
    assert depth.min() > 0.2


def test_intrinsics_follow_from_the_vertical_field_of_view(world):
    with raycast(world, 320, 240) as renderer:
        fx, fy, cx, cy = renderer.intrinsics
    assert fx == fy == pytest.approx(120 / np.tan(world.robot.camera.fovy / 2))
    assert (cx, cy) == (160, 120)


def test_noise_makes_two_pictures_of_the_same_differ_by_one_level(world):
    with raycast(world, noise=True, seed=1) as renderer:
        first, first_depth = renderer.render(world.qpos)
        second, second_depth = renderer.render(world.qpos)
    difference = np.abs(first.astype(int) - second)
    assert 1 <= difference.max() <= 2
    assert (difference > 0).mean() > 0.3
    assert np.array_equal(first_depth, second_depth)
    with raycast(world, noise=False) as renderer:
        third, fourth = renderer.render(world.qpos)[0], renderer.render(world.qpos)[0]
    assert np.array_equal(third, fourth)
    assert np.abs(third.astype(int) - first).max() <= 1


def test_light_and_camera_of_the_scene_change_the_picture(robot):
    pictures = []
    for seed in (1, 2):
        scene = Scene.sample(seed, cubes=(0, 0), table_height=(0.84, 0.84))
        world = World(robot, scene)
        world.reset(robot.poses['ready'])
        with raycast(world, noise=False) as renderer:
            pictures.append(renderer.render(world.qpos)[0].astype(int))
    assert np.abs(pictures[0] - pictures[1]).mean() > 3


def test_a_state_of_another_scene_or_not_finite_is_refused(world):
    with raycast(world) as renderer:
        with pytest.raises(ValueError, match='wanted'):
            renderer.render(world.qpos[:-7])
        with pytest.raises(ConfigError) as error:
            side_by_side([renderer], world.qpos[:-7], world.robot)
        documented('Commands', 'a snapshot beside another robot', error.value)
        bad = world.qpos
        bad[10] = np.nan
        with pytest.raises(ValueError, match='finite'):
            renderer.render(bad)


def test_an_unknown_backend_camera_or_size_is_one_clear_error(robot):
    with pytest.raises(ConfigError, match=r'backend: found vulkan, wanted one of auto, egl'):
        Renderer(robot, backend='vulkan')
    with pytest.raises(ConfigError, match=r'camera: found back, wanted one of head_camera'):
        Renderer(robot, camera='back')
    with pytest.raises(ConfigError, match='0 x 10'):
        Renderer(robot, width=0, height=10)


def test_a_broken_graphics_library_never_ends_the_process_and_auto_continues_without_it(
    robot, world, monkeypatch
):
    opengl.available.cache_clear()
    # What the probe's process does when the library is missing or crashes.
    monkeypatch.setattr(opengl.sys, 'executable', '/bin/false')
    try:
        with Renderer(robot, world.scene, 64, 48) as renderer:
            assert renderer.backend == 'raycast'
            assert renderer.render(world.qpos)[0].shape == (48, 64, 3)
        with pytest.raises(ConfigError, match='auto or raycast'):
            Renderer(robot, world.scene, 64, 48, backend='egl')
    finally:
        opengl.available.cache_clear()


def test_importing_the_package_loads_no_graphics_library():
    code = (
        'import sys, vla_sim; '
        "assert not [m for m in sys.modules if m.split('.')[0] == 'OpenGL']; "
        "assert 'mujoco.egl' not in sys.modules"
    )
    environment = {k: v for k, v in os.environ.items() if k != 'MUJOCO_GL'}
    subprocess.run([sys.executable, '-c', code], check=True, env=environment, timeout=60)


def test_a_robot_of_meshes_and_without_visuals_is_seen():

    testbot = load_robot(Path(__file__).resolve().parents[2] / 'vla_robot' / 'test' / 'testbot')
    scene = Scene(cubes=())
    world = World(testbot, scene)
    world.step(1)
    with Renderer(testbot, scene, 120, 90, 'raycast', 'overview', noise=False) as renderer:
        _, depth = renderer.render(world.qpos)
        with_mesh = renderer._model.geom('pan_0').id
        eye = renderer._data.cam_xpos[renderer._model.camera('overview').id]
        center = renderer._data.geom_xpos[with_mesh]
    assert (np.abs(depth - np.linalg.norm(center - eye)) < 0.1).any()


def test_view_scene_writes_both_cameras_side_by_side(tmp_path, capsys):
    out = tmp_path / 'scene.png'
    options = ['--width', '64', '--height', '48', '--backend', 'raycast', '--pose', 'ready']
    assert main(['--out', str(out), '--seed', '3', *options]) == 0
    assert cv2.imread(str(out)).shape == (48, 128, 3)
    assert 'rendered with raycast' in capsys.readouterr().out


def test_view_scene_reports_errors(tmp_path, capsys):
    assert main(['--out', str(tmp_path / 'a.png'), '--pose', 'kneeling']) == 1
    assert '--pose: found kneeling, wanted one of standing' in capsys.readouterr().err
    assert main(['--out', str(tmp_path / 'a.png'), '--scene', str(tmp_path / 'no.json')]) == 1
    assert 'no.json' in capsys.readouterr().err
