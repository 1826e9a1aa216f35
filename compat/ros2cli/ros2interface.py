# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for `ros2 interface`."""

import argparse
import os
import re
from collections.abc import Iterator

from ament_index_python.resources import get_resource, get_resources
from ros2cli.command import VerbCommand, arg, flag, suggest

_KINDS = {'msg': 'Messages', 'srv': 'Services', 'action': 'Actions'}
#: A field whose type is an interface: `geometry_msgs/Point[3] name`, `Point name`.
_NESTED = re.compile(r'^((?:[a-z]\w*/(?:msg/)?)?[A-Z]\w*)(?:\[[<=0-9]*\])?\s+[a-z]\w*')


class InterfaceCommand(VerbCommand):
    """Show information about ROS interfaces."""

    NOT_HERE = ('package', 'packages', 'proto')


def _interfaces(kind: str) -> list[str]:
    """Return the full names of all interfaces of a kind, sorted."""
    found = set()
    for package in get_resources('rosidl_interfaces'):
        for line in get_resource('rosidl_interfaces', package)[0].splitlines():
            folder, _, name = line.strip().partition('/')
            # Parts that rosidl makes of services and actions (with _) are not interfaces to name.
            if folder == kind and name.endswith(('.idl', f'.{kind}')) and '_' not in name:
                found.add(f'{package}/{kind}/{name.rsplit(".", 1)[0]}')
    return sorted(found)


def _definition_path(name: str) -> str:
    """Return the file with the definition of `package/kind/Name`; RuntimeError without one."""
    parts = name.split('/')
    if len(parts) != 3 or parts[1] not in _KINDS:
        raise RuntimeError(f"'{name}' is not of the form package/msg|srv|action/Name")
    package, kind, interface = parts
    packages = get_resources('rosidl_interfaces')
    if package not in packages:
        raise RuntimeError(f"Unknown package '{package}'{suggest(package, packages)}")
    path = os.path.join(packages[package], 'share', package, kind, f'{interface}.{kind}')
    if not os.path.exists(path):
        raise RuntimeError(
            f"Could not find the interface '{name}'{suggest(name, _interfaces(kind))}"
        )
    return path


@InterfaceCommand.verb(
    flag('-m', '--only-msgs', help='only messages'),
    flag('-s', '--only-srvs', help='only services'),
    flag('-a', '--only-actions', help='only actions'),
)
def list_(args: argparse.Namespace) -> None:
    """List all interface types available."""
    for kind in [kind for kind in _KINDS if getattr(args, f'only_{kind}s')] or _KINDS:
        print(f'{_KINDS[kind]}:', *_interfaces(kind), sep='\n    ')


@InterfaceCommand.verb(
    flag('--no-comments', help='no comments, no empty lines'),
    arg('type', help='interface, such as std_msgs/msg/String'),
)
def show(args: argparse.Namespace) -> None:
    """Output the interface definition."""
    for line in _lines(args.type, not args.no_comments, 0):
        print(line)


def _lines(name: str, comments: bool, depth: int = 0) -> Iterator[str]:
    with open(_definition_path(name), encoding='utf-8') as definition:
        for raw in definition:
            line = raw.rstrip()
            if not comments:
                if not re.search(r"""["'].*#.*["']""", line):
                    line = line.partition('#')[0].rstrip()
                if not line:
                    continue
            yield '\t' * depth + line if line else ''
            match = _NESTED.match(line)
            if match:
                inner = _full_name(match[1], name.split('/')[0])
                yield from _lines(inner, False, depth + 1)


def _full_name(name: str, package: str) -> str:
    if name == 'Header':
        # The one type that rosidl knows by its bare name.
        return 'std_msgs/msg/Header'
    named, slash, own = name.replace('/msg/', '/').rpartition('/')
    return f'{named if slash else package}/msg/{own}'
