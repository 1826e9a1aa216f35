# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Reading and checking a URDF before the libraries, which ignore errors or crash on them."""

import math
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from vla_common.errors import ConfigError

MOVABLE = ('revolute', 'prismatic')
KNOWN_TYPES = (*MOVABLE, 'fixed')


@dataclass(frozen=True)
class UrdfJoint:
    """One joint with its limits: rad, rad/s, Nm (prismatic: m, m/s, N)."""

    name: str
    kind: str
    parent: str
    child: str
    lower: float = 0.0
    upper: float = 0.0
    velocity: float = 0.0
    effort: float = 0.0


@dataclass(frozen=True)
class Urdf:
    """`text` has its mesh paths resolved to `file://` URLs of existing files."""

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
    links = _links(path, root)
    joints = _joints(path, root, links)
    base = _tree_root(path, links, joints)
    solid = tuple(e.get('name', '') for e in root.iter('link') if e.find('collision') is not None)
    _check_capsules(path, root)
    _resolve_meshes(path, root)
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
        raise ConfigError(path, f'line {line}', str(error), 'well-formed XML') from None
    except Exception as error:  # xacro raises whatever its expressions raise
        raise ConfigError(path, '', f'{type(error).__name__}: {error}', 'valid xacro') from None


def _number(path: Path, element: ElementTree.Element, key: str, name: str) -> float:
    text = element.get(name)
    where = f'{key}/{element.tag}@{name}'
    if text is None:
        raise ConfigError(path, where, 'nothing', 'a finite number')
    try:
        value = float(text)
    except ValueError:
        raise ConfigError(path, where, text, 'a finite number') from None
    if not math.isfinite(value):
        raise ConfigError(path, where, text, 'a finite number')
    return value


def _name(path: Path, element: ElementTree.Element, seen: set[str]) -> str:
    name = element.get('name')
    if not name:
        raise ConfigError(path, f'{element.tag}@name', 'nothing', 'a name')
    if name in seen:
        raise ConfigError(path, f'{element.tag}[{name}]', 'the name twice', 'unique names')
    seen.add(name)
    return name


def _links(path: Path, root: ElementTree.Element) -> tuple[str, ...]:
    seen: set[str] = set()
    names = []
    for element in root.findall('link'):
        name = _name(path, element, seen)
        names.append(name)
        key = f'link[{name}]'
        inertial = element.find('inertial')
        if inertial is not None:
            mass = inertial.find('mass')
            if mass is None:
                raise ConfigError(path, f'{key}/inertial/mass', 'nothing', 'a mass')
            value = _number(path, mass, key, 'value')
            if not value > 0:
                raise ConfigError(path, f'{key}/mass@value', value, 'a positive number')
            inertia = inertial.find('inertia')
            if inertia is None:
                raise ConfigError(path, f'{key}/inertial/inertia', 'nothing', 'an inertia')
            xx, yy, zz = (_number(path, inertia, key, axis) for axis in ('ixx', 'iyy', 'izz'))
            low, middle, high = sorted((xx, yy, zz))
            if not (low > 0 and low + middle >= high * (1 - 1e-6)):
                raise ConfigError(
                    path,
                    f'{key}/inertia',
                    [xx, yy, zz],
                    'positive moments, none larger than the sum of the other two',
                )
        for k, collision in enumerate(element.findall('collision')):
            geometry = collision.find('geometry')
            if geometry is None or len(geometry) != 1:
                raise ConfigError(
                    path, f'{key}/collision[{k}]/geometry', 'not one shape', 'exactly one shape'
                )
    if not names:
        raise ConfigError(path, 'link', 'nothing', 'at least one link')
    return tuple(names)


def _joints(path: Path, root: ElementTree.Element, links: tuple[str, ...]) -> dict[str, UrdfJoint]:
    seen: set[str] = set()
    joints: dict[str, UrdfJoint] = {}
    for element in root.findall('joint'):
        name = _name(path, element, seen)
        key = f'joint[{name}]'
        kind = element.get('type', 'nothing')
        if kind not in KNOWN_TYPES:
            raise ConfigError(path, f'{key}@type', kind, 'one of ' + ', '.join(KNOWN_TYPES))
        ends = []
        for end in ('parent', 'child'):
            found = element.find(end)
            link = found.get('link', 'nothing') if found is not None else 'nothing'
            if link not in links:
                raise ConfigError(path, f'{key}/{end}@link', link, 'the name of a link')
            ends.append(link)
        if kind == 'fixed':
            joints[name] = UrdfJoint(name, kind, *ends)
            continue
        limit = element.find('limit')
        if limit is None:
            raise ConfigError(
                path, f'{key}/limit', 'nothing', 'limits: lower, upper, velocity, effort'
            )
        lower, upper, velocity, effort = (
            _number(path, limit, key, a) for a in ('lower', 'upper', 'velocity', 'effort')
        )
        if not lower < upper:
            raise ConfigError(
                path, f'{key}/limit', f'lower {lower:g}, upper {upper:g}', 'lower below upper'
            )
        for attribute, value in (('velocity', velocity), ('effort', effort)):
            if not value > 0:
                raise ConfigError(path, f'{key}/limit@{attribute}', value, 'a positive number')
        joints[name] = UrdfJoint(name, kind, *ends, lower, upper, velocity, effort)
    return joints


def _tree_root(path: Path, links: tuple[str, ...], joints: dict[str, UrdfJoint]) -> str:
    children = [joint.child for joint in joints.values()]
    for link in children:
        if children.count(link) > 1:
            raise ConfigError(path, f'link[{link}]', 'two parent joints', 'a tree')
    roots = [link for link in links if link not in children]
    if len(roots) != 1:
        found = ', '.join(roots) if roots else 'a loop'
        raise ConfigError(path, 'link', f'roots: {found}', 'one root link')
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


def _resolve_meshes(path: Path, root: ElementTree.Element) -> None:
    for link in root.findall('link'):
        for mesh in link.iter('mesh'):
            name = mesh.get('filename', '')
            found = _mesh_file(path, name)
            if found is None:
                raise ConfigError(
                    path,
                    f'link[{link.get("name")}]/mesh@filename',
                    name or 'nothing',
                    'an existing mesh file (relative to the URDF, or package://)',
                )
            mesh.set('filename', f'file://{found}')


def _mesh_file(path: Path, name: str) -> Path | None:
    if name.startswith('package://'):
        package, _, rest = name[len('package://') :].partition('/')
        try:
            from ament_index_python.packages import get_package_share_directory

            candidate = Path(get_package_share_directory(package)) / rest
        except (ImportError, LookupError, ValueError):
            return None
    else:
        candidate = path.parent / name.removeprefix('file://')
    return candidate.resolve() if name and candidate.is_file() else None
