# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The robot's URDF as a MuJoCo spec, and the check that MuJoCo reads it as Pinocchio does."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import coal
import mujoco
import numpy as np
import pinocchio

from vla_common.errors import ConfigError, first_line
from vla_robot import RobotModel
from vla_robot.collision import box_corners
from vla_robot.meshes import convex_hull, load_mesh, triangles

TOLERANCE = 1e-5
"""m, kg, and of rotation matrices: far above rounding (single precision in meshes), far below any
difference of meaning."""


def read_robot(robot: RobotModel, visual: bool) -> mujoco.MjSpec:
    """The URDF as MuJoCo reads it; collision shapes are named <link>_<k>, as Pinocchio names them.

    Raises ConfigError: MuJoCo refuses it, or a mesh cannot be used.
    """
    root = ElementTree.fromstring(robot.urdf_text)
    meshes: dict[str, tuple[bool, Path, list[float], tuple[Path, str]]] = {}
    for link in root.iter('link'):
        for kind in ('collision', 'visual'):
            for k, shape in enumerate(link.findall(kind)):
                shape.attrib.pop('name', None)
                if kind == 'collision':
                    shape.set('name', f'{link.get("name")}_{k}')
                for mesh in shape.iterfind('geometry/mesh'):
                    _take_mesh(mesh, kind, (robot.urdf_path, f'link[{link.get("name")}]'), meshes)
    # MuJoCo reads these while it parses; set on the spec afterwards, discardvisual is too late.
    ElementTree.SubElement(
        ElementTree.SubElement(root, 'mujoco'),
        'compiler',
        discardvisual='false' if visual else 'true',
        fusestatic='false',
        strippath='false',
        balanceinertia='false',
    )
    try:
        spec = mujoco.MjSpec.from_string(ElementTree.tostring(root, encoding='unicode'))
    except ValueError as error:
        raise refused(robot, error) from error
    for mesh in spec.meshes:
        solid, file, scale, where = meshes[mesh.file]
        vertices, shape = load_mesh(file, scale, where)
        mesh.file, mesh.scale = '', [1, 1, 1]
        # Without a volume of its own (a thin cover, an open surface): masses are the URDF's.
        mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
        if solid:  # the hull that the safety filter measures
            hull = convex_hull(vertices, where)
            vertices = hull.points()
            faces = np.array([_corners(hull.polygons(k)) for k in range(hull.num_polygons)])
        else:
            faces = triangles(shape)
        mesh.uservert = vertices.ravel()
        mesh.userface = faces.ravel()
    return spec


def _take_mesh(mesh: ElementTree.Element, kind: str, where: tuple[Path, str], meshes: dict) -> None:
    """Give the mesh a name of its own: MuJoCo takes equal file names in two folders for one."""
    file = Path(mesh.get('filename', '').removeprefix('file://'))
    scale = [float(word) for word in mesh.get('scale', '1 1 1').split()]
    entry = (kind == 'collision', file, scale, (where[0], f'{where[1]}/mesh@filename'))
    name = next((n for n, known in meshes.items() if known[:3] == entry[:3]), None)
    if name is None:
        name = f'robot_mesh_{len(meshes)}.stl'
        meshes[name] = entry
    mesh.set('filename', name)


def _corners(triangle: object) -> tuple[int, int, int]:
    return triangle[0], triangle[1], triangle[2]


def refused(robot: RobotModel, error: Exception) -> ConfigError:
    """MuJoCo's refusal of the robot, as one line; the whole text is its cause."""
    text = ' '.join(str(error).split())
    return ConfigError(robot.urdf_path, '', text or first_line(error), 'a URDF that MuJoCo reads')


def check_agreement(robot: RobotModel, model: mujoco.MjModel) -> None:
    """Compare links' placements, masses and collision shapes with Pinocchio's, in two poses.

    Raises ConfigError: with the first link that differs.
    """
    data = mujoco.MjData(model)
    base = model.body(robot.frames['base']).id
    addresses = model.jnt_qposadr[[model.joint(name).id for name in robot.joint_names]]
    rng = np.random.default_rng(0)
    limits = robot.limits
    kinematics = robot.kinematics()
    for q in (robot.poses['standing'], rng.uniform(limits.lower, limits.upper)):
        data.qpos[:] = model.qpos0
        data.qpos[addresses] = q
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        turn = data.xmat[base].reshape(3, 3)
        kinematics.update(q, base_rotation=turn, base_position=data.xpos[base])
        for frame in robot.pinocchio_model.frames:
            if frame.type == pinocchio.FrameType.BODY:
                _compare_link(robot, model, data, kinematics, frame.name)
        mass = model.body_subtreemass[base]
        _compare(robot, robot.frames['base'], 'mass', mass, robot.total_mass)
        _compare(
            robot, robot.frames['base'], 'centre of mass', data.subtree_com[base], kinematics.com
        )
    _compare_shapes(robot, model)


def _compare_link(robot, model, data, kinematics, link: str) -> None:
    body = data.body(link)
    rotation, position = kinematics.frame(link)
    _compare(robot, link, 'position', body.xpos, position)
    _compare(robot, link, 'rotation', body.xmat.reshape(3, 3), rotation)


def _compare_shapes(robot: RobotModel, model: mujoco.MjModel) -> None:
    """Bounds of each collision shape in its link's frame."""
    theirs: dict[str, list[np.ndarray]] = {}
    for shape in robot.pinocchio_geometry.geometryObjects:
        frame = robot.pinocchio_model.frames[shape.parentFrame]
        if isinstance(shape.geometry, coal.Convex):
            points = np.array([shape.placement.act(p) for p in shape.geometry.points()])
        else:
            points = np.array(box_corners(shape))
        points = np.array([frame.placement.actInv(point) for point in points])
        theirs.setdefault(frame.name, []).append(_bounds(points))
    ours: dict[str, list[np.ndarray]] = {}
    for geom in range(model.ngeom):
        link = model.body(model.geom_bodyid[geom]).name
        if link in theirs and (model.geom_contype[geom] or model.geom_conaffinity[geom]):
            ours.setdefault(link, []).append(_bounds(_points(model, geom)))
    for link, shapes in theirs.items():
        found = ours.get(link, [])
        _compare(robot, link, 'number of collision shapes', len(found), len(shapes))
        for mine, other in zip(found, shapes, strict=True):
            _compare(robot, link, 'collision shape', mine, other)


def _points(model: mujoco.MjModel, geom: int) -> np.ndarray:
    """(k, 3) vertices of a mesh, or corners of a primitive shape's box, in the link's frame."""
    rotation = np.empty(9)
    mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
    mesh = model.geom_dataid[geom]
    if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH:
        first = model.mesh_vertadr[mesh]
        points = model.mesh_vert[first : first + model.mesh_vertnum[mesh]]
    else:
        middle, half = model.geom_aabb[geom, :3], model.geom_aabb[geom, 3:]
        points = np.array([np.where(c, middle + half, middle - half) for c in np.ndindex(2, 2, 2)])
    return points @ rotation.reshape(3, 3).T + model.geom_pos[geom]


def _bounds(points: np.ndarray) -> np.ndarray:
    return np.array([points.min(axis=0), points.max(axis=0)])


def _compare(robot: RobotModel, link: str, what: str, ours: object, theirs: object) -> None:
    difference = float(np.max(np.abs(np.asarray(ours) - np.asarray(theirs))))
    if not difference <= TOLERANCE:
        raise ConfigError(
            robot.urdf_path,
            f'link[{link}]',
            f'{what}: MuJoCo and Pinocchio differ by {difference:.3g}',
            'a URDF that both read alike',
        )
