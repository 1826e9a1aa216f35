# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What is true in the simulated world about a cube, as the expert and the judge need it."""

from __future__ import annotations

import cv2
import numpy as np

from vla_models.goals import Target
from vla_sim import Renderer, World

CAMERA = 'head_camera'


def named_colours(scene) -> dict[str, str]:
    """Colour to cube name, for colours that only one cube of the scene has."""
    colours = [cube.color for cube in scene.cubes]
    return {cube.color: cube.name for cube in scene.cubes if colours.count(cube.color) == 1}


def pixel_of(world: World, renderer: Renderer, point: np.ndarray) -> np.ndarray:
    """Where a world point (3,) m is in the head camera's image, (u right, v down) in [-1, 1].

    NaN behind the camera or outside of the image. Occlusion is not looked at.
    """
    rotation, position = world.frame_pose(CAMERA)
    # The camera that renders is mounted a little off its frame, as the scene says.
    mounting = world.scene.camera
    position = position + rotation @ np.asarray(mounting.position)
    rotation = rotation @ cv2.Rodrigues(np.asarray(mounting.rotation, np.float64))[0]
    x, y, z = rotation.T @ (point - position)
    fx, fy, cx, cy = renderer.intrinsics
    if z > 0.01:
        u, v = fx * x / z / cx, fy * y / z / cy
        if abs(u) < 1.0 and abs(v) < 1.0:
            return np.array([u, v])
    return np.full(2, np.nan)


def target_of(
    world: World, renderer: Renderer, cube_name: str, size: float
) -> tuple[Target, np.ndarray]:
    """A cube as the expert takes it (base frame), and its pixel (2,), NaN where out of view."""
    point = world.cube_position(cube_name)
    rotation, position = world.frame_pose('base')
    pixel = pixel_of(world, renderer, point)
    target = Target(rotation.T @ (point - position), size, bool(np.isfinite(pixel).all()))
    return target, pixel
