# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Camera images of the scene, rendered from the world's `qpos` alone."""

from typing import Self

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
    """Renders one camera, in the thread that created it, outside the physics process.

    The camera frame is optical: z forward, x right, y down; a point (x, y, z) in it is imaged at
    u = cx + fx x / z, v = cy + fy y / z, where pixel (0, 0) covers u and v from 0 to 1.

    Args:
        width, height: pixels. The vertical field of view is the robot's; the horizontal one
            follows from the aspect ratio.
        backend: `auto` takes the first of egl, osmesa and raycast that works on this machine. All
            give the same image within a few levels, except for single pixels at edges.
        camera: the name of one of the robot's cameras, or `overview`.
        noise: ±1 level on every pixel, as a real sensor has. Two equal images then mean that the
            camera is frozen, not that the scene is at rest.

    Raises ConfigError: the backend does not work on this machine, or there is no such camera.
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
        cameras = (*(one.name for one in robot.cameras.values()), OVERVIEW)
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
        # Noise drawn once and read from a random offset is cheaper than new noise.
        self._noise = (
            self._random.integers(-1, 2, width * height * 3 + 8192, dtype=np.int16)
            if noise
            else None
        )
        self.backend, self._eye = self._open(backend)

    def _hide_housing(self) -> None:
        """Hide the link that holds the head's camera, also when the scene offsets the camera.

        OpenGL would omit the faces seen from behind, the ray caster would not. The other cameras
        are mounted outside of their links, and a wrist's shall see the hand.
        """
        if self.camera != self.robot.camera.name:
            return
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
            reason = 'no such library, or it renders nothing'
            if opengl.available(candidate):
                try:
                    return candidate, OpenGlCamera(self._model, *size, candidate)
                except (ImportError, RuntimeError, AttributeError) as error:
                    # E.g. this process has loaded the other OpenGL platform.
                    reason = str(error)
            if backend == candidate:
                raise ConfigError(
                    'renderer', 'backend', f'{backend} ({reason})', 'auto or raycast here'
                )
        return 'raycast', RayCamera(self._model, self.scene, *size)

    def render(self, qpos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Render the world in the state `World.qpos`.

        Returns:
            rgb (H, W, 3) uint8, and depth (H, W) float32: m along the optical axis, +inf where
            nothing is within 20 m (REP-118).

        Raises ValueError: qpos is of another robot or scene, or not finite.
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
        """Release the graphics context; the renderer cannot be used afterwards."""
        self._eye.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc) -> None:
        self.close()
