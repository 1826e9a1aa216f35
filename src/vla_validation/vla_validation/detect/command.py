# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_bringup detect`: what is plugged in, and how to launch it."""

import socket
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from vla_common import terminal
from vla_hardware.drivers import DRIVERS
from vla_robot.directory import robot_names
from vla_validation import report
from vla_validation.detect.devices import Devices, read_devices
from vla_validation.detect.proposal import Proposal, propose

DISCOVERY = 2.0  # s; other computers announce themselves within one
EXAMPLES = """Devices are listed, not opened: what a serial bus has on it is not known. The proposal
moves nothing by itself: stage:=slow, auto_arm:=false.

Exit status 0: listed; 1: a simulated and a real robot on one graph; 2: not looked at.

examples:
  ros2 run vla_bringup detect
  ros2 run vla_bringup detect --json --no-graph"""


def addresses() -> dict[str, tuple[str, ...]]:
    """IPv4 addresses by interface."""
    return {
        name: tuple(a.address for a in found if a.family == socket.AF_INET)
        for name, found in psutil.net_if_addrs().items()
    }


def graph_topics(seconds: float = DISCOVERY) -> dict[str, tuple[str, ...]]:
    """Topics with a publisher in this shell's ROS domain, and their types."""
    import rclpy

    context = rclpy.Context()
    context.init(args=[])
    node = rclpy.create_node('vla_detect', context=context, start_parameter_services=False)
    try:
        time.sleep(seconds)
        # This node's own are /rosout and /parameter_events, which are nobody's robot.
        return {
            name: tuple(types)
            for name, types in node.get_topic_names_and_types()
            if name not in ('/rosout', '/parameter_events') and node.count_publishers(name)
        }
    finally:
        node.destroy_node()
        context.try_shutdown()


def lines(devices: Devices, proposal: Proposal) -> list[str]:
    """For the operator."""
    text = [f'USB {d.port}: {d.kind} {d.name}, serial {d.serial or "none"}' for d in devices.usb]
    text += [
        f'serial {p.path}: {", ".join(p.names) or "no permanent name"}' for p in devices.serial
    ]
    text += [f'video {v.path}: {v.card}; {", ".join(v.names)}' for v in devices.video]
    text += [
        f'network {n.name}: {"up" if n.up else "down"}{", wireless" if n.wireless else ""} '
        f'{", ".join(n.addresses)}'.rstrip()
        for n in devices.network
    ]
    text += [f'GPU {name}' for name in devices.gpus] or ['no GPU']
    if devices.topics is not None:
        text.append(f'ROS topics: {", ".join(sorted(devices.topics)) or "none"}')
    text += [f'unsure: {what}' for what in proposal.unsure]
    if proposal.refused:
        text.append(f'REFUSED: {proposal.refused}')
    elif proposal.arguments:
        text.append(f'proposal: {proposal.command}')
    else:
        text.append(f'no robot found; the simulated one: {proposal.command}')
    return text


def main(arguments: list[str] | None = None) -> int:
    parser = terminal.parser(
        'vla_bringup detect', 'List what is plugged in, and propose launch arguments.', EXAMPLES
    )
    parser.add_argument('--json', action='store_true', help='one JSON object as the last line')
    parser.add_argument('--no-graph', action='store_true', help='do not look for ROS topics')
    parser.add_argument('--root', type=Path, default=Path('/'), help='folder with sys, dev, proc')
    options = parser.parse_args(arguments)

    def work() -> tuple[dict[str, Any], int]:
        topics = None if options.no_graph else graph_topics()
        devices = read_devices(options.root, addresses(), topics)
        proposal = propose(devices, robot_names(), DRIVERS.names())
        if not options.json:
            print('\n'.join(lines(devices, proposal)))
        result = {'devices': devices.to_dict(), 'proposal': proposal.to_dict()}
        return result, 1 if proposal.refused else 0

    return report.run('detect', work, options.json)


if __name__ == '__main__':
    sys.exit(main())
