# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""All faults, by what they break."""

from __future__ import annotations

from vla_supervisor.drill.catalogue import body, messages, people, processes
from vla_supervisor.drill.fault import Fault

FAULTS: tuple[Fault, ...] = (
    *people.FAULTS,
    *body.FAULTS,
    *processes.FAULTS,
    *messages.FAULTS,
)
