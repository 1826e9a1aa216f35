# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_robot tune DIR`: it simulates and balances, so a package above carries it out.

That package registers it in the entry point group `vla.robot_commands` (vla_validation does).
"""

import sys

from vla_common import terminal
from vla_common.registry import Registry

COMMANDS = Registry('vla.robot_commands', {})


def _command(arguments: list[str] | None) -> int:
    return COMMANDS.load('tune', 'entry points', COMMANDS.group)(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Entry point of `ros2 run vla_robot tune`."""
    return terminal.guarded(_command, arguments)


if __name__ == '__main__':
    sys.exit(main())
