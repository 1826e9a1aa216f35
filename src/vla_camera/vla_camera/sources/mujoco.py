# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The simulated head camera: renders what the driver says the world looks like.

The scene and the world's state come from the hardware driver over topics; the node passes them
on. Rendering happens here, in the camera's process, because a frame costs milliseconds that the
physics does not have.
"""

from __future__ import annotations

import threading

import numpy as np

from vla_camera.sources.base import Facts, Frame
from vla_common.clock import steady_now
from vla_robot import RobotModel
from vla_sim import Renderer, Scene


class MujocoSource:
    """Renders the newest world state, each at most once.

    A state of another scene than the one announced is counted in `foreign` and not drawn.

    Args:
        width, height: px.
        rate: highest number of images per second.
        backend: of `vla_sim.Renderer`.
    """

    def __init__(
        self, robot: RobotModel, width: int, height: int, rate: float, backend: str
    ) -> None:
        self._robot = robot
        self._size = (width, height)
        self._period = 1.0 / rate
        self._backend = backend
        self._renderer: Renderer | None = None
        self._renderer_digest = ''
        self._news = threading.Condition()
        self._scene: Scene | None = None
        self._state: tuple[int, str, np.ndarray] | None = None
        self._next = 0.0
        self.foreign = 0

    @property
    def backend(self) -> str:
        """The renderer in use; empty before the first image."""
        return self._renderer.backend if self._renderer is not None else ''

    def open(self) -> Facts:
        # The default scene stands for any here: what is found out is whether rendering works, and
        # the intrinsics, which do not depend on the scene. Made and closed in this thread: an
        # OpenGL context belongs to the thread that made it.
        renderer = Renderer(self._robot, None, *self._size, backend=self._backend)
        try:
            intrinsics = tuple(float(value) for value in renderer.intrinsics)
            name = f'simulated head camera ({renderer.backend})'
        finally:
            renderer.close()
        return Facts(name, *self._size, intrinsics=intrinsics, has_depth=True)

    def take_scene(self, text: str) -> None:
        """Take the scene as JSON. ConfigError if it is malformed."""
        scene = Scene.from_json(text, '/sim/scene')
        with self._news:
            self._scene = scene
            self._news.notify_all()

    def take_state(self, stamp_ns: int, digest: str, qpos: np.ndarray) -> None:
        """Take a world state: MuJoCo's qpos, valid in the scene of that digest."""
        with self._news:
            self._state = (stamp_ns, digest, qpos)
            self._news.notify_all()

    def grab(self, timeout: float) -> Frame | None:
        deadline = steady_now() + timeout
        with self._news:
            while True:
                now = steady_now()
                due = self._state is not None and self._scene is not None and now >= self._next
                if due:
                    break
                if now >= deadline:
                    return None
                wake = deadline if self._state is None else min(deadline, max(self._next, now))
                self._news.wait(max(wake - now, 0.001))
            stamp_ns, digest, qpos = self._state
            self._state = None
            scene = self._scene
        if digest != scene.digest:
            self.foreign += 1
            return None
        # Against drift: the next image is due one period after this one was, not after it was done.
        now = steady_now()
        self._next = max(self._next + self._period, now - self._period)
        if self._renderer is None or self._renderer_digest != digest:
            self._close_renderer()
            self._renderer = Renderer(self._robot, scene, *self._size, backend=self._backend)
            self._renderer_digest = digest
        color, depth = self._renderer.render(qpos)
        return Frame(color, stamp_ns, depth)

    def close(self) -> None:
        self._close_renderer()

    def _close_renderer(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
