# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_hardware unitree_release`: release the robot's motion service, for low level."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence

from vla_common import terminal
from vla_hardware.drivers.unitree.config import G1Config, environment
from vla_hardware.drivers.unitree.motion_service import ServiceError

EPILOG = """\
Released, the motors of the robot are free: it falls unless it is hung up. Low level needs it
(mode: low_level in the file of the driver). --select starts a service again: lower the robot until
its feet stand on the ground first, and follow the maker's manual.

examples:
  ros2 run vla_hardware unitree_release --config g1.yaml
  ros2 run vla_hardware unitree_release --config g1.yaml --select ai

exit status: 0 done; 1 not confirmed, or refused by the robot; 2 a mistake in the arguments"""
CONFIRMATION = 'hung up'


def _confirmed(name: str) -> bool:
    print(
        f'The motion service {name} holds the robot. Released, it goes limp and falls.\n'
        f'Is the robot hung up, its feet off the ground, nobody within its reach?\n'
        f'Type "{CONFIRMATION}" to release it: ',
        end='',
        flush=True,
    )
    return sys.stdin.readline().strip() == CONFIRMATION


def _command(arguments: Sequence[str] | None) -> int:
    parser = terminal.parser(
        'vla_hardware unitree_release', "Release the G1's motion service.", EPILOG
    )
    parser.add_argument('--config', required=True, help='driver_config of the driver unitree')
    parser.add_argument('--select', metavar='NAME', help='start this service instead')
    options = parser.parse_args(arguments)
    config = G1Config.load(options.config)
    with tempfile.TemporaryDirectory(prefix='vla_unitree_') as folder:
        os.environ.update(environment(config.address, folder))  # before Fast DDS is loaded
        from vla_hardware.drivers.unitree.link import connected_switcher

        try:
            with connected_switcher(config.domain_id) as motion:
                if options.select:
                    motion.select(options.select)
                    print(f'selected: {motion.mode() or "none yet"}')
                    return 0
                name = motion.mode()
                if not name:
                    print('No motion service is active.')
                    return 0
                if not _confirmed(name):
                    print('Not released.')
                    return 1
                motion.release()
                print('Released. No motion service is active.')
                return 0
        except ServiceError as error:
            print(error, file=sys.stderr)
            return 1


def main(arguments: list[str] | None = None) -> int:
    """Entry point of `ros2 run vla_hardware unitree_release`."""
    return terminal.guarded(_command, arguments)


if __name__ == '__main__':
    sys.exit(main())
