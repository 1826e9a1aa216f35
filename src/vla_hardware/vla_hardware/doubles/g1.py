# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The double of the driver `unitree`: a G1 at the level of its messages, on loopback.

A robot directory with legs is driven in low level, one without by /arm_sdk.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml

from vla_hardware.doubles.node_process import NodeProcess, ProcessDouble
from vla_hardware.drivers.unitree.config import environment
from vla_hardware.drivers.unitree.motors import MOTORS
from vla_robot import RobotModel

DOMAIN = 88
MODE_MACHINE = 5


class G1Double(ProcessDouble):
    """See the module and `DriverDouble`. options: of `G1Robot`."""

    what = 'a G1 at the level of its messages, in a process of its own'
    error_states = ('remote stop', 'mode changed', 'two writers', 'motor error', 'restart')

    def __init__(self, robot: RobotModel, folder: Path, **options: Any) -> None:
        slots = {motor.name: motor.slot for motor in MOTORS}
        own = [slots[name] for name in robot.joint_names]
        mode = 'low_level' if MOTORS[0].name in robot.index else 'arm_sdk'
        config = folder / 'unitree.yaml'
        content = {'network': '127.0.0.1', 'mode': mode, 'mode_machine': MODE_MACHINE}
        config.write_text(yaml.safe_dump({**content, 'domain_id': DOMAIN}))
        self.params = {'driver_config': str(config)}
        start = np.zeros(len(MOTORS))
        start[own] = robot.poses['standing']
        given = {
            'mode': mode,
            'mode_machine': MODE_MACHINE,
            'domain_id': DOMAIN,
            'start': start.tolist(),
            'service': '' if mode == 'low_level' else 'ai',
            'on_silence': 'keep',
            **options,
        }
        process = NodeProcess(
            'vla_hardware.doubles.g1_robot', given, environment('127.0.0.1', os.fspath(folder))
        )
        super().__init__(process, own)

    @classmethod
    def start(cls, robot: RobotModel, folder: Path) -> Self:
        return cls(robot, folder)
