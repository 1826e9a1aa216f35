# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The double of the driver `topics`: a robot node in a process and a ROS domain of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import yaml

from vla_hardware.doubles.node_process import NodeProcess
from vla_hardware.drivers.base import Driver
from vla_robot import RobotModel

DOMAIN = 87


class TopicsDouble:
    """See the module and `DriverDouble`."""

    what = 'a node in a process of its own, with a forward command controller'
    has_wire = True
    error_states = ('controller stopped', 'two publishers')

    def __init__(self, robot: RobotModel, folder: Path) -> None:
        names = sorted(robot.joint_names)
        self._to_robot = [names.index(name) for name in robot.joint_names]
        config = folder / 'topics.yaml'
        controller = '/forward_position_controller'
        config.write_text(
            yaml.safe_dump(
                {
                    'joint_states': '/robot/joint_states',
                    'command': f'{controller}/commands',
                    'joints': names,
                    'controller': controller,
                    'domain_id': DOMAIN,
                }
            )
        )
        self.params = {'driver_config': str(config)}
        start = [float(robot.poses['standing'][robot.index[name]]) for name in names]
        given = {'names': names, 'start': start, 'domain_id': DOMAIN}
        self._robot = NodeProcess('vla_hardware.doubles.topic_robot', given)

    @classmethod
    def start(cls, robot: RobotModel, folder: Path) -> Self:
        return cls(robot, folder)

    def attach(self, driver: Driver) -> Driver:
        return driver

    def position(self) -> np.ndarray:
        return np.array(self._robot.ask('')['position'])[self._to_robot]

    def stiff(self) -> bool:
        return self._robot.ask('')['stiff']

    def commands(self) -> int:
        return self._robot.ask('')['commands']

    def pull_cable(self) -> None:
        self._robot.ask('pull')

    def plug_cable(self) -> None:
        self._robot.ask('plug')

    def freeze(self, frozen: bool) -> None:
        self._robot.ask('freeze' if frozen else 'thaw')

    def enter(self, state: str) -> None:
        self._robot.ask(state or 'end')

    def close(self) -> None:
        self._robot.close()
