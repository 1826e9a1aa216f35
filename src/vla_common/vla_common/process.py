# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Processes: the machine that a process id belongs to, children that end with their parent, and
whether a parent has started a process before."""

import ctypes
import hashlib
import os
import signal
import tempfile
import time
from functools import cache
from pathlib import Path

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


LAUNCH = 'VLA_LAUNCH'
"""Environment variable with the `launch_id` that a node belongs to."""

FIRST_START_WITHIN = 600.0
"""s after the start of its launch or parent in which a process can be the first one. A launch takes
seconds, on a crowded machine a minute; files in /tmp are kept for longer."""


def launch_id() -> str:
    """A new name for a launch: s since boot, and its process (a test launches several times)."""
    return f'{time.clock_gettime(time.CLOCK_BOOTTIME):.3f}:{os.getpid()}'


def first_start(name: str, launch: str = '', parent: int = 0) -> str:
    """Why this process is not the first `name` of its launch; empty if it is.

    The first start is noted in a file; where it cannot be, or may have been removed since, the
    answer is a reason.

    Args:
        name: of the node.
        launch: its `launch_id`. Without one, its parent counts as the launch: a launch, a shell or
            a container's init that starts a node again remains the node's parent.
        parent: process id; default: this process's parent.
    """
    parent = parent or os.getppid()
    who = 'its launch' if launch else f'process {parent}'
    try:
        began = float(launch.partition(':')[0]) if launch else _started(parent)
        late = _started(os.getpid()) - began
        if not late <= FIRST_START_WITHIN:
            return f'{who} started it after {late:.0f} s'
        key = f'{host_id()} {launch or parent} {began}'
        folder = Path(tempfile.gettempdir()) / f'vla_ros2_{os.getuid()}'
        folder.mkdir(mode=0o700, exist_ok=True)
        note = folder / f'{name}_{hashlib.sha256(key.encode()).hexdigest()[:16]}'
        note.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        return f'{who} has started it before'
    except (OSError, ValueError, IndexError) as error:
        return f'whether {who} has started it before is not known: {error}'
    return ''


def _started(pid: int) -> float:
    """s from boot to the start of a process, proc(5)."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return int(fields[19]) / os.sysconf('SC_CLK_TCK')
