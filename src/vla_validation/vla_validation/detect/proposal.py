# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which launch arguments follow from the devices, and what stays unsure. Pure."""

import ipaddress
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from vla_hardware.graph_check import ROBOTS_OWN, SIMULATION, mixed_robots
from vla_validation.detect.devices import Devices, SerialPort, VideoNode

SERVO_ADAPTERS = {'1a86:7523': 'CH340', '1a86:55d3': 'CH343', '1a86:55d4': 'CH9102'}
"""USB serial chips of the boards that drive Feetech bus servos; and of many other boards."""
REALSENSE = '8086'
"""Intel, whose cameras name themselves RealSense."""

NETWORKS = (
    ('192.168.123.0/24', 'Unitree', 'unitree', 'unitree_g1'),
    ('172.16.0.0/24', 'Franka', 'franka', 'fr3'),
)
"""Subnet, maker, driver, robot: what makers ship as the address of their robots."""

IMAGE = 'sensor_msgs/msg/Image'
OURS = ('/camera/', '/sim/')
PICTURES = 'which is which: ros2 run vla_camera list --pictures /tmp/cameras'


@dataclass
class Proposal:
    """arguments: of the launch, by name. unsure: what a person has to decide. refused: why nothing
    may be launched here; empty: it may."""

    arguments: dict[str, str] = field(default_factory=dict)
    unsure: list[str] = field(default_factory=list)
    refused: str = ''

    def to_dict(self) -> dict[str, Any]:
        return {'arguments': self.arguments, 'unsure': self.unsure, 'refused': self.refused}

    @property
    def command(self) -> str:
        given = ' '.join(f'{name}:={value}' for name, value in self.arguments.items())
        return f'ros2 launch vla_bringup humanoid.launch.py {given}'.strip()


def propose(devices: Devices, robots: Collection[str], drivers: Collection[str]) -> Proposal:
    """robots: names of the robot directories that there are. drivers: names of the drivers."""
    found = Proposal()
    _robot(found, devices, robots, drivers)
    _cameras(found, devices)
    if found.arguments:
        # Whatever was guessed: the first motion is slow, and by a deliberate step.
        found.arguments |= {'stage': 'slow', 'auto_arm': 'false'}
    topics = devices.topics or {}
    simulated = SIMULATION in topics
    if devices.topics is None:
        found.unsure.append('the ROS graph was not looked at')
    elif found.arguments.get('driver') or any(name in topics for name in ROBOTS_OWN):
        found.refused = mixed_robots(False, topics) if simulated else ''
    return found


def _robot(
    found: Proposal, devices: Devices, robots: Collection[str], drivers: Collection[str]
) -> None:
    candidates = [*_networks(devices), *_native_topics(devices), *_servo_arms(found, devices)]
    unique = list({(driver, robot): why for driver, robot, why in candidates}.items())
    if len(unique) > 1:
        names = '; '.join(f'{driver} ({why})' for (driver, _), why in unique)
        found.unsure.append(f'several robots: {names}; choose driver:= and robot:=')
        return
    for (driver, robot), why in unique:
        if driver in drivers:
            found.arguments['driver'] = driver
        else:
            found.unsure.append(
                f'{why}: there is no driver {driver} here, but {", ".join(sorted(drivers))}; '
                'docs/add_a_driver.md'
            )
        if robot in robots:
            found.arguments['robot'] = robot
            found.unsure.append(f'robot:={robot} is a guess from {why}: check model and joints')
        else:
            found.unsure.append(
                f'{why}: no robot directory {robot or "is known for it"}; docs/add_a_robot.md'
            )
    if not unique and devices.topics is not None and SIMULATION not in devices.topics:
        joint_states = 'sensor_msgs/msg/JointState' in devices.topics.get('/joint_states', ())
        if joint_states and 'topics' in drivers:
            found.arguments['driver'] = 'topics'
            found.unsure.append('/joint_states is published: which robot directory fits it?')


