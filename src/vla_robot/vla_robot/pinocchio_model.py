# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Pinocchio's models of a checked URDF: kinematics and inertia, and collision shapes."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from pathlib import Path

import coal
import numpy as np
import pinocchio

from vla_common.errors import ConfigError, first_line
from vla_robot.meshes import convex_hull, load_mesh
from vla_robot.urdf import LEAST, Urdf
from vla_robot.urdf_elements import read_numbers


def build_models(urdf: Urdf) -> tuple[pinocchio.Model, pinocchio.GeometryModel]:
    """Kinematic model with a free base, and collision shapes; a mesh is its convex hull.

    Raises ConfigError: a mesh cannot be used, or Pinocchio refuses the URDF.
    """
    hulls = _hulls(urdf)
    try:
        model = pinocchio.buildModelFromXML(urdf.text, pinocchio.JointModelFreeFlyer())
        geometry = pinocchio.buildGeomFromUrdfString(
            model, urdf.text, pinocchio.GeometryType.COLLISION
        )
    except (ValueError, RuntimeError) as error:
        wanted = 'a URDF that Pinocchio reads'
        raise ConfigError(urdf.path, '', first_line(error), wanted) from error
    read = set()
    for shape in geometry.geometryObjects:
        read.add(model.frames[shape.parentFrame].name)
        if isinstance(shape.geometry, coal.BVHModelBase):
            shape.geometry = hulls[_mesh_key(shape.meshPath, shape.meshScale.tolist())]
    for link in urdf.solid_links:
        if link not in read:
            raise ConfigError(
                urdf.path,
                f'link[{link}]/collision',
                'a shape that Pinocchio drops',
                'box, sphere, cylinder, capsule or mesh',
            )
    return model, geometry


def link_id(model: pinocchio.Model, link: str) -> int:
    """Index of a link's frame, also where a joint has the same name. Raises KeyError: no link."""
    if not model.existFrame(link, pinocchio.FrameType.BODY):
        raise KeyError(link)
    return model.getFrameId(link, pinocchio.FrameType.BODY)


def add_point_masses(
    model: pinocchio.Model, robot: object, loads: Iterable[tuple[str, float, np.ndarray]]
) -> None:
    """Set the inertias of `model` to those of the robot with point masses.

    Args:
        model: a copy of the robot's own.
        robot: a RobotModel.
        loads: frame of robot.yaml or URDF link, kg, (3,) m in the frame.
    """
    for joint, inertia in enumerate(robot.pinocchio_model.inertias):
        model.inertias[joint] = inertia
    for name, mass, position in loads:
        frame = model.frames[link_id(model, robot.frames.get(name, name))]
        place = frame.placement.act(np.array(position, dtype=float))
        point = pinocchio.Inertia(mass, place, np.zeros((3, 3)))
        model.inertias[frame.parentJoint] = model.inertias[frame.parentJoint] + point


def check_inertia(urdf: Urdf, model: pinocchio.Model, floating: bool) -> None:
    """Every body that moves has mass: a link with all that is fixed to it.

    Args:
        floating: whether the base moves.

    Raises ConfigError: with the link.
    """
    child = {joint.name: joint.child for joint in urdf.joints.values()}
    for body in range(1 if floating else 2, len(model.joints)):
        name = model.names[body]
        if not model.inertias[body].mass > LEAST:
            link = child.get(name, urdf.root)
            why = f'joint {name} moves this link' if name in child else 'the base floats'
            raise ConfigError(
                urdf.path, f'link[{link}]/inertial', 'nothing', f'mass and inertia ({why})'
            )


MeshKey = tuple[str, tuple[float, ...]]


def _mesh_key(file: str, scale: list[float]) -> MeshKey:
    return file.removeprefix('file://'), tuple(scale)


def _hulls(urdf: Urdf) -> dict[MeshKey, coal.Convex]:
    """Hull of each collision mesh, by file and scale."""
    hulls: dict[MeshKey, coal.Convex] = {}
    for link in ElementTree.fromstring(urdf.text).iter('link'):
        key = f'link[{link.get("name")}]/mesh'
        for mesh in link.iterfind('collision/geometry/mesh'):
            scale = read_numbers(urdf.path, f'{key}@scale', mesh.get('scale', '1 1 1'), 3)
            name = _mesh_key(mesh.get('filename', ''), scale)
            if name not in hulls:
                where = urdf.path, f'{key}@filename'
                vertices, _ = load_mesh(Path(name[0]), scale, where)
                hulls[name] = convex_hull(vertices, where)
    return hulls
