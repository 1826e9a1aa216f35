# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A simulated and a real robot on one ROS graph: refused. Pure.

Two drivers of this workspace are found as second publishers of the same topic. What that does not
find is a simulation beside a robot that speaks its maker's topics.
"""

from collections.abc import Collection

from vla_common.topics import WORLD_STATE

SIMULATION = WORLD_STATE.name
"""Published by a simulated robot only."""

ROBOTS_OWN = {
    '/lowstate': ('unitree', 'unitree_g1'),
    '/lf/lowstate': ('unitree', 'unitree_g1'),
    '/franka_robot_state_broadcaster/robot_state': ('franka', 'fr3'),
}
"""Topics of a maker's own software, which no simulated robot of this workspace has: driver and
robot that they belong to."""


def mixed_robots(simulated: bool, topics: Collection[str]) -> str:
    """Why a driver must not start: a robot of the other kind publishes already; '' if none does.

    simulated: the driver. topics: with a publisher.
    """
    if not simulated:
        if SIMULATION in topics:
            return f'a real robot beside a simulated one ({SIMULATION} is published)'
        return ''
    real = sorted(set(topics) & ROBOTS_OWN.keys())
    return f'a simulated robot beside a real one ({real[0]} is published)' if real else ''
