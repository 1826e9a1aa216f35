# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Subject `robot`: broken robot directories, as every node and the simulation load them."""

import copy
import random
import shutil
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from vla_balance.gains import BalanceGains
from vla_hardware.protective_stop import StopRules
from vla_hardware.reference_motion import ReferenceMotion
from vla_robot import load_robot
from vla_robot.check import check_robot
from vla_robot.directory import robot_directory
from vla_robot.mutations import broken_copy
from vla_safety.coupled.build import braking_barriers
from vla_safety.filter import SafetyFilter
from vla_safety.parameters import load_parameters
from vla_sim import World
from vla_validation.fuzz.outcome import CaseResult, SilentlyAccepted, assess
from vla_validation.fuzz.small_robot import write_small_robot
from vla_validation.fuzz.yaml_mistakes import make_mistake

STEPS = 20  # of the simulation
LARGE = 0.05  # share of cases with the shipped robot: loading it takes six times as long
MECHANICAL = (
    'link', 'joint', 'inertial', 'mass', 'inertia', 'collision', 'geometry', 'axis', 'limit',
    'origin', 'parent', 'child', 'dynamics', 'box', 'sphere', 'cylinder', 'capsule', 'mesh',
)  # fmt: skip
NUMERIC = ('mass', 'inertia', 'axis', 'limit', 'origin', 'dynamics', 'box', 'sphere', 'cylinder',
           'capsule')  # fmt: skip
SINGLE = ('axis', 'limit', 'inertial', 'mass', 'inertia', 'parent', 'child', 'dynamics')
"""Elements that may be in their parent once."""


class RobotSubject:
    """See the module."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix='vla_fuzz_')
        self._small = Path(self._folder.name) / 'smallbot'
        write_small_robot(self._small)
        self._large = robot_directory('humanoid32')
        self._parameters = load_parameters()

    def run(self, seed: int) -> CaseResult:
        chance = random.Random(seed)
        source = self._large if chance.random() < LARGE else self._small
        with tempfile.TemporaryDirectory(prefix='vla_fuzz_') as folder:
            directory = Path(folder) / 'robot'
            action = chance.choice(('any', 'any', 'yaml', 'urdf'))
            must_refuse = False
            if action == 'any':
                changed = broken_copy(source, directory, seed)
            else:
                shutil.copytree(source, directory)
                breaks = _break_yaml if action == 'yaml' else _break_urdf
                changed, must_refuse = breaks(directory, chance)
            changed = f'{source.name}: {changed}'
            return assess(lambda: self._use(directory), changed, must_refuse, Path(folder))

    def _use(self, directory: Path) -> None:
        """What the nodes, the simulation and `vla_robot check` do with a robot."""
        robot = load_robot(directory)
        world = World(robot)
        world.step(STEPS)
        limits = robot.limits
        if not (np.isfinite(world.qpos).all() and np.isfinite(robot.total_mass)):
            raise SilentlyAccepted('the simulation is not finite')
        if not (limits.lower < limits.upper).all():
            raise SilentlyAccepted('a joint without a range')
        check_robot(robot, None)
        StopRules.of(robot)
        ReferenceMotion.of(robot)
        if robot.foot_boxes:
            BalanceGains.load(robot)
        barriers = braking_barriers(robot, self._parameters, clock=lambda: 0.0)
        core = SafetyFilter(robot, self._parameters, (barriers,))
        pose = robot.poses['standing']
        core.reset(pose)
        output = core.tick(0.01, 0.01, pose, np.zeros(robot.n), 1.0, None, None)
        if not np.isfinite(output.position).all() or not np.isfinite(output.effort).all():
            raise SilentlyAccepted('the command of the filter is not finite')


def _break_yaml(directory: Path, chance: random.Random) -> tuple[str, bool]:
    file = directory / 'robot.yaml'
    text, mistake = make_mistake(file.read_text(), chance)
    file.write_text(text)
    return f'robot.yaml: {mistake.text}', mistake.must_refuse


def _break_urdf(directory: Path, chance: random.Random) -> tuple[str, bool]:
    """One mistake that must be refused."""
    file = directory / 'robot.urdf'
    root = ElementTree.fromstring(file.read_bytes())
    parents = {child: parent for parent in root.iter() for child in parent}
    visual = {inner for element in root.iter('visual') for inner in element.iter()}
    ignored = {inner for element in root.iter('transmission') for inner in element.iter()}
    mechanical = [
        element
        for element in root.iter()
        if element.tag in MECHANICAL and element not in visual and element not in ignored
    ]
    action = chance.choice(('attribute', 'element', 'not finite', 'not finite', 'twice'))
    if action == 'attribute':
        element = chance.choice(mechanical)
        element.set('fuzz', '1')
        what = 'unknown attribute'
    elif action == 'element':
        element = chance.choice(mechanical)
        ElementTree.SubElement(element, 'fuzz', value='1')
        what = 'unknown element'
    elif action == 'not finite':
        element = chance.choice([e for e in mechanical if e.tag in NUMERIC and e.attrib])
        name = chance.choice(sorted(element.attrib))
        words = element.get(name, '').split()
        words[chance.randrange(len(words))] = chance.choice(('nan', 'inf', '-inf', 'NaN', '1e999'))
        element.set(name, ' '.join(words))
        what = f'{name}={element.get(name)}'
    else:
        element = chance.choice([e for e in mechanical if e.tag in SINGLE])
        parents[element].append(copy.deepcopy(element))
        what = 'twice'
    file.write_bytes(ElementTree.tostring(root))
    owner = element
    while owner in parents and not owner.get('name'):
        owner = parents[owner]
    return f'robot.urdf: {owner.get("name", "")}/{element.tag} {what}', True
