# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""ROS domains of this machine: one launched robot in each.

A second one would be heard by the nodes of the first, and both would stop: two supervisors, two
drivers, and lifecycle calls that reach whichever node answers sooner.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

from vla_common.errors import ConfigError

_held: dict[str, socket.socket] = {}


def take_domain(domain: str) -> None:
    """Hold `domain` until this process ends. It may launch in it again: one after the other.

    A name in Linux's abstract namespace: it reaches as far as discovery on localhost does (all
    users of the machine, not another container), and a process that was killed leaves nothing.

    Raises:
        ConfigError: another process holds it; the message names that process.
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
            f'{domain}, in which {_holder(name)} has a robot up',
            'a domain without a robot: end that launch, or export another ROS_DOMAIN_ID',
        ) from None
    _held[domain] = held


def release_domains() -> None:
    """Give up what this process holds: where launch ran in one that goes on, as in a test."""
    while _held:
        _held.popitem()[1].close()


def has_robot(domain: str) -> bool:
    """Whether a process, be it this one, holds it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.bind(_name(domain))  # to connect would leave an entry in the holder's queue
        except OSError:
            return True
        return False


def reserve_domain(*taken: str) -> tuple[str, Any]:
    """A domain for a robot of one's own, where none is up and none of `taken`, and what reserves
    it, by the port lock with which launch tests do so, as long as that object lives."""
    import domain_coordinator

    refused = []
    while True:
        lock = domain_coordinator.domain_id()
        domain = str(lock.__enter__())
        if domain not in taken and not has_robot(domain):
            return domain, lock
        refused.append(lock)  # held, so that the next is another


def _name(domain: str) -> str:
    return f'\0vla_bringup robot in ROS domain {domain}'


def _holder(name: str) -> str:
    """The process that listens at `name`, in words."""
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
    """The ROS domain that nodes started from here will be in."""
    return os.environ.get('ROS_DOMAIN_ID') or '0'
