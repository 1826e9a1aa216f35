# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What a camera in the scene sees, from the world's `qpos` alone."""

from __future__ import annotations

import mujoco
import numpy as np

from vla_common.errors import ConfigError
from vla_robot import RobotModel
from vla_sim import opengl
from vla_sim.mujoco_model import FAR, HIDDEN_GROUP, OVERVIEW, build
from vla_sim.opengl import OpenGlCamera
from vla_sim.raycast import RayCamera
from vla_sim.scene import Scene

BACKENDS = ('auto', *opengl.BACKENDS, 'raycast')


class Renderer:
    """Renders one camera. Use it in the thread that made it, away from the physics process.

    The camera frame is optical: z forward, x right, y down; a point (x, y, z) in it is seen at
    u = cx + fx x / z, v = cy + fy y / z, where pixel (0, 0) covers u and v from 0 to 1.

    Args:
        width, height: pixels. The vertical field of view is the robot's, so that the horizontal
            one follows from the shape.
        backend: `auto` takes the first of egl, osmesa and raycast that works here. All give the
            same picture within a few levels; only at edges OpenGL may choose another pixel.
        camera: the robot's camera name, or `overview`.
        noise: +-1 level on every pixel, as any real sensor has. Two equal images then mean that
            the camera is frozen, not that the scene rests.

    Raises:
        ConfigError: the backend does not work here, or there is no such camera.
    """

    def __init__(
        self,
        robot: RobotModel,
        scene: Scene | None = None,
        width: int = 320,
        height: int = 240,
        backend: str = 'auto',
        camera: str = 'head_camera',
        noise: bool = True,
        seed: int | None = None,
    ) -> None:
        scene = scene if scene is not None else Scene.default()
        cameras = (robot.camera.name, OVERVIEW)
        if camera not in cameras:
            raise ConfigError('renderer', 'camera', camera, 'one of ' + ', '.join(cameras))
        if width < 1 or height < 1:
            raise ConfigError('renderer', 'size', f'{width} x {height}', 'at least 1 x 1')
        self.robot, self.scene, self.camera = robot, scene, camera
        self.width, self.height = width, height
        self._model = build(robot, scene, visual=True)
        self._data = mujoco.MjData(self._model)
        self._hide_housing()
        self._sky = np.round(255 * np.array(scene.sky_rgb)).astype(np.uint8)
        self._random = np.random.default_rng(seed)
        # A stock of noise that is read from a random place is as good as new noise, and cheap.
        self._noise = (
            self._random.integers(-1, 2, width * height * 3 + 8192, dtype=np.int16)
            if noise
            else None
        )
        self.backend, self._eye = self._open(backend)

    def _hide_housing(self) -> None:
        """A camera does not see the link that it sits in, however the scene has it misplaced.

        OpenGL would leave out the faces that are seen from behind, the ray caster would not.
        """
        model = self._model
        holder = model.body_weldid[model.cam_bodyid[model.camera(self.camera).id]]
        if holder != 0:  # 0: fixed in the world
            model.geom_group[model.body_weldid[model.geom_bodyid] == holder] = HIDDEN_GROUP

    def _open(self, backend: str) -> tuple[str, OpenGlCamera | RayCamera]:
        if backend not in BACKENDS:
            raise ConfigError('renderer', 'backend', backend, 'one of ' + ', '.join(BACKENDS))
        size = (self.camera, self.width, self.height)
        for candidate in opengl.BACKENDS:
            if backend not in ('auto', candidate):
                continue
            reason = 'no such library, or it draws nothing'
            if opengl.available(candidate):
                try:
                    return candidate, OpenGlCamera(self._model, *size, candidate)
                except (ImportError, RuntimeError, AttributeError) as error:
                    # E.g. the other OpenGL platform was loaded into this process before.
                    reason = str(error)
            if backend == candidate:
                raise ConfigError(
                    'renderer', 'backend', f'{backend} ({reason})', 'auto or raycast here'
                )
        return 'raycast', RayCamera(self._model, self.scene, *size)

    def render(self, qpos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Draw the world in the state `World.qpos`.

        Returns:
            rgb (H, W, 3) uint8, and depth (H, W) float32: m along the optical axis, +inf where
            there is nothing within 20 m (as REP-118 has it).

        Raises:
            ValueError: qpos is of another robot or scene, or not finite.
        """
        qpos = np.asarray(qpos, dtype=float)
        if qpos.shape != (self._model.nq,) or not np.isfinite(qpos).all():
            raise ValueError(
                f'qpos of shape {qpos.shape}, wanted ({self._model.nq},) finite numbers'
            )
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        rgb, depth = self._eye.draw(self._data)
        nothing = depth >= 0.999 * FAR
        if nothing.any():
            rgb[nothing] = self._sky
            depth[nothing] = np.inf
        if self._noise is not None:
            start = int(self._random.integers(8192))
            noise = self._noise[start : start + rgb.size].reshape(rgb.shape)
            rgb = np.clip(rgb + noise, 0, 255).astype(np.uint8)
        return rgb, depth

    @property
    def intrinsics(self) -> tuple[float, float, float, float]:
        """(fx, fy, cx, cy) in pixels; the pixels are square."""
        fovy = np.radians(self._model.camera(self.camera).fovy[0])
        focal = 0.5 * self.height / np.tan(0.5 * fovy)
        return float(focal), float(focal), self.width / 2, self.height / 2

    def close(self) -> None:
        """Give the graphics context back; the renderer cannot be used afterwards."""
        self._eye.close()

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, *_exc) -> None:
        self.close()
