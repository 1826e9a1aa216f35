# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""All faults, by what they affect."""

from vla_validation.faults.catalogue import messages, operator, processes, robot
from vla_validation.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (*operator.FAULTS, *robot.FAULTS, *processes.FAULTS, *messages.FAULTS)
