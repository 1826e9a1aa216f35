# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The simulated world: scene, physics, cameras."""

from vla_sim.renderer import Renderer
from vla_sim.scene import COLORS, CameraOffset, Cube, Light, Scene, Table
from vla_sim.sensors import SensorNoise
from vla_sim.world import Contact, World

__all__ = [
    'COLORS',
    'CameraOffset',
    'Contact',
    'Cube',
    'Light',
    'Renderer',
    'Scene',
    'SensorNoise',
    'Table',
    'World',
]
