# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which machine a process id belongs to."""

from __future__ import annotations

import os
from functools import cache


@cache
def host_id() -> str:
    """Text that is the same for two processes if one's process id means the same to the other.

    The kernel's boot and the namespace of process ids (a container has its own); empty where the
    kernel does not say.
    """
    try:
        with open('/proc/sys/kernel/random/boot_id', encoding='ascii') as file:
            return f'{file.read().strip()} {os.readlink("/proc/self/ns/pid")}'
    except OSError:
        return ''
