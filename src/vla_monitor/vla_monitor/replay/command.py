# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_monitor replay DIR`: a session's inputs through filter and supervisor again."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from vla_common import terminal
from vla_monitor.recording import session
from vla_monitor.recording.fingerprints import code_digests
from vla_monitor.replay.session import parameters, replay_filter, replay_supervisor

DECISIVE = ('vla_common', 'vla_robot', 'vla_safety', 'vla_supervisor')
EPILOG = """With the code and parameters of the recording every command and every decision is the
recorded one, bit for bit. With others the first difference is shown. The inputs stay the recorded
ones: the robot does not react to the other commands.

  ros2 run vla_monitor replay ~/vla_sessions/2026-11-30_15-53-12
  ros2 run vla_monitor replay ~/vla_sessions/2026-11-30_15-53-12 --params slower.yaml

Exit status: 0 no difference; 1 differences; 2 not replayed."""


def replay(folder: Path, overlay: Path | None = None) -> dict[str, Any]:
    """Replay a session. Raises ConfigError: it is no session, or has no logs."""
    description = session.check_session(folder)
    start_ns = description.get('start_ns', 0)
    offset_ns = description.get('clock', {}).get('wall_minus_steady_ns', 0) - start_ns
    recorded = description.get('fingerprints', {}).get('code', {})
    return {
        'filter': replay_filter(folder, parameters(folder, 'safety_filter', overlay), start_ns),
        'supervisor': replay_supervisor(
            folder, parameters(folder, 'supervisor', overlay), offset_ns
        ),
        'changed_packages': [
            name
            for name, digest in code_digests().items()
            if name in DECISIVE and recorded.get(name) != digest
        ],
    }


def command(arguments: list[str] | None) -> int:
    """Replay and print."""
    made = terminal.parser('vla_monitor replay', (__doc__ or '').partition(': ')[2], EPILOG)
    made.add_argument('session', type=Path, metavar='DIR', help='directory of a session')
    made.add_argument(
        '--params', type=Path, metavar='FILE', help='parameters to change, as a params_file'
    )
    made.add_argument('--json', action='store_true', help='one JSON object')
    options = made.parse_args(arguments)
    with terminal.working() as show:
        show('replaying')
        result = replay(options.session.expanduser(), options.params)
    print(json.dumps(result) if options.json else text(result))
    return int(any(result[part]['differences'] for part in ('filter', 'supervisor')))


def text(result: dict[str, Any]) -> str:
    """The result, for the operator."""
    filtered, decided = result['filter'], result['supervisor']
    lines = [
        f'safety filter: {filtered["ticks_replayed"]} ticks, {filtered["differences"]} differ',
        f'supervisor: {decided["decisions_replayed"]} decisions with {decided["mode_changes"]} '
        f'changes of the mode, {decided["differences"]} differ',
    ]
    if (first := filtered['first_difference']) is not None:
        lines.append(f'first different command at {first["t"]:.3f} s: ' + _command(first))
    if (first := decided['first_difference']) is not None:
        lines.append(
            f'first different decision at {first["t"]:.3f} s: '
            f'{_plain(first["recorded"])} recorded, {_plain(first["replayed"])} replayed'
        )
    skipped = filtered['ticks_skipped'], decided['decisions_skipped']
    if any(skipped):
        lines.append(
            f'not replayed: {skipped[0]} ticks, {skipped[1]} decisions, before the state was known'
        )
    if filtered['gaps'] or decided['gaps']:
        lines.append(
            f'messages of the logs are missing at {filtered["gaps"]}, {decided["gaps"]} places'
        )
    if result['changed_packages']:
        lines.append('other code than recorded: ' + ', '.join(result['changed_packages']))
    return '\n'.join(lines)


def _command(first: dict[str, Any]) -> str:
    if 'joint' not in first:
        return f'state {first["state"][0]} recorded, {first["state"][1]} replayed'
    return (
        f'{first["joint"]} {first["quantity"]} {first["recorded"]:.6g} {first["unit"]} recorded, '
        f'{first["replayed"]:.6g} replayed'
    )


def _plain(facts: dict[str, Any]) -> str:
    return ', '.join(f'{name} {value}' for name, value in facts.items())


def main() -> None:
    sys.exit(terminal.guarded(command, None))


if __name__ == '__main__':
    main()
