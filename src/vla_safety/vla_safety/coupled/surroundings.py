# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Solid surroundings of the robot, from a file: boxes, spheres, capsules and meshes.

    format: 1
    anchor: left_foot            # what they are fixed to: a frame of robot.yaml, or a URDF link
    links: [left_palm, right_palm, left_forearm, right_forearm]
    solids:
      table: {box: [0.5, 1.0, 0.04], position: [0.55, -0.1, 0.78]}
      ball: {sphere: 0.1, position: [0.5, 0.3, 0.9]}        # radius
      post: {capsule: [0.03, 1.0], position: [0.6, 0, 1]}   # radius, length without its ends
      shelf: {mesh: shelf.stl, scale: 0.001, position: [1, 0, 0], rpy: [0, 0, 1.57]}
      vase: {mesh: vase.stl, convex: true, position: [0.4, 0.2, 0.84]}

A mesh counts triangle by triangle: it is a surface that nothing can pass from outside. It costs
more than boxes; keep it coarse. With `convex` its convex hull counts, which is solid and costs
little more than a box.
"""

import os
from pathlib import Path

import coal
import numpy as np
import pinocchio

from vla_common.yaml_file import ConfigReader, load_yaml
from vla_robot import RobotModel
from vla_robot.collision import Obstacle
from vla_robot.meshes import convex_hull

FORMAT = 1
MOST_TRIANGLES = 20_000
"""More would make a tick too slow."""


def load_surroundings(path: str | os.PathLike[str], robot: RobotModel) -> tuple[Obstacle, ...]:
    """Read the file.

    Raises:
        vla_common.errors.ConfigError: it or a mesh is missing or malformed, or it names a frame or
            link that the robot does not have.
    """
    fields = ConfigReader(path, load_yaml(path))
    if fields.integer('format') != FORMAT:
        raise fields.error('format', fields.integer('format'), str(FORMAT))
    model = robot.pinocchio_model
    anchor = fields.text('anchor')
    if not robot.has_link(anchor):
        raise fields.error('anchor', anchor, 'a frame of robot.yaml or a URDF link')
    links = fields.texts('links')
    solid = {
        model.frames[shape.parentFrame].name for shape in robot.pinocchio_geometry.geometryObjects
    }
    for k, link in enumerate(links):
        if link not in solid:
            raise fields.error(f'links[{k}]', link, 'one of ' + ', '.join(sorted(solid)))
    obstacles = []
    for name, section in fields.sections('solids').items():
        if name in solid:
            raise fields.error(f'solids.{name}', name, 'a name that is no link')
        position = np.array(section.numbers('position', length=3))
        rpy = section.numbers('rpy', length=3) if section.has('rpy') else [0.0, 0.0, 0.0]
        rotation = pinocchio.rpy.rpyToMatrix(*rpy)
        kinds = [kind for kind in ('box', 'sphere', 'capsule', 'mesh') if section.has(kind)]
        if len(kinds) != 1:
            found = ' and '.join(kinds) or 'no shape'
            raise fields.error(f'solids.{name}', found, 'a box, a sphere, a capsule or a mesh')
        if kinds == ['box']:
            shape = coal.Box(*section.numbers('box', length=3, lo=1e-4))
        elif kinds == ['sphere']:
            shape = coal.Sphere(section.number('sphere', lo=1e-4))
        elif kinds == ['capsule']:
            shape = coal.Capsule(*section.numbers('capsule', length=2, lo=1e-4))
        else:
            scale = section.number('scale', lo=1e-6) if section.has('scale') else 1.0
            file = Path(path).parent / section.text('mesh')
            convex = section.flag('convex', False)
            shape = _mesh(section, file, scale, convex)
        section.close()
        obstacles.append(Obstacle(name, anchor, ((shape, rotation, position),), tuple(links)))
    fields.close()
    return tuple(obstacles)


def _mesh(section: ConfigReader, file: Path, scale: float, convex: bool) -> object:
    """A mesh's triangles or its convex hull, in m, as Coal has them."""
    import trimesh  # 0.3 s: only where there is a mesh

    if not file.is_file():
        raise section.error('mesh', str(file), 'an existing mesh file')
    try:
        mesh = trimesh.load(file, force='mesh')
        points = np.asarray(mesh.vertices, dtype=float) * scale
        faces = np.asarray(mesh.faces, dtype=int).tolist()
    except Exception as error:  # trimesh raises whatever its readers raise
        raise section.error(
            'mesh', f'{file.name}: {type(error).__name__}: {error}', 'a mesh that trimesh reads'
        ) from None
    if not 1 <= len(faces) <= MOST_TRIANGLES:
        raise section.error('mesh', f'{len(faces)} triangles', f'1 to {MOST_TRIANGLES} triangles')
    if not np.isfinite(points).all():
        raise section.error('mesh', f'{file.name} with points that are not finite', 'finite points')
    if convex:
        return convex_hull(points, (Path(section.file), section.path('mesh')))
    vertices, triangles = coal.StdVec_Vec3s(), coal.StdVec_Triangle()
    vertices.extend(list(points))
    for a, b, c in faces:
        triangles.append(coal.Triangle(a, b, c))
    surface = coal.BVHModelOBBRSS()
    surface.beginModel(len(faces), len(points))
    surface.addSubModel(vertices, triangles)
    surface.endModel()
    return surface
