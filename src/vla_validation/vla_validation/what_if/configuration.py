# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The user's own supervisor configuration, read as the node would read it, without a node."""

import pathlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from vla_common.errors import ConfigError
from vla_common.parameter_files import read_sections, values_of
from vla_common.parameters import Parameters, ParameterSchema
from vla_robot import load_robot
from vla_supervisor.settings import Settings, settings

NODE = 'supervisor'


@dataclass(frozen=True)
class Configuration:
    """The supervisor's configuration, and how long the robot takes to stand."""

    params: Parameters
    settings: Settings
    stand_duration: float  # s
    files: tuple[pathlib.Path, ...]


def shipped_file() -> pathlib.Path:
    """config/supervisor.yaml as the launch file uses it.

    Raises:
        ConfigError: vla_bringup, which installs it, is not there.
    """
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    try:
        share = pathlib.Path(get_package_share_directory('vla_bringup'))
    except PackageNotFoundError:
        raise ConfigError(
            'command line', '--params', 'nothing', 'a file: vla_bringup is not installed'
        ) from None
    return share / 'config' / 'supervisor.yaml'


def configuration(files: Iterable[pathlib.Path], robot: str | None) -> Configuration:
    """Read parameter files in order, later ones over earlier ones.

    Args:
        files: ROS parameter files.
        robot: instead of theirs, if given.

    Raises:
        ConfigError: as the node would at configure.
    """
    files = tuple(files)
    values: dict[str, Any] = {}
    for file in files:
        found = values_of(read_sections(file), NODE)
        values.update({name: setting.value for name, setting in found.items()})
    if robot is not None:
        values['robot'] = robot
    schema = ParameterSchema.load('vla_supervisor')
    known = {entry.name for entry in schema.entries}
    # As in rcl: a value that the schema does not name is not declared, and has no effect.
    declared = {name: value for name, value in values.items() if name in known}
    place = ', '.join(str(file) for file in files) or 'parameters'
    params = schema.check(declared, place)
    model = load_robot(params.robot)
    return Configuration(
        params, settings(params, model.stops, place), model.stops.safe_stop_duration, files
    )
