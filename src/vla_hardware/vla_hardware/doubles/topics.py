# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The double of the driver `topics`: a robot node in a process and a ROS domain of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml

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
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'vla_hardware.doubles.topic_robot'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        start = [float(robot.poses['standing'][robot.index[name]]) for name in names]
        self._ask({'names': names, 'start': start, 'domain_id': DOMAIN})

    @classmethod
    def start(cls, robot: RobotModel, folder: Path) -> Self:
        return cls(robot, folder)

    def _ask(self, what: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + '\n')
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def attach(self, driver: Driver) -> Driver:
        return driver

    def position(self) -> np.ndarray:
        return np.array(self._ask('')['position'])[self._to_robot]

    def stiff(self) -> bool:
        return self._ask('')['stiff']

    def commands(self) -> int:
        return self._ask('')['commands']

    def pull_cable(self) -> None:
        self._ask('pull')

    def plug_cable(self) -> None:
        self._ask('plug')

    def freeze(self, frozen: bool) -> None:
        self._ask('freeze' if frozen else 'thaw')

    def enter(self, state: str) -> None:
        self._ask(state or 'end')

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
