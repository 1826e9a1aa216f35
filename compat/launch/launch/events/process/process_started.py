# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A process runs."""

from .running_process_event import RunningProcessEvent


class ProcessStarted(RunningProcessEvent):
    name = 'launch.events.process.ProcessStarted'
