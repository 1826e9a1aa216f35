# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Loading and checking a robot directory (`load_robot`)."""

import difflib
import os
from collections.abc import Iterable, Mapping
from itertools import combinations
from types import MappingProxyType

import numpy as np
import pinocchio

from vla_common.cameras import check_camera_name
from vla_common.errors import ConfigError
from vla_common.yaml_file import REQUIRED, ConfigReader, load_yaml
from vla_robot.collision import box_corners
from vla_robot.directory import FEET, HANDS, HEAD_CAMERA, robot_directory
from vla_robot.gripper import Gripper, read_grippers
from vla_robot.pinocchio_model import build_models, check_inertia, link_id
from vla_robot.robot_model import (
    Camera,
    FootBox,
    JointLimits,
    RobotModel,
    ServoGains,
    Simulation,
    Stops,
)
from vla_robot.urdf import Urdf, UrdfJoint, read_urdf

FORMAT = 1
REQUIRED_FRAMES = ('base', 'imu')
OPTIONAL_FRAMES = ('torso', 'head_camera', *HANDS, *FEET)


def load_robot(name_or_path: str | os.PathLike[str]) -> RobotModel:
    """Load a robot by name (of a directory in `share/vla_robot/robots`) or by directory path.

    Raises ConfigError: robot.yaml, the URDF or a mesh cannot be used.
    """
    directory = robot_directory(name_or_path)
    file = directory / 'robot.yaml'
    fields = ConfigReader(file, load_yaml(file))
    if fields.integer('format') != FORMAT:
        raise fields.error('format', fields.integer('format'), str(FORMAT))
    name = fields.text('name')
    fields.text('description', default='')
    urdf = read_urdf(directory / fields.text('urdf'))

    joints = _joints(fields, urdf)
    index = {joint: i for i, joint in enumerate(joints)}
    groups = _groups(fields, index)
    described = [urdf.joints[joint] for joint in joints]
    lower = _frozen([j.lower for j in described])
    upper = _frozen([j.upper for j in described])
    servo, classes = _servos(fields, index, groups)
    velocity = np.array([j.velocity for j in described])
    effort = np.array([j.effort for j in described])
    grippers = read_grippers(fields, index, lower, upper, velocity, effort)
    for gripper in grippers.values():  # so that whoever limits a joint limits the gripper
        velocity[gripper.joints] = gripper.joint_speed(gripper.speed)
        effort[gripper.joints] = gripper.joint_effort(gripper.force)
    limits = JointLimits(
        lower=lower,
        upper=upper,
        velocity=_frozen(velocity),
        acceleration=servo['acceleration'],
        jerk=servo['jerk'],
        effort=_frozen(effort),
    )
    soft_margin = servo['soft_margin']
    for i in np.flatnonzero(2 * soft_margin >= upper - lower):
        raise ConfigError(
            file, 'servos', f'soft_margin {soft_margin[i]:g} at {joints[i]}', 'a range inside it'
        )
    poses = _poses(fields, index, limits)
    frames = _frames(fields, urdf)
    head = _camera(fields.section('camera'), frames)
    model, geometry = build_models(urdf)
    check_inertia(urdf, model, floating=any(foot in frames for foot in FEET))
    pairs = _collision_pairs(fields, urdf)
    stops = _stops(fields.section('stops'), grippers)
    robot = RobotModel(
        name=name,
        directory=directory,
        urdf_path=urdf.path,
        urdf_text=urdf.text,
        joint_names=joints,
        index=MappingProxyType(index),
        limits=limits,
        soft_margin=soft_margin,
        servo=ServoGains(servo['kp'], servo['kv']),
        groups=MappingProxyType(groups),
        poses=MappingProxyType(poses),
        paths=MappingProxyType(_paths(fields, poses)),
        frames=MappingProxyType(frames),
        foot_boxes=MappingProxyType(_foot_boxes(urdf, frames, model, geometry)),
        total_mass=float(pinocchio.computeTotalMass(model)),
        stops=stops,
        grippers=MappingProxyType(grippers),
        camera=head,
        cameras=MappingProxyType({HEAD_CAMERA: head, **_more_cameras(fields, frames, urdf)}),
        simulation=_simulation(fields.section('simulation'), classes, described),
        collision_pairs=pairs,
        pinocchio_model=model,
        pinocchio_geometry=geometry,
    )
    # The gains of the balance correction, which vla_balance reads and checks.
    fields.raw('balance', default=None)
    fields.close()
    return robot


