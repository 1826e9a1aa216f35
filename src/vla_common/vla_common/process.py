# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Processes: the machine that a process id belongs to, and children that end with their parent."""

import ctypes
import os
import signal
from functools import cache

_PR_SET_PDEATHSIG = 1  # Linux, <sys/prctl.h>
_prctl = ctypes.CDLL(None).prctl  # looked up now: little may be done between fork and exec


def end_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Send this process ``number`` when the *thread* that started it ends; for preexec_fn."""
    _prctl(_PR_SET_PDEATHSIG, int(number))


@cache
def host_id() -> str:
    """Text that two processes share if a process id means the same to both.

    The kernel's boot id and the namespace of process ids (a container has its own); empty where
    the kernel does not report them.
    """
    try:
        with open('/proc/sys/kernel/random/boot_id', encoding='ascii') as file:
            return f'{file.read().strip()} {os.readlink("/proc/self/ns/pid")}'
    except OSError:
        return ''
