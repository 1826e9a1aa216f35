# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The events of processes, and those meant for them."""

from ..._subset import refusing_getattr
from .process_exited import ProcessExited
from .process_io import ProcessIO, ProcessStderr, ProcessStdout
from .process_matchers import matches_executable, matches_name, matches_pid
from .process_started import ProcessStarted
from .process_targeted_event import ProcessTargetedEvent, ShutdownProcess, SignalProcess
from .running_process_event import RunningProcessEvent

__all__ = [
    'ProcessExited',
    'ProcessIO',
    'ProcessStarted',
    'ProcessStderr',
    'ProcessStdout',
    'ProcessTargetedEvent',
    'RunningProcessEvent',
    'ShutdownProcess',
    'SignalProcess',
    'matches_executable',
    'matches_name',
    'matches_pid',
]

__getattr__ = refusing_getattr(__name__)
