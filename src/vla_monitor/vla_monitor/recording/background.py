# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The recorder's process: priority of its threads, after the robot's, and its memory."""

import ctypes
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


def keep_memory() -> None:
    """Let glibc keep freed memory. Call before a thread begins.

    Chunks and images of a megabyte come and go several times a second; by default each is mapped
    and unmapped, and the kernel clears its pages: a fifth of the recorder's processor time.
    """
    trim_threshold, mmap_threshold, arena_max = -1, -3, -8  # of malloc.h
    with suppress(AttributeError, OSError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(arena_max, 1)
        mallopt(mmap_threshold, 32 << 20)  # the largest that it takes
        mallopt(trim_threshold, 256 << 20)
