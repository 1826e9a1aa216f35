# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Random mistakes in robot directories, for tests: each seed gives one broken copy."""

import copy
import random
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import yaml

VALUES = (
    None, True, False, '', 'off', '1e-06', '0x10', 'nan', [], {}, [1, 2], [[]], {'a': 1}, 0, -1,
    1e9, float('nan'), float('inf'), 10**30, 'left_hand', 'pan', 'lift', 'world', 'table', '../..',
)  # fmt: skip
TEXTS = (
    '', 'x', '0', '-1', '1e-06', '1e-20', '1e300', '1e999', 'nan', '0 0 0', '0 1', '1 1 1',
    '0 1e-9 0', '0 -2 0', 'NaN 0 0', 'inf', '1_000', 'pan', 'lift', 'stand', 'world', 'table',
    'red_cube',
    'fixed', 'revolute', 'prismatic', 'continuous', 'floating', 'planar', 'spherical',
    'package://x/y.stl', 'file:///nowhere.stl', 'meshes/wedge.stl', '..', '\u00e4 \u2603',
)  # fmt: skip
TAGS = (
    'mimic', 'limit', 'axis', 'origin', 'dynamics', 'safety_controller', 'inertial', 'collision',
    'visual', 'mujoco', 'gazebo', 'link', 'joint', 'mass', 'inertia', 'calibration', 'sensor',
    'limt',
)  # fmt: skip


def broken_copy(source: Path, target: Path, seed: int) -> str:
    """Copy a robot directory to `target` with one to three mistakes; return what they are.

    Some do no harm: such a robot is still one.
    """
    chance = random.Random(seed)
    shutil.copytree(source, target)
    kinds = (_break_yaml, _break_urdf, _break_urdf, _break_bytes)
    return '; '.join(chance.choice(kinds)(target, chance) for _ in range(chance.randint(1, 3)))


def _break_yaml(directory: Path, chance: random.Random) -> str:
    path = directory / 'robot.yaml'
    try:
        content = yaml.safe_load(path.read_bytes())
    except (OSError, ValueError, yaml.YAMLError):
        return 'no YAML left'
    places: list[tuple[object, object]] = []

    def collect(node: object) -> None:
        keys = node.keys() if isinstance(node, dict) else range(len(node))
        for key in keys:
            places.append((node, key))
            if isinstance(node[key], (dict, list)):
                collect(node[key])

    if not isinstance(content, (dict, list)) or not content:
        return 'empty'
    collect(content)
    node, key = chance.choice(places)
    action = chance.choice(('value', 'value', 'delete', 'rename'))
    if action == 'value':
        node[key] = copy.deepcopy(chance.choice(VALUES))
    elif action == 'delete':
        del node[key]
    elif isinstance(node, dict):
        node[chance.choice(TEXTS)] = node.pop(key)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return f'robot.yaml: {action} {key}'


def _break_urdf(directory: Path, chance: random.Random) -> str:
    path = directory / 'robot.urdf'
    try:
        root = ElementTree.fromstring(path.read_bytes())
    except (OSError, ElementTree.ParseError):
        return 'no XML left'
    parents = {child: parent for parent in root.iter() for child in parent}
    if not parents:
        return 'empty'
    element = chance.choice(list(parents))
    action = chance.choice(('attribute', 'attribute', 'attribute', 'delete', 'twice', 'tag', 'new'))
    what = ''
    if action == 'attribute' and element.attrib:
        what = chance.choice(list(element.attrib))
        words = element.get(what, '').split()
        if len(words) > 1 and chance.random() < 0.5:
            words[chance.randrange(len(words))] = chance.choice(TEXTS)
            element.set(what, ' '.join(words))
        else:
            element.set(what, chance.choice(TEXTS))
        what += '=' + element.get(what, '')
    elif action == 'delete':
        parents[element].remove(element)
    elif action == 'twice':
        other = copy.deepcopy(element)
        if chance.random() < 0.5 and other.get('name'):
            other.set('name', other.get('name', '') + '_2')
        chance.choice([parents[element], chance.choice(list(root.iter()))]).append(other)
    elif action == 'tag':
        element.tag = chance.choice(TAGS)
    else:
        new = ElementTree.SubElement(element, chance.choice(TAGS))
        if chance.random() < 0.5:
            new.set(chance.choice(('name', 'xyz', 'value', 'joint')), chance.choice(TEXTS))
    path.write_bytes(ElementTree.tostring(root))
    return f'robot.urdf: {action} {element.tag} {element.get("name", "")} {what}'


def _break_bytes(directory: Path, chance: random.Random) -> str:
    files = [file for file in sorted(directory.rglob('*')) if file.is_file()]
    path = chance.choice(files)
    data = bytearray(path.read_bytes())
    place = chance.randrange(len(data)) if data else 0
    action = chance.choice(('cut', 'flip', 'remove'))
    if action == 'cut':
        data = data[:place]
    elif action == 'flip' and data:
        data[place] = chance.randrange(256)
    elif action == 'remove':
        path.unlink()
        return f'{path.name}: removed'
    path.write_bytes(data)
    return f'{path.name}: {action} at {place}'
