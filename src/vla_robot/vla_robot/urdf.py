# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Reading and checking a URDF before the libraries, which ignore errors or crash on them."""

import math
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vla_common.errors import ConfigError
from vla_robot.meshes import find_mesh
from vla_robot.urdf_elements import check_elements, mimic_error, read_numbers

MOVABLE = ('revolute', 'prismatic')
KNOWN_TYPES = (*MOVABLE, 'fixed')
REMEDIES = {
    'continuous': ' (revolute, with the limits that cables and task allow)',
    'floating': ' (a robot with feet floats by itself: leave out this joint and the link above)',
    'planar': ' (two prismatic joints and one revolute)',
}
RESERVED = {'world': 'no such link: the base of a robot without feet is bolted to the world'}
FARTHEST = {'revolute': (4.0 * math.pi, 'rad'), 'prismatic': (10.0, 'm')}
"""Positions beyond these are in another unit (degrees, mm)."""
LEAST = 1e-12
"""kg, kg m²; MuJoCo takes less for nothing."""
SIZES = {
    'box': {'size': 3},
    'sphere': {'radius': 1},
    'cylinder': {'radius': 1, 'length': 1},
    'capsule': {'radius': 1, 'length': 1},
}
LARGEST = 100.0
"""m, of a shape; with 1e300 the simulation is not finite."""


@dataclass(frozen=True)
class UrdfJoint:
    """One joint with its limits: rad, rad/s, Nm (prismatic: m, m/s, N).

    damping Nms/rad and friction Nm (prismatic: Ns/m, N) of its mechanics; None: not given.
    """

    name: str
    kind: str
    parent: str
    child: str
    lower: float = 0.0
    upper: float = 0.0
    velocity: float = 0.0
    effort: float = 0.0
    damping: float | None = None
    friction: float | None = None


@dataclass(frozen=True)
class Urdf:
    """`text` is what the libraries read: mesh paths are `file://` URLs of existing files, axes are
    unit vectors, and elements that change nothing are left out."""

    path: Path
    text: str
    root: str
    links: tuple[str, ...]
    joints: dict[str, UrdfJoint]
    solid_links: tuple[str, ...]  # those with collision geometry

    @property
    def movable(self) -> tuple[str, ...]:
        return tuple(j.name for j in self.joints.values() if j.kind in MOVABLE)

    def neighbours(self) -> set[frozenset[str]]:
        """Pairs of solid links with no other solid link on the way between them.

        Their geometry meets at the joint by construction; their distance has no meaning.
        """
        parent = {joint.child: joint.parent for joint in self.joints.values()}
        solid = set(self.solid_links)
        # Solid links by their nearest solid ancestor ('' without one).
        above: dict[str, list[str]] = {}
        for link in self.solid_links:
            place = parent.get(link)
            while place is not None and place not in solid:
                place = parent.get(place)
            above.setdefault(place or '', []).append(link)
        return {
            frozenset((ancestor, link))
            for ancestor, below in above.items()
            if ancestor
            for link in below
        }


def read_urdf(path: Path) -> Urdf:
    """Read a URDF (or `.xacro`, which is expanded first).

    Raises ConfigError: with the element and attribute as key.
    """
    root = _parse(path)
    if root.tag != 'robot':
        raise ConfigError(path, '', f'<{root.tag}>', 'a <robot> element')
    hints = root.find('mujoco/compiler')
    folder = hints.get('meshdir', '') if hints is not None else ''
    links = _links(path, root)
    joints = _joints(path, root, links)
    check_elements(path, root)  # after what is missing: a misspelt limit is a missing one first
    base = _tree_root(path, links, joints)
    solid = tuple(e.get('name', '') for e in root.iter('link') if e.find('collision') is not None)
    _check_capsules(path, root)
    _resolve_meshes(path, root, folder)
    text = ElementTree.tostring(root, encoding='unicode')
    return Urdf(path, '<?xml version="1.0"?>\n' + text, base, links, joints, solid)


def _parse(path: Path) -> ElementTree.Element:
    if not path.is_file():
        raise ConfigError(path, '', 'no such file', 'a URDF file')
    try:
        if path.suffix == '.xacro':
            import xacro

            return ElementTree.fromstring(xacro.process_file(str(path)).toxml())
        return ElementTree.fromstring(path.read_bytes())
    except ElementTree.ParseError as error:
        line = error.position[0]
        problem = str(error).partition(': line')[0]
        found = f'what no XML parser reads ({problem})'
        raise ConfigError(path, f'line {line}', found, 'well-formed XML') from None
    except Exception as error:  # xacro raises whatever its expressions raise
        raise ConfigError(path, '', f'{type(error).__name__}: {error}', 'valid xacro') from None


def _name(path: Path, element: ElementTree.Element, seen: set[str]) -> str:
    name = element.get('name')
    if not name:
        raise ConfigError(path, f'{element.tag}@name', 'nothing', 'a name')
    if name in seen:
        raise ConfigError(path, f'{element.tag}[{name}]', 'the name twice', 'unique names')
    seen.add(name)
    return name