def _networks(devices: Devices) -> list[tuple[str, str, str]]:
    candidates = []
    for interface in devices.network:
        for address in interface.addresses:
            for subnet, maker, driver, robot in NETWORKS:
                try:
                    inside = ipaddress.ip_address(address) in ipaddress.ip_network(subnet)
                except ValueError:
                    continue
                if inside:
                    state = '' if interface.up else ', without a carrier: is the cable in?'
                    why = f'{interface.name} has {address}, the subnet of {maker}{state}'
                    candidates.append((driver, robot, why))
    return candidates


def _native_topics(devices: Devices) -> list[tuple[str, str, str]]:
    return [
        (driver, robot, f'{name} is published')
        for name, (driver, robot) in ROBOTS_OWN.items()
        if name in (devices.topics or {})
    ]


def _servo_arms(found: Proposal, devices: Devices) -> list[tuple[str, str, str]]:
    ports = [p for p in devices.serial if p.usb is not None and p.usb.kind in SERVO_ADAPTERS]
    if not ports:
        return []
    shown = [_permanent(port, ports) for port in ports]
    chip = SERVO_ADAPTERS[ports[0].usb.kind] if ports[0].usb is not None else ''
    found.unsure.append(
        f'a {chip} at {" and ".join(shown)} may be a bus of Feetech servos (SO-100, SO-101) or any '
        'other board with that chip; `port` of its driver_file names it'
    )
    if len(ports) > 1:
        found.unsure.append('several serial buses: leader and follower? Unplug one and look again')
    return [('so101', 'so101', f'a {chip} serial adapter')]


def _permanent(port: SerialPort, ports: list[SerialPort]) -> str:
    """A name that stays: adapters without a serial number share one by-id name."""
    same = Counter(p.usb.serial for p in ports if p.usb is not None)
    unique = port.usb is not None and port.usb.serial and same[port.usb.serial] == 1
    names = [n for n in port.names if n.startswith('by-id/')] if unique or len(ports) == 1 else []
    names += [n for n in port.names if n.startswith('by-path/')]
    return f'/dev/serial/{names[0]}' if names else port.path


def _cameras(found: Proposal, devices: Devices) -> None:
    texts: list[str] = []
    video = [v for v in devices.video if not _is_realsense(v)]
    same = Counter(v.usb.serial if v.usb is not None else '' for v in video)
    for node in video:
        serial = node.usb.serial if node.usb is not None else ''
        shared = same[serial] > 1
        wanted = 'by-path/' if shared else 'by-id/'
        names = [n for n in node.names if n.startswith(wanted)] or list(node.names) or [node.path]
        texts.append(f'camera{len(texts) + 1}:v4l2:{names[0]}')
        if shared:
            what = f'the serial number {serial}' if serial else 'no serial number'
            found.unsure.append(
                f'{node.path} ({node.card}): several cameras have {what}, so it is named by its '
                f'port; {PICTURES}'
            )
    # The serial number in the USB descriptor is not the one of librealsense.
    depth = {v.usb.port for v in devices.video if _is_realsense(v) and v.usb is not None}
    depth |= {
        u.port for u in devices.usb if u.vendor == REALSENSE and 'realsense' in u.name.lower()
    }
    for port in sorted(depth):
        texts.append(f'camera{len(texts) + 1}:realsense')
        found.unsure.append(
            f'a RealSense at USB {port}: its serial number by `ros2 run vla_camera list`'
            + ('; needed with several' if len(depth) > 1 else '')
        )
    for name, types in sorted((devices.topics or {}).items()):
        if IMAGE in types and not name.startswith(OURS):
            texts.append(f'camera{len(texts) + 1}:topic:{name}')
    if texts:
        found.arguments['cameras'] = ','.join(texts)
        found.unsure.append("cameras: the policy's names instead of camera1, … (its policy.yaml)")


def _is_realsense(node: VideoNode) -> bool:
    named = f'{node.card} {node.usb.name if node.usb is not None else ""}'.lower()
    return 'realsense' in named
