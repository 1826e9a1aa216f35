# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What a preflight checks: the robot, bundle and configuration of a launch with these arguments."""

import importlib.util
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from ament_index_python.packages import get_package_share_directory

from vla_common.cameras import executable_of
from vla_common.errors import ConfigError
from vla_common.parameter_files import plain_values
from vla_common.preflight_record import configuration_digest, digests_of
from vla_hardware.drivers import SIMULATED
from vla_policy.bundle.resolve_bundle import installed_models, is_address, locate_bundle
from vla_policy.load import load_policy
from vla_policy.types import Policy
from vla_robot import RobotModel, load_robot
from vla_robot.directory import robot_directory
from vla_supervisor.settings import supervised_nodes


@dataclass(frozen=True)
class Subject:
    """parameters: values by node and name, as the launch gives them. given: the launch arguments in
    words. address: of the robot's computer; empty where none was given."""

    parameters: Mapping[str, Mapping[str, Any]]
    given: str = ''
    address: str = ''

    @property
    def robot_name(self) -> str:
        return str(self.parameters['supervisor']['robot'])

    @property
    def driver(self) -> str:
        return str(self.parameters['hardware_driver']['driver'])

    @property
    def simulated(self) -> bool:
        """Whether no robot is there that could hurt somebody."""
        return self.driver in SIMULATED

    @cached_property
    def robot(self) -> RobotModel:
        """Raises ConfigError."""
        return load_robot(self.robot_name)

    @property
    def policy(self) -> str:
        return str(self.parameters['inference']['policy'])

    @property
    def remote(self) -> bool:
        """Whether a policy server answers: its bundle is not on this computer."""
        return is_address(self.policy)

    @cached_property
    def bundle(self) -> Path:
        """Raises ConfigError."""
        return locate_bundle(self.policy, installed_models())

    @cached_property
    def loaded(self) -> Policy:
        """The policy, loaded as the inference node does. Raises ConfigError."""
        p = self.parameters['inference']
        place = self.policy if self.remote else self.bundle
        return load_policy(
            place,
            self.robot,
            threads=p['threads'],
            device=p['device'],
            accept_failed=p['accept_failed_verification'],
            timeout=p['policy_timeout'],
            precision=p['precision'],
        )

    @property
    def cameras(self) -> list[str]:
        """Their names; one empty name: the node `camera`."""
        return list(self.parameters['supervisor']['cameras'])

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that the supervisor has to see. Raises ConfigError."""
        return supervised_nodes(self.robot, self.cameras)

    def digests(self) -> dict[str, str]:
        """Of what is checked; empty where it cannot be read, which the checks report."""
        robot, bundle = None, self.policy if self.remote else ''
        with suppress(ConfigError):
            robot = robot_directory(self.robot_name)
        with suppress(ConfigError):
            bundle = bundle or str(self.bundle)
        return digests_of(robot, bundle, configuration_digest(self.parameters))

    def timeout(self, node: str) -> float:
        """s after which the supervisor misses a node."""
        return float(self.parameters['supervisor'][f'timeouts.{executable_of(node)}'])


def launch_file() -> ModuleType:
    """humanoid.launch.py as installed: it alone knows what a node is given."""
    share = get_package_share_directory('vla_bringup')
    path = os.path.join(share, 'launch', 'humanoid.launch.py')
    spec = importlib.util.spec_from_file_location('humanoid_launch', path)
    if spec is None or spec.loader is None:
        raise ConfigError(path, '', 'no launch file', 'an installed vla_bringup')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_subject(given: Mapping[str, str], address: str = '') -> Subject:
    """given: launch arguments by name. Raises ConfigError."""
    launch = launch_file()
    choices = {name: allowed for name, _, allowed, _ in launch.ARGUMENTS}
    for name, value in given.items():
        if name not in choices:
            wanted = f'one of {", ".join(choices)}'
            raise ConfigError('launch arguments', name, 'an unknown argument', wanted)
        if choices[name] is not None and value not in choices[name]:
            wanted = f'one of {", ".join(choices[name])}'
            raise ConfigError('launch arguments', name, value, wanted)
    arguments = {name: default for name, default, *_ in launch.ARGUMENTS} | dict(given)
    arguments = launch.without_none(arguments)
    share = get_package_share_directory('vla_bringup')
    settings = launch.read_parameters(arguments, set(given), os.path.join(share, 'config'))
    launch.leave_out_unused(settings)
    words = ' '.join(f'{name}:={value}' for name, value in given.items())
    return Subject(plain_values(settings), words, address)
