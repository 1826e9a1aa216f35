# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The file that `driver_config` names for the driver `unitree`."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Self

import psutil

from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader, load_yaml
from vla_hardware.drivers.unitree.motors import UPPER, VARIANTS, Motor
from vla_hardware.drivers.unitree.wire import BUTTONS

ARM_SDK, LOW_LEVEL = 'arm_sdk', 'low_level'


@dataclass(frozen=True)
class G1Config:
    """address: IPv4 of this computer on the robot's network. mode: arm_sdk or low_level.
    mode_machine: the variant. domain_id: of the robot. max_age: s. stop_buttons: combinations of
    buttons of the remote control that are the operator's stop.
    """

    file: str
    address: str
    mode: str
    mode_machine: int
    domain_id: int
    max_age: float
    stop_buttons: tuple[frozenset[str], ...]

    @classmethod
    def load(cls, path: str) -> Self:
        """Raises ConfigError."""
        if not path:
            raise ConfigError(
                'parameters', 'driver_config', 'nothing', 'a YAML file of the driver unitree'
            )
        fields = ConfigReader(path, load_yaml(path))
        network = fields.text('network')
        address = interface_address(network)
        if not address:
            raise fields.error(
                'network', network, f'an interface with an IPv4 address: {", ".join(_interfaces())}'
            )
        mode_machine = fields.integer('mode_machine', lo=0, hi=255)
        if mode_machine not in VARIANTS:
            known = ', '.join(f'{mode} ({variant.what})' for mode, variant in VARIANTS.items())
            raise fields.error('mode_machine', mode_machine, f'a known variant: {known}')
        buttons = fields.texts('stop_buttons', default=['L2+B'])
        for i, text in enumerate(buttons):
            if not set(text.split('+')) <= set(BUTTONS):
                wanted = f'buttons joined by +, of {", ".join(BUTTONS)}'
                raise fields.error(f'stop_buttons[{i}]', text, wanted)
        if not buttons:
            raise fields.error('stop_buttons', buttons, 'at least one combination')
        config = cls(
            file=os.fspath(path),
            address=address,
            mode=fields.text('mode', default=ARM_SDK, choices=(ARM_SDK, LOW_LEVEL)),
            mode_machine=mode_machine,
            domain_id=fields.integer('domain_id', default=0, lo=0, hi=232),
            max_age=fields.number('max_age', default=0.05, lo=0.01, hi=0.1),
            stop_buttons=tuple(frozenset(text.split('+')) for text in buttons),
        )
        fields.close()
        return config

    @property
    def motors(self) -> tuple[Motor, ...]:
        """Those that the mode commands."""
        first = UPPER if self.mode == ARM_SDK else 0
        return tuple(m for m in VARIANTS[self.mode_machine].motors if m.slot >= first)


def _interfaces() -> dict[str, str]:
    """The interfaces of this computer, each with its first IPv4 address or ''."""
    return {
        name: next((a.address for a in found if a.family == socket.AF_INET), '')
        for name, found in psutil.net_if_addrs().items()
    }


def interface_address(network: str) -> str:
    """IPv4 address of an interface of this computer, by its name or address; '' for none."""
    addresses = _interfaces()
    return network if network in addresses.values() else addresses.get(network, '')


_PROFILE = """\
<?xml version="1.0" encoding="UTF-8"?>
<dds xmlns="http://www.eprosima.com">
  <library_settings><intraprocess_delivery>OFF</intraprocess_delivery></library_settings>
  <profiles>
    <transport_descriptors>
      <transport_descriptor>
        <transport_id>robot</transport_id>
        <type>UDPv4</type>
        <interfaceWhiteList><address>{address}</address></interfaceWhiteList>
      </transport_descriptor>
    </transport_descriptors>
    <participant profile_name="robot_participant" is_default_profile="true">
      <rtps>
        <userTransports><transport_id>robot</transport_id></userTransports>
        <useBuiltinTransports>false</useBuiltinTransports>
        <builtin>
          <discovery_config>
            <initialAnnouncements>
              <count>20</count><period><sec>0</sec><nanosec>100000000</nanosec></period>
            </initialAnnouncements>
          </discovery_config>
        </builtin>
      </rtps>
    </participant>
  </profiles>
</dds>
"""


def environment(address: str, folder: str) -> dict[str, str]:
    """Environment of a process whose Fast DDS uses the robot's network alone.

    Fast DDS loads its profile once in a process: the node's own binds other interfaces. folder: for
    the profile.
    """
    profile = os.path.join(folder, 'robot.xml')
    with open(profile, 'w', encoding='utf-8') as file:
        file.write(_PROFILE.format(address=address))
    return {
        **os.environ,
        'RMW_IMPLEMENTATION': 'rmw_fastrtps_cpp',
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SYSTEM_DEFAULT',
        'FASTDDS_DEFAULT_PROFILES_FILE': profile,
        'FASTRTPS_DEFAULT_PROFILES_FILE': profile,
    }
