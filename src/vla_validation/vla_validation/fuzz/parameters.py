# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Subject `parameters`: broken parameter files, as the launch and the nodes read them."""

import random
import tempfile
from pathlib import Path

from ament_index_python.packages import get_package_share_directory

from vla_common.parameter_files import DEFAULT, NODES, effective, read_sections, write_node_file
from vla_common.parameters import ParameterSchema
from vla_hardware.limits import ServoLimits
from vla_robot import load_robot
from vla_safety.parameters import FilterParameters
from vla_supervisor.settings import settings
from vla_validation.fuzz.outcome import CaseResult, SilentlyAccepted, assess
from vla_validation.fuzz.yaml_mistakes import break_bytes, make_mistake

BY_TYPE = {'bool': 'maybe', 'int': 0.5, 'double': 'fast', 'string': 7}


class ParametersSubject:
    """See the module."""

    def __init__(self) -> None:
        self._schemas = {
            node: ParameterSchema.load(package, node) for node, package in NODES.items()
        }
        self._config = Path(get_package_share_directory('vla_bringup')) / 'config'
        self._robot = load_robot('humanoid32')

    def run(self, seed: int) -> CaseResult:
        chance = random.Random(seed)
        with tempfile.TemporaryDirectory(prefix='vla_fuzz_') as folder:
            file = Path(folder) / 'params.yaml'
            changed, must_refuse = self._write(file, chance)
            return assess(lambda: self._use(file, Path(folder)), changed, must_refuse, Path(folder))

    def _write(self, file: Path, chance: random.Random) -> tuple[str, bool]:
        """A user's file with one mistake, from the shipped ones."""
        nodes = chance.sample(sorted(NODES), chance.randint(1, 2))
        text = '\n'.join((self._config / f'{node}.yaml').read_text() for node in nodes)
        action = chance.choice(('keys', 'keys', 'keys', 'text', 'node', 'twice', 'place', 'value'))
        if action == 'keys':
            text, mistake = make_mistake(text, chance)
            file.write_text(text)
            return mistake.text, mistake.must_refuse
        if action == 'text':
            content, changed = break_bytes(text.encode(), chance)
            file.write_bytes(content)
            return changed, False
        node, must_refuse = nodes[0], True
        if action == 'node':
            name = chance.choice(('drivers', '/left/' + node, node + 's', '/other/**', 'a/' + node))
            text = text.replace(f'\n{node}:\n', f'\n{name}:\n')
            changed = f'{node} is named {name}'
        elif action == 'twice':
            name = chance.choice((f'/{node}', node))
            text += f'\n{name}:\n  ros__parameters:\n    robot: humanoid32\n'
            changed = f'robot of {node} again, under {name}'
        elif action == 'place':
            text += f'\n{"/**"}:\n  robot: humanoid32\n'
            changed = 'a value without ros__parameters'
        else:
            entry = chance.choice(self._schemas[node].entries)
            value: object = BY_TYPE[entry.type.removesuffix('_array')]
            bounds = [b for b in (entry.lo, entry.hi) if b is not None]
            if bounds and chance.random() < 0.5:
                low = chance.random() < 0.5 and entry.lo is not None
                value = entry.lo - 1 if low or entry.hi is None else entry.hi + 1
            text = f'/{node}:\n  ros__parameters:\n    {entry.name}: {value}\n'
            changed = f'{node}.{entry.name}: {value}'
        file.write_text(text)
        return changed, must_refuse

    def _use(self, file: Path, folder: Path) -> None:
        """What the launch makes of a params_file, and the nodes of that."""
        found = effective(self._schemas, self._config, file)
        values = {}
        for node, given in found.items():
            own = {name: setting.value for name, setting in given.items()}
            written = folder / f'{node}.yaml'
            write_node_file(written, node, given)
            read = {n: s.value for part in read_sections(written) for n, s in part.settings.items()}
            expected = {n: s.value for n, s in given.items() if s.place != DEFAULT}
            if read != expected:
                raise SilentlyAccepted(f'the file for {node} has other values')
            known = {entry.name for entry in self._schemas[node].entries}
            values[node] = self._schemas[node].check(
                {name: value for name, value in own.items() if name in known}, str(file)
            )
        FilterParameters.from_node(values['safety_filter'])
        values['hardware_driver'].select(ServoLimits)
        settings(values['supervisor'], self._robot.stops, str(file))