def _frozen(values: Iterable[float]) -> np.ndarray:
    array = np.array(list(values), dtype=float)
    array.setflags(write=False)
    return array


def _near(name: str, known: Iterable[str], what: str) -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"'{near[0]}' or another {what}" if near else f'{what}: ' + ', '.join(known)


def _joints(fields: ConfigReader, urdf: Urdf) -> tuple[str, ...]:
    joints = fields.texts('joints')
    movable = urdf.movable
    for i, joint in enumerate(joints):
        if joint not in movable:
            wanted = _near(joint, movable, f'movable joint of {urdf.path.name}')
            raise fields.error(f'joints[{i}]', joint, wanted)
        if joint in joints[:i]:
            raise fields.error(f'joints[{i}]', f'{joint} twice', 'each joint once')
    missing = [joint for joint in movable if joint not in joints]
    if missing:
        raise fields.error(
            'joints',
            f'{len(joints)} joints, without {missing[0]}',
            f'all {len(movable)} movable joints of {urdf.path.name}',
        )
    return tuple(joints)


def _members(
    fields: ConfigReader, key: str, index: dict[str, int], groups: dict[str, np.ndarray]
) -> list[int]:
    members: list[int] = []
    for i, name in enumerate(fields.texts(key)):
        if name in groups:
            members += groups[name].tolist()
        elif name in index:
            members.append(index[name])
        else:
            wanted = _near(name, [*index, *groups], 'joint or group')
            raise fields.error(f'{key}[{i}]', name, wanted)
    return members


def _groups(fields: ConfigReader, index: dict[str, int]) -> dict[str, np.ndarray]:
    section = fields.section('groups')
    groups: dict[str, np.ndarray] = {}
    for name in section.keys():  # noqa: SIM118
        members = np.array(sorted(set(_members(section, name, index, groups))), dtype=int)
        members.setflags(write=False)
        groups[name] = members
    for name in ('legs', 'upper_body'):
        if name not in groups:
            raise section.error(name, 'nothing', 'a list of joints (it may be empty)')
    return groups


def _servos(
    fields: ConfigReader, index: dict[str, int], groups: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray | None], dict[str, list[int]]]:
    n = len(index)
    names = list(index)
    keys = ('kp', 'kv', 'acceleration', 'soft_margin', 'jerk')
    values = {key: np.full(n, np.nan) for key in keys}
    classes: dict[str, list[int]] = {}
    owner: dict[int, str] = {}
    for name, section in fields.sections('servos').items():
        members = _members(section, 'joints', index, groups)
        for i in members:
            if i in owner:
                raise section.error('joints', names[i], f'a joint that {owner[i]} does not have')
            owner[i] = name
        classes[name] = members
        for key in keys:
            value = section.number(key, np.nan if key == 'jerk' else REQUIRED, lo=0)
            if key in ('acceleration', 'jerk') and value == 0:
                raise section.error(key, value, 'a positive number')
            values[key][members] = value
        section.close()
    for i, joint in enumerate(names):
        if i not in owner:
            raise fields.error('servos', f'no class with {joint}', 'each joint in one class')
    given = np.isfinite(values['jerk'])
    if given.any() and not given.all():
        joint = names[int(np.flatnonzero(~given)[0])]
        raise fields.error('servos', f'no jerk for {joint}', 'jerk in every class, or in none')
    result: dict[str, np.ndarray | None] = {k: _frozen(v) for k, v in values.items()}
    if not given.any():
        result['jerk'] = None
    return result, classes


