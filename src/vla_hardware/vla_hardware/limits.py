# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The safety figures of the servo loop."""

import os
from dataclasses import dataclass
from typing import Self

from vla_common.parameter_files import load_node_parameters


@dataclass(frozen=True)
class ServoLimits:
    """None has a default; the shipped values are in config/hardware_driver.yaml.

    command_timeout s, supervisor_timeout s, max_command_step rad: see `CommandGate` and
    `SupervisorWatch`. rest_velocity rad/s: a slower joint is at rest. standing_tolerance rad:
    measured to standing pose. errors_to_fault: read or write errors in a row that are a fault.
    fault_clear_time s: a fault ends after good readings for this time and an ESTOP.
    read_deadline s: a longer read is a read error. damp_factor: viscous damping of `damp` as a
    multiple of the servos' kv. lying_tilt rad: beyond it the robot counts as lying.
    max_balance_offset rad: bound of the balance offset of each joint. stand_lead rad: how far the
    target of a joint may be ahead of the joint in `stand`.
    """

    command_timeout: float
    supervisor_timeout: float
    max_command_step: float
    rest_velocity: float
    standing_tolerance: float
    errors_to_fault: int
    fault_clear_time: float
    read_deadline: float
    damp_factor: float
    lying_tilt: float
    max_balance_offset: float
    stand_lead: float

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> Self:
        """From a ROS parameter file; default: the installed config/hardware_driver.yaml.

        Raises:
            ConfigError: the file is missing or malformed, or a value is missing or out of range.
        """
        return load_node_parameters('vla_hardware', 'hardware_driver', path).select(cls)
