# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Real-time priority for the processes that keep the robot balanced.

With both cores busy, a 100 Hz timer at default priority is late by 3.8 ms (p99), under SCHED_FIFO
by 0.3 ms. A biped falls if its driver gets no CPU for 50 ms because of a renderer or a policy. A
page fault from disk takes as long, so the pages of these processes are locked in memory.

Camera and inference node have the lowest of these priorities, for the work around the model; the
model runs at the default priority (`NormalPriority`). So an image and a chunk are published in time
while other processes compute, and a slow model does not block the others: without a new image the
robot stops after 0.3 s, without a new chunk after more than a second.

What runs at default priority comes before other programs (`NICE`, of the process and of its
session): a desktop or a plotter that wants a whole core must not starve the model.
"""

import os
from contextlib import suppress
from enum import IntEnum


class Priority(IntEnum):
    """SCHED_FIFO priorities; the process that can stop the robot has the highest.

    All stay below the kernel's own interrupt threads (50).
    """

    NORMAL = 0
    CAMERA = 5
    INFERENCE = 10
    OPERATOR = 15  # a stop from a terminal: before everything that computes
    MONITOR = 20
    FILTER = 25
    DRIVER = 30
    SUPERVISOR = 35


NICE = -10
"""Of every node's work at default priority: ten times the share of a program with nice 0."""

WITNESS = 45
"""Priority of an observer that measures scheduling delays; not of a part of the robot."""


def request_realtime(priority: Priority) -> str:
    """Request real-time priority for this process; return the result in words.

    What runs at default priority gets `NICE`, where permitted. Call it before any thread is
    created: threads inherit both (an e-stop passes through the middleware's receive threads).
    `VLA_REALTIME=0` in the environment disables it.
    """
    if os.environ.get('VLA_REALTIME') == '0':
        return 'default scheduling'
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, min(NICE, os.getpriority(os.PRIO_PROCESS, 0)))
        # Where Linux groups the processes of a session (autogroup), nice counts within it only.
        with open('/proc/self/autogroup', 'w', encoding='ascii') as autogroup:
            autogroup.write(str(NICE))
    if priority == Priority.NORMAL:
        return 'default scheduling'
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(int(priority)))
    except (PermissionError, OSError) as error:
        return (
            f'no real-time priority ({error.strerror}): late ticks under load. To allow it: a line '
            f'"@realtime - rtprio 40" in /etc/security/limits.d, and the user in that group'
        )
    result = f'real-time priority {int(priority)} (SCHED_FIFO)'
    if not _keep_in_memory():
        result += (
            '; memory not locked: late ticks when it gets short ("@realtime - memlock unlimited")'
        )
    return result


class Scheduled:
    """`with Scheduled(priority):` gives the calling thread that priority, then the previous one.

    Threads created inside keep it. Without permission, or where `VLA_REALTIME` is 0, nothing
    changes.
    """

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
            # Rejected if the permission was withdrawn meanwhile: the priority stays.
            with suppress(PermissionError):
                os.sched_setscheduler(0, *self._before)


class NormalPriority(Scheduled):
    """The default priority for long work in a real-time process."""

    def __init__(self) -> None:
        super().__init__(Priority.NORMAL)


_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4


def _keep_in_memory() -> bool:
    """Lock every touched page of this process. False without permission (memlock)."""
    # Here: a command that only needs a priority starts sooner without them.
    import ctypes
    import resource

    # With a limit, an allocation beyond it would fail later, during operation.
    if os.geteuid() and resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != resource.RLIM_INFINITY:
        return False
    # Not untouched pages: a robot model's libraries reserve gigabytes.
    return ctypes.CDLL(None).mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) == 0
