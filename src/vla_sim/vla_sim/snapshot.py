# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_sim snapshot --out DIR`: images of the running simulated robot.

Subscribes to /sim/scene and /sim/world_state, renders in this process, writes numbered PNGs:
overview and head camera side by side. `--strip` writes one file with the overviews in a row.
"""

import argparse
import pathlib
import sys
import time
from collections.abc import Sequence

import numpy as np

from vla_common.errors import ConfigError
from vla_robot import RobotModel, load_robot
from vla_sim.mujoco_model import OVERVIEW
from vla_sim.renderer import Renderer
from vla_sim.scene import Scene
from vla_sim.view_scene import add_camera_arguments, write_image


class LiveWorld:
    """The newest scene and state that the driver published."""

    def __init__(self) -> None:
        import rclpy
        from rclpy.node import Node
        from rclpy.signals import SignalHandlerOptions
        from std_msgs.msg import String

        from vla_common import qos
        from vla_interfaces.msg import WorldState

        # main handles Ctrl-C: rclpy would end the context during a wait.
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        self._rclpy = rclpy
        self._node = Node('watch')
        self.scene: Scene | None = None
        self.qpos: np.ndarray | None = None
        self._node.create_subscription(String, '/sim/scene', self._take_scene, qos.LATCHED)
        self._node.create_subscription(
            WorldState, '/sim/world_state', self._take_state, qos.STATE_SUB
        )

    def _take_scene(self, message) -> None:
        self.scene = Scene.from_json(message.data, '/sim/scene')

    def _take_state(self, message) -> None:
        if self.scene is not None and message.scene_digest == self.scene.digest:
            self.qpos = np.array(message.qpos)

    def wait(self, seconds: float) -> bool:
        """Receive for `seconds`; return whether a state is known."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._rclpy.spin_once(self._node, timeout_sec=min(0.05, seconds))
        return self.qpos is not None

    def close(self) -> None:
        self._node.destroy_node()
        self._rclpy.try_shutdown()


def side_by_side(views: Sequence[Renderer], qpos: np.ndarray, robot: RobotModel) -> np.ndarray:
    """One image of all views. Raises ConfigError: `qpos` is of another robot."""
    try:
        return np.hstack([view.render(qpos)[0] for view in views])
    except ValueError as error:
        found = f'the state of another robot ({error})'
        wanted = f'that of {robot.name}: --robot names the robot that runs'
        raise ConfigError('/sim/world_state', '', found, wanted) from error


def shoot(options: argparse.Namespace) -> str:
    """Write the images of the command line; return a summary.

    Raises ConfigError: no simulated robot published within 10 s, or another one did.
    """
    robot = load_robot(options.robot)
    out = pathlib.Path(options.out)
    if not options.strip:
        out.mkdir(parents=True, exist_ok=True)
    world = LiveWorld()
    try:
        end = time.monotonic() + 10.0
        while not world.wait(0.2):
            if time.monotonic() > end:
                raise ConfigError('/sim/world_state', '', 'nothing for 10 s', 'a simulated robot')
        size = (options.width, options.height)
        views = [
            Renderer(robot, world.scene, *size, options.backend, camera)
            for camera in (OVERVIEW, robot.camera.name)
        ]
        images = []
        for index in range(options.count):
            if index:
                world.wait(options.interval)
            image = side_by_side(views, world.qpos, robot)
            if options.strip:
                images.append(image[:, : options.width])
            else:
                write_image(out / f'{index:04d}.png', image)
        for view in views:
            view.close()
    finally:
        world.close()
    if options.strip:
        write_image(out, np.hstack(images))
    return f'{options.count} images in {out}'


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog='snapshot', description=__doc__)
    parser.add_argument('--out', required=True, help='folder for the PNGs; with --strip the file')
    parser.add_argument('--count', type=int, default=1, help='number of images (default 1)')
    parser.add_argument(
        '--interval', type=float, default=0.5, help='time between two images, s (default 0.5)'
    )
    parser.add_argument(
        '--strip', action='store_true', help='write one file with the overviews in a row'
    )
    add_camera_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        print(shoot(options))
    except (ConfigError, OSError) as error:
        print(f'snapshot: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('snapshot: interrupted', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
