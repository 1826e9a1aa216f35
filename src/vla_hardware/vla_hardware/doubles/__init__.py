# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Doubles of robots: the other side of a driver, for `ros2 run vla_validation driver`.

A package of your own adds one as an entry point of the group `vla.driver_doubles`, under the name
of its driver.
"""

from vla_common.registry import Registry

DOUBLES = Registry(
    'vla.driver_doubles',
    {
        'mujoco': 'vla_hardware.doubles.in_process:InProcess',
        'mock': 'vla_hardware.doubles.in_process:InProcess',
        'so101': 'vla_hardware.doubles.feetech_bus:FeetechBus',
        'topics': 'vla_hardware.doubles.topics:TopicsDouble',
        'unitree': 'vla_hardware.doubles.g1:G1Double',
        'ur': 'vla_hardware.doubles.ur_robot:UrRobot',
        'xarm': 'vla_hardware.doubles.xarm_robot:XArmRobot',
    },
)
