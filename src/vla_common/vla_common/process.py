# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Processes: the machine that a process id belongs to, children that end with their parent, and
whether a parent has started a process before."""

import ctypes
import hashlib
import os
import signal
import tempfile
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


FIRST_START_WITHIN = 600.0
"""s after the start of its parent in which a process can be the first one that the parent starts. A
launch takes seconds, on a crowded machine a minute; files in /tmp are kept for longer."""


def first_start(name: str, parent: int | None = None) -> str:
    """Why this process is not the first `name` that its parent started; empty if it is.

    A launch, a shell or a container's init that starts a node again remains the node's parent.
    The first start is noted in a file; where it cannot be, or may have been removed since, the
    answer is a reason. parent: its process id; default: the parent's.
    """
    parent = os.getppid() if parent is None else parent
    try:
        began, now = _started(parent), _started(os.getpid())
        if now - began > FIRST_START_WITHIN:
            return f'process {parent} started it after {now - began:.0f} s'
        which = hashlib.sha256(f'{host_id()} {parent} {began}'.encode()).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f'vla_ros2_{os.getuid()}'
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / f'{name}_{which}').touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        return f'process {parent} has started it before'
    except (OSError, ValueError, IndexError) as error:
        return f'whether process {parent} has started it before is not known: {error}'
    return ''


def _started(pid: int) -> float:
    """s from boot to the start of a process, proc(5)."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return int(fields[19]) / os.sysconf('SC_CLK_TCK')
