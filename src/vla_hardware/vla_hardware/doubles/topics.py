# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The double of the driver `topics`: a robot node in a process and a ROS domain of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import yaml

from vla_hardware.doubles.node_process import NodeProcess, ProcessDouble
from vla_robot import RobotModel

DOMAIN = 87


class TopicsDouble(ProcessDouble):
    """See the module and `DriverDouble`."""

    what = 'a node in a process of its own, with a forward command controller'
    error_states = ('controller stopped', 'two publishers')

    def __init__(self, robot: RobotModel, folder: Path) -> None:
        names = sorted(robot.joint_names)
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
        process = NodeProcess('vla_hardware.doubles.topic_robot', given)
        super().__init__(process, [names.index(name) for name in robot.joint_names])

    @classmethod
    def start(cls, robot: RobotModel, folder: Path) -> Self:
        return cls(robot, folder)