def _number(path: Path, element: ElementTree.Element, key: str, name: str) -> float:
    text = element.get(name, '')
    return read_numbers(path, f'{key}/{element.tag}@{name}', text or 'nothing', 1)[0]


def _links(path: Path, root: ElementTree.Element) -> tuple[str, ...]:
    seen: set[str] = set()
    names = []
    for element in root.findall('link'):
        name = _name(path, element, seen)
        names.append(name)
        key = f'link[{name}]'
        if name in RESERVED:
            raise ConfigError(path, key, f'a link named {name}', RESERVED[name])
        inertial = element.find('inertial')
        if inertial is not None:
            _check_inertial(path, inertial, key)
        for kind in ('collision', 'visual'):
            for k, shape in enumerate(element.findall(kind)):
                _check_shape(path, shape, f'{key}/{kind}[{k}]', key)
    if not names:
        raise ConfigError(path, 'link', 'nothing', 'at least one link')
    return tuple(names)


def _check_inertial(path: Path, inertial: ElementTree.Element, key: str) -> None:
    """A positive mass, and moments that a body can have.

    An inertia that misses the triangle inequality by rounding alone is corrected by as much: the
    libraries draw the line at different places.
    """
    mass = inertial.find('mass')
    if mass is None:
        raise ConfigError(path, f'{key}/inertial/mass', 'nothing', 'a mass')
    value = _number(path, mass, key, 'value')
    if not value > LEAST:
        raise ConfigError(path, f'{key}/mass@value', value, 'a positive number')
    inertia = inertial.find('inertia')
    if inertia is None:
        raise ConfigError(path, f'{key}/inertial/inertia', 'nothing', 'an inertia')
    for axis in ('ixy', 'ixz', 'iyz'):
        inertia.attrib.setdefault(axis, '0')
    xx, yy, zz, xy, xz, yz = (
        _number(path, inertia, key, axis) for axis in ('ixx', 'iyy', 'izz', 'ixy', 'ixz', 'iyz')
    )
    low, middle, high = np.linalg.eigvalsh([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]).tolist()
    missing = high - low - middle
    if not (low > LEAST and missing <= 1e-6 * high):
        moments = (xx, yy, zz) if xy == xz == yz == 0.0 else (low, middle, high)
        raise ConfigError(
            path,
            f'{key}/inertia',
            'principal moments ' + ', '.join(f'{moment:g}' for moment in moments),
            'positive principal moments, none larger than the sum of the other two',
        )
    if missing > -1e-9 * high:
        for axis, moment in zip(('ixx', 'iyy', 'izz'), (xx, yy, zz), strict=True):
            inertia.set(axis, repr(moment + max(missing, 0.0) + 1e-9 * high))


def _check_shape(path: Path, shape: ElementTree.Element, place: str, link: str) -> None:
    geometry = shape.find('geometry')
    if geometry is None or len(geometry) != 1:
        raise ConfigError(path, f'{place}/geometry', 'not one shape', 'exactly one shape')
    kind = geometry[0]
    if kind.tag == 'mesh':
        text = kind.get('scale', '1 1 1')
        if not all(read_numbers(path, f'{link}/mesh@scale', text, 3)):
            raise ConfigError(path, f'{link}/mesh@scale', text, 'none of them 0')
        return
    for name, count in SIZES.get(kind.tag, {}).items():
        text = kind.get(name, 'nothing')
        for value in read_numbers(path, f'{place}/{kind.tag}@{name}', text, count):
            if not 0 < value <= LARGEST:
                wanted = f'positive sizes of at most {LARGEST:g} m'
                raise ConfigError(path, f'{place}/{kind.tag}@{name}', text, wanted)


def _joints(path: Path, root: ElementTree.Element, links: tuple[str, ...]) -> dict[str, UrdfJoint]:
    seen: set[str] = set()
    joints: dict[str, UrdfJoint] = {}
    for element in root.findall('joint'):
        name = _name(path, element, seen)
        key = f'joint[{name}]'
        kind = element.get('type', 'nothing')
        if kind not in KNOWN_TYPES:
            wanted = 'one of ' + ', '.join(KNOWN_TYPES) + REMEDIES.get(kind, '')
            raise ConfigError(path, f'{key}@type', kind, wanted)
        ends = []
        for end in ('parent', 'child'):
            found = element.find(end)
            link = found.get('link', 'nothing') if found is not None else 'nothing'
            if link not in links:
                raise ConfigError(path, f'{key}/{end}@link', link, 'the name of a link')
            ends.append(link)
        mimic = element.find('mimic')
        if mimic is not None:
            raise mimic_error(path, f'{key}/mimic', mimic.get('joint', 'nothing'))
        if kind == 'fixed':
            joints[name] = UrdfJoint(name, kind, *ends)
        else:
            _normalise_axis(path, element, key)
            lower, upper, velocity, effort = _limits(path, element, key, kind)
            joints[name] = UrdfJoint(
                name, kind, *ends, lower, upper, velocity, effort, *_dynamics(path, element, key)
            )
    return joints