def _poses(
    fields: ConfigReader, index: dict[str, int], limits: JointLimits
) -> dict[str, np.ndarray]:
    section = fields.section('poses')
    poses: dict[str, np.ndarray] = {}
    for name in section.keys():  # noqa: SIM118
        pose = section.section(name)
        values = np.zeros(len(index))
        for joint in pose.keys():  # noqa: SIM118
            if joint not in index:
                raise pose.error(joint, 'an unknown joint', _near(joint, index, 'joint'))
            i = index[joint]
            values[i] = pose.number(joint, lo=limits.lower[i], hi=limits.upper[i])
        for joint, i in index.items():
            if not limits.lower[i] <= values[i] <= limits.upper[i]:
                raise pose.error(joint, 'nothing', 'a value, because 0 is outside its limits')
        poses[name] = _frozen(values)
    for name in ('standing', 'ready'):
        if name not in poses:
            raise section.error(name, 'nothing', 'a mapping of joints to rad')
    return poses


def _paths(fields: ConfigReader, poses: dict[str, np.ndarray]) -> dict[str, tuple[str, ...]]:
    if not fields.has('paths'):
        return {}
    section = fields.section('paths')
    paths: dict[str, tuple[str, ...]] = {}
    for name in section.keys():  # noqa: SIM118
        steps = section.texts(name, choices=list(poses))
        if not steps or steps[-1] != name:
            raise section.error(name, steps, f'poses that end with {name}')
        paths[name] = tuple(steps)
    return paths


def _frames(fields: ConfigReader, urdf: Urdf) -> dict[str, str]:
    section = fields.section('frames')
    frames: dict[str, str] = {}
    for name in (*REQUIRED_FRAMES, *OPTIONAL_FRAMES):
        if name in OPTIONAL_FRAMES and not section.has(name):
            # Read all the same: the error about a misspelt frame lists what was read.
            section.raw(name, default=None)
            continue
        section.raw(name, wanted=f'a link of {urdf.path.name}')
        link = section.text(name)
        if link not in urdf.links:
            wanted = _near(link, urdf.links, f'link of {urdf.path.name}')
            raise section.error(name, link, wanted)
        frames[name] = link
    section.close()
    feet = [foot for foot in FEET if foot in frames]
    if len(feet) == 1:
        other = FEET[1 - FEET.index(feet[0])]
        raise section.error(other, f'nothing, with {feet[0]}', 'both feet, or none')
    if frames['base'] != urdf.root:
        raise section.error('base', frames['base'], f'{urdf.root}, the root of {urdf.path.name}')
    return frames


def _stops(section: ConfigReader, grippers: Mapping[str, Gripper]) -> Stops:
    stops = Stops(
        supervisor_lost=section.text('supervisor_lost', choices=('stand', 'damp', 'hold')),
        estop=_estop(section),
        safe_stop_duration=section.number('safe_stop_duration', lo=0.1, hi=30.0),
    )
    for gripper in grippers.values():
        if gripper.estop != 'passive' and stops.estop != 'damp':
            wanted = (
                f'damp, or grippers.{gripper.name}.estop: passive: motors that are off grip not'
            )
            raise section.error('estop', stops.estop, wanted)
    section.close()
    return stops


def _estop(section: ConfigReader) -> str:
    if section.raw('estop', default=None) is False:
        return 'off'  # YAML 1.1 reads the bare word as false
    return section.text('estop', choices=('damp', 'damp_then_off', 'off'))


def _camera(section: ConfigReader, frames: dict[str, str]) -> Camera:
    frame = section.text('frame')
    if frame not in frames:
        raise section.error('frame', frame, _near(frame, frames, 'frame'))
    return _camera_of(section, name=frame, frame=frame, link=frames[frame])


