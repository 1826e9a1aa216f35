# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Real-time priority for the processes that keep the robot on its feet.

With both cores busy, a 100 Hz timer at default priority is late by 3.8 ms (p99), under SCHED_FIFO
by 0.3 ms; and a driver that a renderer or a policy keeps off the CPU for 50 ms lets a biped fall.
A page that has to come back from the disk takes as long: what these processes touched stays.

The inference node has the lowest of these priorities for the work around its model; the model runs
at the default one (`NormalPriority`). A chunk leaves in time while other processes compute, and a
slow model does not keep the others from the CPU.

The camera has none: on two full cores what it gained the model lost, and the robot stopped more
often (measured; vla_supervisor/README.md, Known limits).
"""

from __future__ import annotations

import ctypes
import os
import resource
from contextlib import suppress
from enum import IntEnum


class Priority(IntEnum):
    """SCHED_FIFO priorities; the one that can stop the robot comes first.

    All stay below the kernel's own interrupt threads (50).
    """

    NORMAL = 0
    INFERENCE = 10
    MONITOR = 20
    FILTER = 25
    DRIVER = 30
    SUPERVISOR = 35


WITNESS = 45
"""Of no part of the robot: of what measures how late the machine lets anybody run."""


def request_realtime(priority: Priority) -> str:
    """Ask for real-time priority for this process; return in words what came of it.

    Call it before any thread is made: threads inherit it (the middleware's receive threads are
    what carries an e-stop). `VLA_REALTIME=0` in the environment leaves the process as it is.
    """
    if priority == Priority.NORMAL or os.environ.get('VLA_REALTIME') == '0':
        return 'default scheduling'
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(int(priority)))
    except (PermissionError, OSError) as error:
        return (
            f'no real-time priority ({error.strerror}): late ticks under load. To allow it: a line '
            f'"@realtime - rtprio 40" in /etc/security/limits.d, and the user in that group'
        )
    told = f'real-time priority {int(priority)} (SCHED_FIFO)'
    if not _keep_in_memory():
        told += (
            '; memory not locked: late ticks when it gets short ("@realtime - memlock unlimited")'
        )
    return told


class Scheduled:
    """`with Scheduled(priority):` the calling thread has that priority, and afterwards the one from
    before; the threads that are made meanwhile have it for good. Nothing changes where it may not,
    or where `VLA_REALTIME` is 0."""

    def __init__(self, priority: Priority) -> None:
        self._policy = os.SCHED_OTHER if priority == Priority.NORMAL else os.SCHED_FIFO
        self._parameter = os.sched_param(int(priority))

    def __enter__(self) -> None:
        self._before: tuple[int, os.sched_param] | None = None
        policy = os.sched_getscheduler(0)
        if self._policy == os.SCHED_OTHER:
            if policy == os.SCHED_OTHER:
                return
        elif os.environ.get('VLA_REALTIME') == '0':
            return
        before = policy, os.sched_getparam(0)
        with suppress(PermissionError):
            os.sched_setscheduler(0, self._policy, self._parameter)
            self._before = before

    def __exit__(self, *raised: object) -> None:
        if self._before is not None:
            # Refused if the permission was taken away meanwhile: then it stays as it is.
            with suppress(PermissionError):
                os.sched_setscheduler(0, *self._before)


class NormalPriority(Scheduled):
    """The default priority for what may take long, where the process has a real-time one."""

    def __init__(self) -> None:
        super().__init__(Priority.NORMAL)


_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4


def _keep_in_memory() -> bool:
    """Pin every page of this process once it was touched. False if the user may not (memlock)."""
    # Under a limit, an allocation beyond it would fail later, in the middle of the work.
    if os.geteuid() and resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != resource.RLIM_INFINITY:
        return False
    # Not the pages that nobody touched: a robot model's libraries reserve gigabytes.
    return ctypes.CDLL(None).mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) == 0
