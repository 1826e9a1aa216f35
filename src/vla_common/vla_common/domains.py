# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""ROS domains of this machine: one launched robot in each.

The nodes of two robots in one domain would receive each other's messages and both would stop: two
supervisors, two drivers, and lifecycle calls that reach either node.
"""

import os
import socket
import struct
from typing import Any

from vla_common.errors import ConfigError

_held: dict[str, socket.socket] = {}


def take_domain(domain: str) -> None:
    """Hold `domain` until this process ends. The same process may take it again.

    The lock is a name in Linux's abstract namespace: it reaches as far as discovery on localhost
    (all users of the machine, not another container), and a killed process leaves none.

    Raises ConfigError: another process holds it; the message names that process.
    """
    if domain in _held:
        return
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    name = _name(domain)
    try:
        held.bind(name)
        held.listen()
    except OSError:
        held.close()
        raise ConfigError(
            'environment',
            'ROS_DOMAIN_ID',
            f'{domain}, where {_holder(name)} runs a robot',
            'a free domain: end that launch, or export another ROS_DOMAIN_ID',
        ) from None
    _held[domain] = held


def release_domains() -> None:
    """Release all domains of this process, for a process that continues after a launch (a test)."""
    while _held:
        _held.popitem()[1].close()


def has_robot(domain: str) -> bool:
    """Whether any process, also this one, holds it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.bind(_name(domain))  # connecting would leave an entry in the holder's queue
        except OSError:
            return True
        return False


def reserve_domain(*taken: str) -> tuple[str, Any]:
    """A free domain other than `taken`, and the object that reserves it during its lifetime (the
    port lock of launch tests)."""
    import domain_coordinator

    rejected = []
    while True:
        lock = domain_coordinator.domain_id()
        domain = str(lock.__enter__())
        if domain not in taken and not has_robot(domain):
            return domain, lock
        rejected.append(lock)  # held, so that the next is another


def _name(domain: str) -> str:
    return f'\0vla_bringup robot in ROS domain {domain}'


def _holder(name: str) -> str:
    """The process that holds `name`, for an error message."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(1.0)
        try:
            asking.connect(name)
        except OSError:
            return 'another launch'
        credentials = struct.Struct('3i')  # struct ucred: pid, uid, gid
        peer = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, credentials.size)
        return f'the launch with pid {credentials.unpack(peer)[0]}'


def domain_of_this_process() -> str:
    """The ROS domain of the nodes that this process starts."""
    return os.environ.get('ROS_DOMAIN_ID') or '0'