def _more_cameras(fields: ConfigReader, frames: dict[str, str], urdf: Urdf) -> dict[str, Camera]:
    cameras: dict[str, Camera] = {}
    for name, section in fields.sections('cameras', {}).items():
        if name == HEAD_CAMERA:
            raise fields.error(f'cameras.{name}', name, 'another name: the head has `camera`')
        check_camera_name(name, fields.file, f'cameras.{name}')
        link = section.text('link')
        if link not in urdf.links:
            wanted = _near(link, urdf.links, f'link of {urdf.path.name}')
            raise section.error('link', link, wanted)
        cameras[name] = _camera_of(section, name=f'{name}_camera', frame=link, link=link)
    return cameras


def _camera_of(section: ConfigReader, **given: str) -> Camera:
    camera = Camera(
        **given,
        width=section.integer('width', lo=16, hi=4096),
        height=section.integer('height', lo=16, hi=4096),
        fovy=section.number('fovy', lo=0.1, hi=3.0),
        source=section.text('source', ''),
    )
    section.close()
    return camera


def _simulation(
    section: ConfigReader, classes: dict[str, list[int]], joints: list[UrdfJoint]
) -> Simulation:
    armature = np.zeros(len(joints))
    by_class = section.section('armature')
    for name, members in classes.items():
        armature[members] = by_class.number(name, lo=0)
    by_class.close()
    damping = section.number('joint_damping', lo=0)
    simulation = Simulation(
        armature=_frozen(armature),
        joint_damping=_frozen(damping if j.damping is None else j.damping for j in joints),
        joint_friction=_frozen(j.friction or 0.0 for j in joints),
        foot_friction=tuple(section.numbers('foot_friction', length=3, lo=0)),
        foot_solref=tuple(section.numbers('foot_solref', length=2, lo=0)),
    )
    section.close()
    return simulation


def _collision_pairs(fields: ConfigReader, urdf: Urdf) -> tuple[tuple[str, str], ...]:
    allowed = urdf.neighbours()
    key = 'allowed_collisions'
    pairs = fields.raw(key, wanted='a list of pairs of links')
    if not isinstance(pairs, list):
        raise fields.error(key, pairs, 'a list of pairs of links')
    for i, pair in enumerate(pairs):
        if not (isinstance(pair, list) and len(pair) == 2):
            raise fields.error(f'{key}[{i}]', pair, 'a pair of links')
        for link in pair:
            if link not in urdf.solid_links:
                wanted = _near(str(link), urdf.solid_links, 'link with collision geometry')
                raise fields.error(f'{key}[{i}]', link, wanted)
        allowed.add(frozenset(pair))
    return tuple(
        pair for pair in combinations(urdf.solid_links, 2) if frozenset(pair) not in allowed
    )


def _foot_boxes(
    urdf: Urdf, frames: dict[str, str], model: pinocchio.Model, geometry: pinocchio.GeometryModel
) -> dict[str, FootBox]:
    """The bounding rectangle of each foot's collision geometry, in the foot's frame."""
    boxes: dict[str, FootBox] = {}
    for foot in FEET:
        if foot not in frames:
            continue
        frame = model.frames[link_id(model, frames[foot])]
        points = [
            frame.placement.actInv(corner)
            for shape in geometry.geometryObjects
            if model.frames[shape.parentFrame].name == frames[foot]
            for corner in box_corners(shape)
        ]
        if not points:
            raise ConfigError(
                urdf.path, f'link[{frames[foot]}]/collision', 'nothing', 'the shape of the sole'
            )
        low, high = np.min(points, axis=0), np.max(points, axis=0)
        boxes[foot] = FootBox(
            center=_frozen(0.5 * (low + high)[:2]),
            size=_frozen((high - low)[:2]),
            height=float(low[2]),
        )
    return boxes
