# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_sim view_scene --out scene.png`: a scene by head camera and overview."""

import argparse
import os
import sys
from collections.abc import Sequence

import cv2
import numpy as np

from vla_common.errors import ConfigError
from vla_robot import load_robot
from vla_sim.mujoco_model import OVERVIEW
from vla_sim.renderer import BACKENDS, Renderer
from vla_sim.scene import Scene
from vla_sim.world import World


def picture(world: World, width: int, height: int, backend: str) -> tuple[np.ndarray, str]:
    """Both cameras side by side, (H, 2 W, 3) RGB uint8, and the backend that rendered them."""
    views, used = [], backend
    for camera in (world.robot.camera.name, OVERVIEW):
        with Renderer(world.robot, world.scene, width, height, backend, camera) as renderer:
            views.append(renderer.render(world.qpos)[0])
            used = renderer.backend
    return np.hstack(views), used


def write_image(file: str | os.PathLike[str], image: np.ndarray) -> None:
    """Write an RGB image (H, W, 3) as a PNG. Raises ConfigError where it cannot be written."""
    if not cv2.imwrite(os.fspath(file), image[:, :, ::-1]):
        raise ConfigError(file, '', 'not writable', 'a place for a PNG file')


def add_camera_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of robot and renderer."""
    parser.add_argument('--robot', default='humanoid32', help='name or directory')
    parser.add_argument('--width', type=int, default=640, help='pixels (default 640)')
    parser.add_argument('--height', type=int, default=480, help='pixels (default 480)')
    parser.add_argument('--backend', default='auto', choices=BACKENDS)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog='view_scene', description=__doc__)
    parser.add_argument('--out', required=True, help='the PNG file to write')
    parser.add_argument(
        '--seed', type=int, help='seed of a random scene (default: the default scene)'
    )
    parser.add_argument('--scene', help='a scene file (JSON) instead')
    parser.add_argument('--pose', default='standing', help='a pose of the robot')
    add_camera_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        robot = load_robot(options.robot)
        if options.scene is not None:
            scene = Scene.load(options.scene)
        elif options.seed is not None:
            scene = Scene.sample(options.seed)
        else:
            scene = Scene.default()
        if options.pose not in robot.poses:
            wanted = 'one of ' + ', '.join(robot.poses)
            raise ConfigError('command line', '--pose', options.pose, wanted)
        world = World(robot, scene)
        world.reset(options.pose)
        image, backend = picture(world, options.width, options.height, options.backend)
        write_image(options.out, image)
    except ConfigError as error:
        print(f'view_scene: {error}', file=sys.stderr)
        return 1
    cubes = ', '.join(cube.name for cube in scene.cubes) or 'no cubes'
    print(f'{options.out}: {cubes}; rendered with {backend}, scene {scene.digest}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
