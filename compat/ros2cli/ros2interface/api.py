# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Interfaces in the ament index."""

from __future__ import annotations

import os

from ament_index_python.resources import get_resource, get_resources
from ros2cli.text import suggest

KINDS = {'msg': 'Messages', 'srv': 'Services', 'action': 'Actions'}


def interfaces(kind: str) -> list[str]:
    """Return the full names of all interfaces of a kind, sorted."""
    found = set()
    for package in get_resources('rosidl_interfaces'):
        for line in get_resource('rosidl_interfaces', package)[0].splitlines():
            folder, _, name = line.strip().partition('/')
            if folder == kind and name.endswith(('.idl', f'.{kind}')):
                found.add(f'{package}/{kind}/{name.rsplit(".", 1)[0]}')
    # Parts that rosidl makes of services and actions are not interfaces to name.
    return sorted(name for name in found if '_' not in name.rsplit('/', 1)[1])


def definition_path(name: str) -> str:
    """Return the file with the definition of `package/kind/Name`; RuntimeError without one."""
    parts = name.split('/')
    if len(parts) != 3 or parts[1] not in KINDS:
        raise RuntimeError(f"'{name}' is not of the form package/msg|srv|action/Name")
    package, kind, interface = parts
    prefix = get_resources('rosidl_interfaces').get(package)
    if prefix is None:
        known = sorted(get_resources('rosidl_interfaces'))
        raise RuntimeError(f"Unknown package '{package}'{suggest(package, known)}")
    path = os.path.join(prefix, 'share', package, kind, f'{interface}.{kind}')
    if not os.path.exists(path):
        raise RuntimeError(
            f"Could not find the interface '{name}'{suggest(name, interfaces(kind))}"
        )
    return path
