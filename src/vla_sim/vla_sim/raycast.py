# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Rendering with MuJoCo's ray caster: the same image as OpenGL's, without a graphics library."""

import mujoco
import numpy as np

from vla_sim.mujoco_model import FAR, HEADLIGHT_DIFFUSE, HIDDEN_GROUP, VISIBLE_GROUPS
from vla_sim.scene import Scene

STRIDE = 2  # pixels between the rays of the first pass
TILE = 40  # pixels; the rays of a tile are cast together
ONLY_SHOWN = np.array([group != HIDDEN_GROUP for group in range(6)], np.uint8)


class RayCamera:
    """Casts rays and shades with Lambert's law: ambient, headlight and sun.

    Casting dominates the time, so it is done in two passes. The first casts every second pixel of
    every second row. Where the four rays around a cell hit the same flat face, the pixels within
    it follow: a flat face has one colour under distant lights, and 1/depth is linear in the image.
    The second pass casts the remaining pixels. Objects narrower than two pixels can fall between
    the rays of the first.

    A ray's time grows with the shapes it is tested against. So the rays are cast tile by tile, each
    with only those shapes whose bounding sphere intersects the tile's cone, and against a copy of
    the model with all shapes in one body (MuJoCo visits every body for every ray). Together the
    three take about a third of the time of one plain cast.
    """

    def __init__(
        self, model: mujoco.MjModel, scene: Scene, camera: str, width: int, height: int
    ) -> None:
        self._model = _one_body(model)
        self._data = mujoco.MjData(self._model) if self._model is not model else None
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

        rows, self._row_cell, self._row_weight = _grid(height)
        columns, self._column_cell, self._column_weight = _grid(width)
        self._shape = (len(rows), len(columns))
        self._coarse = (rows[:, None] * width + columns[None, :]).ravel()
        on_grid = np.zeros(height * width, bool)
        on_grid[self._coarse] = True
        self._off_grid = ~on_grid.reshape(height, width)

        self._make_tiles()
        self._shown = np.isin(model.geom_group, VISIBLE_GROUPS)
        self._radius = model.geom_rbound.copy()
        self._radius[self._radius <= 0] = np.inf  # planes

        # The last row, index -1, is for rays that hit nothing.
        self._colors = np.vstack([model.geom_rgba[:, :3], scene.sky_rgb]).astype(np.float32)
        # A geom with a material has the material's colour.
        for geom, material in enumerate(model.geom_matid):
            if material >= 0:
                self._colors[geom] = model.mat_rgba[material, :3]
        self._colors *= 255.0
        self._ambient = scene.light.ambient
        self._diffuse = scene.light.diffuse
        direction = np.asarray(scene.light.direction, dtype=float)
        self._to_sun = -direction / np.linalg.norm(direction)

    def draw(self, data: mujoco.MjData) -> tuple[np.ndarray, np.ndarray]:
        """(rgb (H, W, 3) uint8, depth (H, W) float32 m, FAR for the background)."""
        rotation = data.cam_xmat[self._camera].reshape(3, 3)
        visible = self._visible(data, rotation, data.cam_xpos[self._camera])
        geom, normal, color, depth = self._cast(data, self._coarse, visible)
        flat = self._flat_cells(geom, normal)
        corner = color.reshape(*self._shape, 3)
        rgb = corner[self._row_cell][:, self._column_cell]
        inverse = (1.0 / depth).reshape(self._shape)
        inverse = _interpolate(inverse, self._row_cell, self._row_weight)
        inverse = _interpolate(inverse.T, self._column_cell, self._column_weight).T
        picture_depth = (1.0 / inverse).astype(np.float32)

        unknown = ~flat[self._row_cell][:, self._column_cell]
        unknown &= self._off_grid
        rest = np.flatnonzero(unknown)
        rgb = rgb.reshape(-1, 3)
        picture_depth = picture_depth.ravel()
        rgb[self._coarse], picture_depth[self._coarse] = color, depth
        _, _, rgb[rest], picture_depth[rest] = self._cast(data, rest, visible)
        shape = (self._height, self._width)
        return rgb.reshape(*shape, 3), picture_depth.reshape(shape)

    def _flat_cells(self, geom: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """(rows, columns) of the grid: whether the cell right and below is one flat face.

        The last row and column have no such cell.
        """
        geom = geom.reshape(self._shape)
        normal = np.where(geom[..., None] >= 0, normal.reshape(*self._shape, 3), 0.0)
        right = geom[:, :-1] == geom[:, 1:]
        right &= np.abs(normal[:, :-1] - normal[:, 1:]).max(axis=-1) < 1e-6
        below = geom[:-1] == geom[1:]
        below &= np.abs(normal[:-1] - normal[1:]).max(axis=-1) < 1e-6
        flat = np.zeros(self._shape, bool)
        flat[:-1, :-1] = right[:-1] & right[1:] & below[:, :-1] & below[:, 1:]
        return flat

    def _make_tiles(self) -> None:
        across = -(-self._width // TILE)
        row, column = np.divmod(np.arange(self._width * self._height), self._width)
        self._tile = ((row // TILE) * across + column // TILE).astype(np.int16)
        tiles = int(self._tile.max()) + 1
        self._axes = np.empty((tiles, 3))  # of each tile's cone
        self._half_angles = np.empty(tiles)
        for tile in range(tiles):
            part = self._rays[self._tile == tile]
            axis = part.mean(axis=0)
            axis /= np.linalg.norm(axis)
            self._axes[tile] = axis
            self._half_angles[tile] = np.arccos(np.clip((part @ axis).min(), -1.0, 1.0))

    def _visible(self, data: mujoco.MjData, rotation: np.ndarray, eye: np.ndarray) -> np.ndarray:
        """(tiles, geoms) bool: whether the bounding sphere intersects the tile's cone."""
        offset = data.geom_xpos - eye
        distance = np.linalg.norm(offset, axis=1)
        around = distance <= self._radius
        distance[around] = 1.0
        apparent = np.arcsin(np.where(around, 0.0, self._radius) / distance)
        cosine = (self._axes @ rotation.T) @ (offset / distance[:, None]).T
        angle = np.arccos(np.clip(cosine, -1.0, 1.0))
        margin = 1e-4  # rad, for rounding
        visible = around | (angle <= self._half_angles[:, None] + apparent + margin)
        return visible & self._shown

    def _cast(
        self, data: mujoco.MjData, pixels: np.ndarray, visible: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Geom (-1: none), normal, colour and depth of these pixels."""
        rotation = data.cam_xmat[self._camera].reshape(3, 3)
        eye = data.cam_xpos[self._camera].copy()
        if self._data is not None:
            self._data.geom_xpos[:] = data.geom_xpos
            self._data.geom_xmat[:] = data.geom_xmat
            data = self._data
        tile = self._tile[pixels]
        order = np.argsort(tile, kind='stable')
        bounds = np.searchsorted(tile[order], np.arange(len(visible) + 1))
        rays = self._rays[pixels[order]]
        count = len(pixels)
        geom = np.empty(count, np.int32)
        distance = np.empty(count)
        normal = np.empty((count, 3))
        for k, mask in enumerate(visible):
            if bounds[k] == bounds[k + 1]:
                continue
            part = slice(bounds[k], bounds[k + 1])
            self._model.geom_group[:] = np.where(mask, 0, HIDDEN_GROUP)
            mujoco.mj_multiRay(
                self._model,
                data,
                eye,
                (rays[part] @ rotation.T).reshape(-1),
                ONLY_SHOWN,
                True,
                -1,
                geom[part],
                distance[part],
                normal[part].reshape(-1),
                part.stop - part.start,
                2 * FAR,
            )
        back = np.empty_like(order)
        back[order] = np.arange(count)
        geom, distance, normal = geom[back], distance[back], normal[back]
        depth = distance * self._forward[pixels]
        nothing = (geom < 0) | (depth >= FAR)
        geom[nothing] = -1
        depth[nothing] = FAR
        return geom, normal, self._shade(geom, normal, rotation[:, 2]), depth

    def _shade(self, geom: np.ndarray, normal: np.ndarray, to_camera: np.ndarray) -> np.ndarray:
        brightness = HEADLIGHT_DIFFUSE * np.maximum(normal @ to_camera, 0.0)
        brightness += self._diffuse * np.maximum(normal @ self._to_sun, 0.0)
        brightness += self._ambient
        brightness[geom < 0] = 1.0
        color = self._colors[geom] * brightness.astype(np.float32)[:, None]
        color += 0.5
        return np.minimum(color, 255.0, out=color).astype(np.uint8)

    def close(self) -> None:
        """Holds no resources."""


def _grid(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels of the first pass along one side; for each pixel, the one before it and its weight.

    The last pixel is always included, so that every pixel lies between two of the first pass.
    """
    nodes = np.union1d(np.arange(0, size, STRIDE), [size - 1])
    pixels = np.arange(size)
    cell = np.minimum(np.searchsorted(nodes, pixels, side='right') - 1, max(len(nodes) - 2, 0))
    following = nodes[np.minimum(cell + 1, len(nodes) - 1)]
    gap = np.maximum(following - nodes[cell], 1)
    return nodes, cell, (pixels - nodes[cell]) / gap


def _interpolate(values: np.ndarray, cell: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Linear along the first axis."""
    following = np.minimum(cell + 1, len(values) - 1)
    return values[cell] * (1.0 - weight)[:, None] + values[following] * weight[:, None]


def _one_body(model: mujoco.MjModel) -> mujoco.MjModel:
    """The same shapes in the world body; the model itself if a shape is a mesh."""
    types = [mujoco.mjtGeom(int(kind)) for kind in model.geom_type]
    if any(kind in (mujoco.mjtGeom.mjGEOM_MESH, mujoco.mjtGeom.mjGEOM_HFIELD) for kind in types):
        return model
    spec = mujoco.MjSpec()
    # The shapes are placed after compilation: a bounding volume tree would be wrong.
    spec.option.disableflags = mujoco.mjtDisableBit.mjDSBL_MIDPHASE
    for kind, size in zip(types, model.geom_size, strict=True):
        spec.worldbody.add_geom(type=kind, size=size)
    return spec.compile()
