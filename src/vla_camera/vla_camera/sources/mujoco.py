# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The simulated camera: renders /sim/world_state with the scene of /sim/scene.

It runs in the camera's process: rendering in the physics process would delay its steps. Only states
with the digest of the present scene are rendered. Without states there is no image.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from vla_camera.source import Calibration, CameraFacts, DeviceLostError, Frame, Source
from vla_common import topics
from vla_common.clock import steady_now
from vla_common.errors import ConfigError
from vla_common.stamps import StampSequence
from vla_robot import Camera
from vla_robot.directory import HEAD_CAMERA
from vla_sim import Renderer, Scene

RATE = 16.0
"""Hz; at least 15 are promised."""


class MujocoSource(Source):
    """width, height: pixels. rate: Hz at most. camera: of the robot, by default its head's.
    on_scene and on_state are called in another thread."""

    reopen_silent = False

    def __init__(
        self,
        robot,
        width: int,
        height: int,
        rate: float,
        backend: str = 'auto',
        depth: bool = True,
        now: Callable[[], float] = steady_now,
        camera: Camera | None = None,
    ) -> None:
        self._robot = robot
        self._camera = (camera or robot.camera).name
        self._size = (width, height)
        self._period = 1.0 / rate
        self._rate = rate
        self._backend = backend
        self._depth = depth
        self._now = now
        self._arrived = threading.Condition()
        self._scene: Scene | None = None
        self._scene_error = ''
        self._state: tuple[np.ndarray, str, int] | None = None
        self._drawn_ns = -1
        self._due = -np.inf
        self._renderer: Renderer | None = None
        self._drawn_scene: Scene | None = None
        self.foreign = 0
        self.refused = 0
        self.not_new = 0
        self._order = StampSequence()
        self.render_s = 0.0

    @classmethod
    def from_parameters(cls, params: Any, robot: Any) -> Self:
        p, name = params, params.name or HEAD_CAMERA
        if name not in robot.cameras:
            known = ', '.join(robot.cameras)
            wanted = f'a simulated camera of {robot.name}: {known}'
            raise ConfigError(robot.directory / 'robot.yaml', 'cameras', f'no {name}', wanted)
        camera = robot.cameras[name]
        width, height = p.width or camera.width, p.height or camera.height
        return cls(robot, width, height, p.rate or RATE, p.backend, p.depth, camera=camera)

    @classmethod
    def device_parameter(cls, params: Any) -> tuple[str, str]:
        return 'source', 'a simulated camera'

    def connect(self, node: Any) -> None:
        node.subscribe(topics.SCENE, lambda message: self.on_scene(message.data), always=True)
        fields = ('qpos', 'scene_digest', 'header.stamp')
        node.subscribe_fields(topics.WORLD_STATE, fields, self.on_state)

    def on_scene(self, text: str) -> None:
        try:
            scene, error = Scene.from_json(text), ''
        except ConfigError as refused:
            scene, error = None, str(refused)
        with self._arrived:
            self._scene, self._scene_error = scene, error
            self._arrived.notify_all()

    def on_state(self, qpos: np.ndarray, scene_digest: str, stamp_ns: int) -> None:
        qpos = np.array(qpos, float)
        with self._arrived:
            if not np.isfinite(qpos).all():
                self.refused += 1
                return
            if self._order.reject(stamp_ns, time.time_ns()):
                self.not_new += 1
                return
            self._state = (qpos, scene_digest, stamp_ns)
            self._arrived.notify_all()

    @property
    def waiting_for(self) -> str:
        """Why there is no image; empty for no reason."""
        with self._arrived:
            if self._scene_error:
                return self._scene_error
            if self._scene is None:
                return 'no /sim/scene received: is the hardware driver configured with mujoco?'
            if self._state is None:
                return 'no /sim/world_state received: is the hardware driver active?'
            if self._state[1] != self._scene.digest:
                return (
                    f'/sim/world_state is of scene {self._state[1]}, '
                    f'/sim/scene is {self._scene.digest}: not drawn'
                )
            return ''

    @property
    def backend(self) -> str:
        """Of the renderer; the requested one before the first scene."""
        return self._renderer.backend if self._renderer is not None else self._backend

    def open(self) -> CameraFacts:
        # Renders once the scene is known; created now, so that a backend that does not work is
        # reported at configure.
        width, height = self._size
        with self._renderer_of(Scene.default()) as trial:
            fx, fy, cx, cy = trial.intrinsics
        # The renderer counts from the edge of the first pixel, CameraInfo from its centre.
        calibration = Calibration(fx, fy, cx - 0.5, cy - 0.5)
        return CameraFacts(
            f'mujoco {self._camera}', width, height, self._rate, calibration, depth=self._depth
        )

    def grab(self, timeout: float) -> Frame | None:
        end = self._now() + timeout
        wait = self._due - self._now()
        if wait > 0.0:
            time.sleep(min(wait, timeout))
        with self._arrived:
            if not self._arrived.wait_for(self._drawable, max(0.0, end - self._now())):
                return None
            assert self._state is not None
            scene, (qpos, _, stamp_ns) = self._scene, self._state
            self._drawn_ns = stamp_ns
        assert scene is not None
        now = self._now()
        # On a grid, so that the jitter of the states does not lower the mean rate.
        self._due = max(self._due + self._period, now - self._period)
        renderer = self._renderer_for(scene)
        began = time.perf_counter()
        try:
            color, depth = renderer.render(qpos)
        except ValueError as error:
            raise DeviceLostError(f'/sim/world_state: {error}') from error
        self.render_s = time.perf_counter() - began
        return Frame(color, depth if self._depth else None, stamp_ns)

    def discard(self) -> None:
        with self._arrived:
            self._state = None

    def notes(self) -> dict[str, str]:
        return {
            'backend': self.backend,
            'render_ms': f'{1000.0 * self.render_s:.1f}',
            'states_of_another_scene': str(self.foreign),
            'states_not_finite': str(self.refused),
            'states_not_new_or_of_the_future': str(self.not_new),
        }

    def close(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
        self._renderer = self._drawn_scene = None

    def _drawable(self) -> bool:
        if self._scene is None or self._state is None:
            return False
        _, digest, stamp_ns = self._state
        if stamp_ns == self._drawn_ns:
            return False
        if digest != self._scene.digest:
            self.foreign += 1
            self._drawn_ns = stamp_ns
            return False
        return True

    def _renderer_for(self, scene: Scene) -> Renderer:
        """Created here, because an OpenGL context belongs to the thread that created it."""
        if self._renderer is None or self._drawn_scene is not scene:
            self.close()
            self._renderer = self._renderer_of(scene)
            self._drawn_scene = scene
        return self._renderer

    def _renderer_of(self, scene: Scene) -> Renderer:
        return Renderer(self._robot, scene, *self._size, self._backend, self._camera)
