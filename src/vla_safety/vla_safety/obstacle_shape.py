# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Solid shapes that a message describes: box, sphere, capsule, convex hull."""

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import coal
import numpy as np

from vla_common.errors import ConfigError
from vla_robot.meshes import convex_hull

SMALLEST, LARGEST = 1e-3, 5.0
"""m, of every dimension."""

MOST_VERTICES = 64
"""Of a convex hull: a distance to more of them takes too long."""


class ShapeType(IntEnum):
    """As in vla_interfaces/ObstacleShape."""

    BOX = 1
    SPHERE = 2
    CAPSULE = 3
    CONVEX = 4


DIMENSIONS = {ShapeType.BOX: 3, ShapeType.SPHERE: 1, ShapeType.CAPSULE: 2, ShapeType.CONVEX: 0}


@dataclass(frozen=True)
class ObstacleShape:
    """A shape about its own origin; see vla_interfaces/ObstacleShape.

    Attributes:
        type: a ShapeType.
        dimensions: m.
        vertices: (x, y, z) m of a convex hull.
    """

    type: int
    dimensions: tuple[float, ...] = ()
    vertices: tuple[tuple[float, float, float], ...] = ()

    def fault(self) -> str:
        """What is wrong with it, found and wanted; '' if nothing is."""
        if self.type not in DIMENSIONS:
            return f'shape.type {self.type}, wanted 1 (box), 2 (sphere), 3 (capsule) or 4 (convex)'
        name, count = ShapeType(self.type).name, DIMENSIONS[ShapeType(self.type)]
        if len(self.dimensions) != count:
            return f'{len(self.dimensions)} shape.dimensions, wanted {count} of a {name}'
        for value in self.dimensions:
            if not SMALLEST <= value <= LARGEST:
                return f'shape.dimensions {value:g} m, wanted {SMALLEST:g} to {LARGEST:g} m'
        if self.type != ShapeType.CONVEX:
            return f'{len(self.vertices)} shape.vertices of a {name}, wanted none' * bool(
                self.vertices
            )
        if not 4 <= len(self.vertices) <= MOST_VERTICES:
            return f'{len(self.vertices)} shape.vertices, wanted 4 to {MOST_VERTICES}'
        points = np.array(self.vertices, dtype=float)
        if not (np.abs(points) <= LARGEST).all():
            return f'shape.vertices not finite or beyond {LARGEST:g} m, wanted within'
        try:
            self.geometry()
        except ConfigError as error:
            return f'shape.vertices: {error.found}, wanted {error.wanted}'
        return ''

    def geometry(self) -> object:
        """Coal's shape."""
        if self.type == ShapeType.BOX:
            return coal.Box(*self.dimensions)
        if self.type == ShapeType.SPHERE:
            return coal.Sphere(*self.dimensions)
        if self.type == ShapeType.CAPSULE:
            return coal.Capsule(*self.dimensions)
        return convex_hull(np.array(self.vertices, dtype=float), (Path(''), 'vertices'))

    def reach(self) -> float:
        """m, upper bound of the distance of its points from its origin."""
        if self.type == ShapeType.BOX:
            return 0.5 * float(np.linalg.norm(self.dimensions))
        if self.type == ShapeType.CONVEX:
            return float(np.linalg.norm(np.array(self.vertices), axis=1).max())
        return self.dimensions[0] + 0.5 * sum(self.dimensions[1:])
