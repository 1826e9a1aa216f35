# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The elements of a URDF: honoured, ignored because they change nothing here, or refused.

Pinocchio and MuJoCo skip what they do not know, each another part of it. So that no mechanics get
lost, whatever is in no table below is refused.
"""

import difflib
import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vla_common.errors import ConfigError


@dataclass(frozen=True)
class _Element:
    """`attributes`: how many numbers each holds (0: a text). `repeated`: children that may occur
    more than once."""

    attributes: dict[str, int] = field(default_factory=dict)
    children: Sequence[str] = ()
    repeated: Sequence[str] = ()


_PLACE = {'xyz': 3, 'rpy': 3}
_SOFT = ('soft_lower_limit', 'soft_upper_limit', 'k_position', 'k_velocity')
_MOMENTS = ('ixx', 'iyy', 'izz', 'ixy', 'ixz', 'iyz')
_SHAPES = ('box', 'sphere', 'cylinder', 'capsule', 'mesh')

_HONOURED = {
    'link': _Element({'name': 0}, ('inertial',), ('visual', 'collision')),
    'inertial': _Element({}, ('origin', 'mass', 'inertia')),
    'mass': _Element({'value': 1}),
    'inertia': _Element(dict.fromkeys(_MOMENTS, 1)),
    'collision': _Element({'name': 0}, ('origin', 'geometry')),
    'visual': _Element({'name': 0}, ('origin', 'geometry', 'material')),
    'geometry': _Element({}, _SHAPES),
    'box': _Element({'size': 3}),
    'sphere': _Element({'radius': 1}),
    'cylinder': _Element({'radius': 1, 'length': 1}),
    'capsule': _Element({'radius': 1, 'length': 1}),
    'mesh': _Element({'filename': 0, 'scale': 3}),
    'origin': _Element(_PLACE),
    'joint': _Element(
        {'name': 0, 'type': 0},
        ('origin', 'parent', 'child', 'axis', 'limit', 'dynamics', 'mimic', 'safety_controller'),
    ),
    'parent': _Element({'link': 0}),
    'child': _Element({'link': 0}),
    'axis': _Element({'xyz': 3}),
    'limit': _Element(dict.fromkeys(('lower', 'upper', 'velocity', 'effort'), 1)),
    'dynamics': _Element({'damping': 1, 'friction': 1}),
    'safety_controller': _Element(dict.fromkeys(_SOFT, 1)),
    'mimic': _Element({'joint': 0, 'multiplier': 1, 'offset': 1}),
}

IGNORED = {
    'robot': ('material', 'transmission', 'gazebo', 'ros2_control', 'sensor', 'mujoco'),
    'link': ('contact', 'self_collision_checking', 'material'),
    'joint': ('calibration',),
    'collision': ('material', 'contact_coefficients', 'verbose'),
    'visual': ('verbose', 'meshes'),
}
"""Children that change nothing here: settings of one program (its own hints, Bullet's contact),
homing (`calibration`), colours, and the motor's side of a gear: every value in this workspace is
at the joint. They are removed before the libraries read the URDF."""

_HINTS = ('compiler', 'option', 'size')


def check_elements(path: Path, root: ElementTree.Element) -> None:
    """Check names, numbers and repetitions of all elements; remove what changes nothing.

    Raises ConfigError: with the element and attribute as key.
    """
    _check_extensions(path, root)
    _check_children(path, root, '', ('link', 'joint'), ('link', 'joint'), IGNORED['robot'])
    for child in list(root):
        if child.tag in IGNORED['robot'] and child.tag != 'material':
            root.remove(child)
        elif child.tag in ('link', 'joint'):
            _check(path, child, f'{child.tag}[{child.get("name", "")}]')
            if child.tag == 'joint':
                _remove_unused(child)


def _remove_unused(joint: ElementTree.Element) -> None:
    """What the limits contain already (and urdfdom wants whole), and what a fixed joint lacks."""
    names = ['safety_controller']
    if joint.get('type') == 'fixed':
        names += ['axis', 'limit', 'dynamics']
    for name in names:
        for element in joint.findall(name):
            joint.remove(element)


def _check(path: Path, element: ElementTree.Element, key: str) -> None:
    known = _HONOURED[element.tag]
    for name, text in element.attrib.items():
        if name not in known.attributes:
            near = difflib.get_close_matches(name, known.attributes, n=1)
            wanted = f"'{near[0]}'" if near else 'one of ' + ', '.join(known.attributes)
            raise ConfigError(path, f'{key}@{name}', 'an unknown attribute', wanted)
        if known.attributes[name]:
            read_numbers(path, f'{key}@{name}', text, known.attributes[name])
    ignored = IGNORED.get(element.tag, ())
    _check_children(path, element, key, known.children, known.repeated, ignored)
    owner = key if element.tag in ('link', 'joint') else key.partition('/')[0]
    counts: dict[str, int] = {}
    for child in list(element):
        if child.tag in ignored:
            element.remove(child)
        elif child.tag in ('collision', 'visual'):
            k = counts[child.tag] = counts.get(child.tag, -1) + 1
            _check(path, child, f'{key}/{child.tag}[{k}]')
        elif child.tag in _HONOURED:  # not the material of a visual
            base = key if element.tag in ('collision', 'visual', 'geometry') else owner
            _check(path, child, f'{base}/{child.tag}')


def _check_children(
    path: Path,
    element: ElementTree.Element,
    key: str,
    known: Sequence[str],
    repeated: Sequence[str],
    ignored: Sequence[str],
) -> None:
    seen: set[str] = set()
    for child in element:
        place = f'{key}/{child.tag}' if key else str(child.tag)
        if child.tag in ignored or child.tag in repeated:
            continue
        if child.tag not in known:
            names = [*known, *repeated, *ignored]
            near = difflib.get_close_matches(str(child.tag), names, n=1)
            wanted = f"'{near[0]}'" if near else 'one of ' + ', '.join(dict.fromkeys(names))
            raise ConfigError(path, place, 'an unknown element', wanted)
        if child.tag in seen:
            raise ConfigError(path, place, 'the element twice', 'it once')
        seen.add(child.tag)


def read_numbers(path: Path, key: str, text: str, count: int) -> list[float]:
    """`count` finite numbers. Raises ConfigError."""
    wanted = 'a finite number' if count == 1 else f'{count} finite numbers'
    try:
        # urdfdom and MuJoCo read no '1_000', which float() does.
        values = [float(word) if '_' not in word else math.nan for word in text.split()]
    except ValueError:
        raise ConfigError(path, key, text, wanted) from None
    if len(values) != count or not all(math.isfinite(value) for value in values):
        raise ConfigError(path, key, text, wanted)
    return values


def _check_extensions(path: Path, root: ElementTree.Element) -> None:
    """Mechanics inside elements that are otherwise ignored."""
    for element in root.findall('transmission'):
        names = {joint.get('name') for joint in element.findall('joint')}
        if len(names) > 1:
            raise ConfigError(
                path,
                f'transmission[{element.get("name")}]',
                'coupled joints ' + ', '.join(sorted(map(str, names))),
                'one joint (limits that hold for each joint alone, and no such transmission)',
            )
    for element in root.findall('ros2_control'):
        for joint in element.iter('joint'):
            mimics = [p for p in joint.findall('param') if p.get('name') == 'mimic']
            if mimics or joint.get('mimic') == 'true':
                raise mimic_error(path, f'ros2_control/joint[{joint.get("name")}]/mimic')
    for element in root.findall('gazebo'):
        for closing in ('joint', 'link'):
            for found in element.findall(closing):
                raise ConfigError(
                    path,
                    f'gazebo/{closing}[{found.get("name")}]',
                    f'a {closing} of Gazebo alone (closed chain)',
                    'a tree without it',
                )
        for plugin in element.iter('plugin'):
            if 'mimic' in plugin.get('filename', '') + plugin.get('name', ''):
                raise mimic_error(path, f'gazebo/plugin[{plugin.get("name")}]')
    for element in root.findall('loop_joint'):
        raise ConfigError(
            path, f'loop_joint[{element.get("name")}]', 'a closed chain', 'a tree without it'
        )
    for element in root.findall('mujoco'):
        for child in element:
            if child.tag not in _HINTS:
                raise ConfigError(
                    path,
                    f'mujoco/{child.tag}',
                    'mechanics of MuJoCo alone',
                    f'no such element: of a <mujoco> block {", ".join(_HINTS)} are left out, '
                    'and nothing else',
                )


def mimic_error(path: Path, key: str, leader: str = '') -> ConfigError:
    """A mimic joint, which neither the filter nor the servos can follow."""
    return ConfigError(
        path,
        key,
        f'a mimic joint (of {leader})' if leader else 'a mimic joint',
        "type 'fixed', or no <mimic> where the joint has a motor of its own",
    )
