# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Finding processes, and keeping a launch alive."""

import sys

from launch._subset import refusing_getattr
from launch.actions import ExecuteProcess

from .proc_lookup import NO_CMD_ARGS, NoMatchingProcessException, resolveProcesses

_SLEEP = 'import signal; signal.signal(signal.SIGINT, lambda *_: exit(0)); signal.pause()'


def KeepAliveProc() -> ExecuteProcess:
    """A process that does nothing until the launch shuts down, and then ends with 0."""
    return ExecuteProcess(cmd=[sys.executable, '-c', _SLEEP])


__all__ = ['NO_CMD_ARGS', 'KeepAliveProc', 'NoMatchingProcessException', 'resolveProcesses']

__getattr__ = refusing_getattr(__name__)
