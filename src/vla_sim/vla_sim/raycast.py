# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Drawing with MuJoCo's ray caster: the same picture as OpenGL's, without any graphics library."""

from __future__ import annotations

import mujoco
import numpy as np

from vla_sim.mujoco_model import FAR, HEADLIGHT_DIFFUSE, VISIBLE_GROUPS
from vla_sim.scene import Scene

CHUNK = 6000  # rays; larger ones fall out of the cache


class RayCamera:
    """Casts one ray per pixel and shades with Lambert's law: ambient, headlight and sun."""

    def __init__(
        self, model: mujoco.MjModel, scene: Scene, camera: str, width: int, height: int
    ) -> None:
        self._model = model
        self._camera = model.camera(camera).id
        self._width, self._height = width, height
        focal = 0.5 * height / np.tan(0.5 * np.radians(model.cam_fovy[self._camera]))
        across, down = np.meshgrid(
            np.arange(width) + 0.5 - width / 2, np.arange(height) + 0.5 - height / 2
        )
        rays = np.stack([across / focal, -down / focal, -np.ones_like(across)], axis=-1)
        rays = rays.reshape(-1, 3)
        length = np.linalg.norm(rays, axis=1)
        self._rays = rays / length[:, None]
        self._forward = 1.0 / length  # depth along the optical axis per distance along the ray
        count = len(rays)
        self._world_rays = np.empty((count, 3))
        self._geom = np.empty(count, np.int32)
        self._distance = np.empty(count)
        self._normal = np.empty((count, 3))
        self._groups = np.array([group in VISIBLE_GROUPS for group in range(6)], np.uint8)
        # One more row: index -1, nothing hit.
        self._colors = np.vstack([model.geom_rgba[:, :3], scene.sky_rgb]).astype(np.float32)
        # MuJoCo gives a geom a colour through its material, if it has one.
        for geom, material in enumerate(model.geom_matid):
            if material >= 0:
                self._colors[geom] = model.mat_rgba[material, :3]
        self._ambient = scene.light.ambient
        self._diffuse = scene.light.diffuse
        direction = np.asarray(scene.light.direction, dtype=float)
        self._to_sun = -direction / np.linalg.norm(direction)

    def draw(self, data: mujoco.MjData) -> tuple[np.ndarray, np.ndarray]:
        """(rgb (H, W, 3) uint8, depth (H, W) float32 m, FAR where there is nothing)."""
        rotation = data.cam_xmat[self._camera].reshape(3, 3)
        eye = np.ascontiguousarray(data.cam_xpos[self._camera])
        np.matmul(self._rays, rotation.T, out=self._world_rays)
        for start in range(0, len(self._rays), CHUNK):
            part = slice(start, min(start + CHUNK, len(self._rays)))
            mujoco.mj_multiRay(
                self._model,
                data,
                eye,
                self._world_rays[part].reshape(-1),
                self._groups,
                True,
                -1,
                self._geom[part],
                self._distance[part],
                self._normal[part].reshape(-1),
                part.stop - part.start,
                2 * FAR,
            )
        hit = self._geom >= 0
        depth = np.where(hit, self._distance * self._forward, FAR).astype(np.float32)
        headlight = self._normal @ rotation[:, 2]  # the camera looks along -z
        sun = self._normal @ self._to_sun
        brightness = self._ambient + HEADLIGHT_DIFFUSE * np.maximum(headlight, 0.0)
        brightness += self._diffuse * np.maximum(sun, 0.0)
        brightness[~hit] = 1.0
        color = self._colors[self._geom] * brightness.astype(np.float32)[:, None]
        np.minimum(color, 1.0, out=color)
        color *= 255.0
        color += 0.5
        shape = (self._height, self._width)
        return color.astype(np.uint8).reshape(*shape, 3), depth.reshape(shape)

    def close(self) -> None:
        """Nothing is held."""