def _normalise_axis(path: Path, joint: ElementTree.Element, key: str) -> None:
    axis = joint.find('axis')
    if axis is None:
        return  # x, for all readers
    text = axis.get('xyz', 'nothing')
    vector = np.array(read_numbers(path, f'{key}/axis@xyz', text, 3))
    length = float(np.linalg.norm(vector))
    if not length > 1e-6:
        raise ConfigError(path, f'{key}/axis@xyz', text, 'a direction, such as 0 0 1')
    if abs(length - 1.0) > 1e-12:
        axis.set('xyz', ' '.join(repr(value) for value in (vector / length).tolist()))


def _limits(
    path: Path, joint: ElementTree.Element, key: str, kind: str
) -> tuple[float, float, float, float]:
    """Lower, upper, velocity, effort; soft limits of a <safety_controller> narrow the first two.
    Its gains are those of another controller; the filter brakes before the limit instead."""
    limit = joint.find('limit')
    if limit is None:
        raise ConfigError(path, f'{key}/limit', 'nothing', 'limits: lower, upper, velocity, effort')
    lower, upper, velocity, effort = (
        _number(path, limit, key, name) for name in ('lower', 'upper', 'velocity', 'effort')
    )
    if not lower < upper:
        raise ConfigError(
            path, f'{key}/limit', f'lower {lower:g}, upper {upper:g}', 'lower below upper'
        )
    farthest, unit = FARTHEST[kind]
    for name, value in (('lower', lower), ('upper', upper)):
        if not abs(value) <= farthest:
            raise ConfigError(
                path, f'{key}/limit@{name}', value, f'{unit}, at most {farthest:.4g} either way'
            )
    for name, value in (('velocity', velocity), ('effort', effort)):
        if not value > 0:
            raise ConfigError(path, f'{key}/limit@{name}', value, 'a positive number')
    soft = joint.find('safety_controller')
    if soft is not None:
        if 'soft_lower_limit' in soft.attrib:
            lower = max(lower, _number(path, soft, key, 'soft_lower_limit'))
        if 'soft_upper_limit' in soft.attrib:
            upper = min(upper, _number(path, soft, key, 'soft_upper_limit'))
        if not lower < upper:
            raise ConfigError(
                path,
                f'{key}/safety_controller',
                f'lower {lower:g}, upper {upper:g}',
                'soft limits inside the limits, lower below upper',
            )
    return lower, upper, velocity, effort


def _dynamics(
    path: Path, joint: ElementTree.Element, key: str
) -> tuple[float | None, float | None]:
    """Damping and friction; None where the URDF gives none."""
    dynamics = joint.find('dynamics')
    values: list[float | None] = []
    for name in ('damping', 'friction'):
        if dynamics is None or name not in dynamics.attrib:
            values.append(None)
            continue
        value = _number(path, dynamics, key, name)
        if not value >= 0:
            raise ConfigError(path, f'{key}/dynamics@{name}', value, 'a number of at least 0')
        values.append(value)
    return values[0], values[1]


def _tree_root(path: Path, links: tuple[str, ...], joints: dict[str, UrdfJoint]) -> str:
    children = [joint.child for joint in joints.values()]
    for link in children:
        if children.count(link) > 1:
            raise ConfigError(path, f'link[{link}]', 'two parent joints', 'a tree')
    roots = [link for link in links if link not in children]
    if len(roots) != 1:
        found = ', '.join(roots) if roots else 'a loop'
        raise ConfigError(path, 'link', f'roots: {found}', 'one root link')
    reached = [roots[0]]
    for link in reached:
        reached += [joint.child for joint in joints.values() if joint.parent == link]
    for link in links:
        if link not in reached:  # each of its ancestors has a parent
            raise ConfigError(path, f'link[{link}]', 'a loop of joints', f'a tree from {roots[0]}')
    return roots[0]


def _check_capsules(path: Path, root: ElementTree.Element) -> None:
    if root.find('link/collision/geometry/capsule') is None:
        return
    version = root.get('version', '1.0')
    try:
        known = tuple(int(part) for part in version.split('.')) >= (1, 1)
    except ValueError:
        known = False
    if not known:
        raise ConfigError(
            path, 'robot@version', version, '1.1: Pinocchio drops the capsules of an older version'
        )


def _resolve_meshes(path: Path, root: ElementTree.Element, folder: str) -> None:
    for link in root.findall('link'):
        for mesh in link.iter('mesh'):
            key = f'link[{link.get("name")}]/mesh@filename'
            file = find_mesh(path, key, mesh.get('filename', ''), folder)
            mesh.set('filename', f'file://{file}')
