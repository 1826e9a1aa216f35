# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Robot drivers by name: one file and one line each, here or in a package of your own.

A package of your own adds one as an entry point of the group `vla.drivers`.
"""

from vla_common.registry import Registry

DRIVERS = Registry(
    'vla.drivers',
    {
        'mujoco': 'vla_hardware.drivers.mujoco:MujocoDriver',
        'mock': 'vla_hardware.drivers.mock:MockDriver',
        'so101': 'vla_hardware.drivers.so101:So101Driver',
        'topics': 'vla_hardware.drivers.topics:TopicsDriver',
        'unitree': 'vla_hardware.drivers.unitree.driver:UnitreeDriver',
        'ur': 'vla_hardware.drivers.ur.driver:UrDriver',
        'xarm': 'vla_hardware.drivers.xarm.driver:XArmDriver',
    },
)

SIMULATED = ('mujoco', 'mock')
"""Drivers without a robot that could hurt somebody. Any other one counts as a real robot."""
