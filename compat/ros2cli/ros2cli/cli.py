# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The `ros2` command: finds its commands by entry point and runs one of them."""

import argparse
import os
import signal
import sys
from typing import Any

from ros2cli.command import first_doc_line, suggest

#: Commands of the real `ros2` that this stand-in leaves out.
NOT_HERE = (
    *('bag', 'component', 'control', 'daemon', 'doctor', 'extension_points', 'extensions'),
    *('multicast', 'plugin', 'security', 'trace', 'wtf'),
)


def main(*, script_name: str = 'ros2', argv: list[str] | None = None) -> int | str | None:
    """Run the command line; returns what `sys.exit` takes."""
    try:
        return _main(script_name, sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        return int(signal.SIGINT)
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has gone; without this Python reports it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except RuntimeError as error:
        return str(error)
    except Exception as error:
        # By its name: importing rclpy takes longer than most commands run.
        if type(error).__name__ == 'ExternalShutdownException':
            return int(error.args[0] if error.args else signal.SIGTERM)
        raise


def _main(script_name: str, arguments: list[str]) -> int | str | None:
    chosen = next((word for word in arguments if not word.startswith('-')), None)
    commands = _commands(chosen)
    parser = argparse.ArgumentParser(
        prog=script_name, description=f'{script_name} is an extensible command-line tool for ROS 2.'
    )
    subparsers = parser.add_subparsers(
        title='Commands', metavar=f'Call `{script_name} <command> -h` for more detailed usage.'
    )
    if chosen is not None and chosen not in commands:
        reason = f'does not exist{suggest(chosen, commands)}'
        if chosen in NOT_HERE:
            reason = 'is not part of the stand-in in compat/; install the real package'
        print(f"{script_name}: the command '{chosen}' {reason}", file=sys.stderr)
        print(f'commands here: {", ".join(sorted(commands))}', file=sys.stderr)
        return 2
    for name in sorted(commands) if chosen is None else [chosen]:
        _add_command(subparsers, script_name, commands[name])
    args = parser.parse_args(arguments)
    extension = getattr(args, '_command', None)
    if extension is None:
        parser.print_help()
        return 0
    sys.stdout.reconfigure(line_buffering=True)
    return extension.main(parser=parser, args=args)


def _commands(chosen: str | None) -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group='ros2cli.command')}


def _add_command(subparsers: object, script_name: str, point: Any) -> None:
    try:
        extension = point.load()()
    except Exception as error:
        print(
            f"Failed to load the command '{point.name}' ({point.value}): {error}", file=sys.stderr
        )
        return
    extension.NAME = point.name
    line = first_doc_line(extension)
    parser = subparsers.add_parser(point.name, help=line, description=line)
    parser.set_defaults(_command=extension)
    extension.add_arguments(parser, f'{script_name} {point.name}')


if __name__ == '__main__':
    sys.exit(main())
