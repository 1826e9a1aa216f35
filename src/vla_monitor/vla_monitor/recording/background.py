# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The priority of the recorder's threads: after the robot's."""

import os
from contextlib import suppress

NICE, ENCODER_NICE = 0, 5
"""The robot's work at default priority has -10 (`vla_common.scheduling`): ten times the share."""


def step_back(nice: int = NICE) -> None:
    """Lower the priority of the calling thread; Linux has one for each thread.

    The middleware's threads keep theirs: they only move messages out of the sockets, which
    overflow where nobody does.
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, max(nice, os.getpriority(os.PRIO_PROCESS, 0)))
