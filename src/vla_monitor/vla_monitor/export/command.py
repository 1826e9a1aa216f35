# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_monitor export DIR --dataset DIR`: recorded sessions as a dataset for training."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from vla_common import terminal
from vla_common.errors import ConfigError
from vla_monitor.export.dataset import FPS, Exported, Exporter
from vla_monitor.export.load import load_streams
from vla_monitor.recording import session

EPILOG = f"""\
An instruction is an episode, from the observation that its first followed chunk answers to its
result; its text is the task. At each frame: the newest images and joint positions that had been
received, the action (what the safety filter commanded for one frame later), what the policy
proposed for that time, the filter's interventions, and whether the instruction was carried out.
A session may be added to a dataset that export made; what is there already is not added again.

  ros2 run vla_monitor export ~/vla_sessions/2026-11-30_15-53-12 --dataset ~/reaching
  ros2 run vla_monitor export ~/vla_sessions/* --dataset ~/reaching --successes --camera head
  ros2 run vla_models train --data ~/reaching --out run

The layout is LeRobot's (v3.0). Guide: docs/recording.md.
Exit status: 0 exported; 1 something is missing because a recording is damaged, or a session could
not be used; 2 nothing could be exported. Default of --fps: {FPS:g}, or that of the dataset."""


def command(arguments: list[str] | None) -> int:
    """Export and print."""
    made = terminal.parser('vla_monitor export', (__doc__ or '').partition(': ')[2], EPILOG)
    made.add_argument('session', nargs='+', type=Path, metavar='DIR', help='directory of a session')
    made.add_argument('--dataset', type=Path, required=True, metavar='DIR', help='the dataset')
    made.add_argument('--fps', type=terminal.a_time, help='frames per second')
    made.add_argument('--camera', action='append', default=[], metavar='NAME', help='only this '
                      'camera; may be repeated (default: all)')  # fmt: skip
    made.add_argument('--successes', action='store_true', help='only what was carried out')
    made.add_argument('--json', action='store_true', help='one JSON object')
    options = made.parse_args(arguments)
    dataset = options.dataset.expanduser()
    exporter = Exporter(dataset, options.fps, options.successes)
    result, refused = exporter.result, []
    try:
        with terminal.progress('frames', passing=True) as bar:
            for folder in options.session:
                line = bar.add_task(f'{folder.name}: reading', total=None)
                try:
                    _add(exporter, folder.expanduser(), tuple(options.camera), bar, line)
                except ConfigError as error:
                    refused.append(str(error))
                bar.remove_task(line)
    finally:
        exporter.finish()  # also what was exported before an interruption
    for text in (*refused, *result.problems):
        print(text, file=sys.stderr)
    if refused and not (result.episodes or result.already or result.left_out):
        return 2
    print(
        json.dumps(_plain(result, dataset, refused)) if options.json else text_of(result, dataset)
    )
    if not (result.episodes or result.already):
        return 2
    return int(bool(refused or result.problems or any(left.damaged for left in result.left_out)))


def _add(exporter: Exporter, folder: Path, cameras: tuple[str, ...], bar, line) -> None:
    """Add a session. Raises ConfigError."""
    if folder.is_dir():
        mark = session.lock(folder)
        if mark is None:
            raise ConfigError(folder, '', 'a session that is being recorded', 'one that has ended')
        session.unlock(mark)
    streams = load_streams(folder, cameras or exporter.cameras)
    bar.update(line, description=f'{folder.name}: writing')
    exporter.add(streams, lambda done, total: bar.update(line, completed=done, total=total))


def _plain(result: Exported, dataset: Path, refused: list[str]) -> dict:
    return {**asdict(result), 'dataset': str(dataset), 'refused': refused}


def text_of(result: Exported, dataset: Path) -> str:
    """The result, for the operator."""
    lines = []
    if result.episodes:
        lines.append(
            f'{dataset}: {result.episodes} episodes added, {result.frames} frames at '
            f'{result.fps:g} per s ({result.successes} carried out); {result.total} in all; '
            f'cameras: {", ".join(result.cameras)}'
        )
    else:
        lines.append(f'{dataset}: nothing added; {result.total} episodes in all')
    if result.already:
        lines.append(f'{result.already} instructions were in the dataset already')
    for left in result.left_out:
        lines.append(f'left out: {left.session}, {left.t:.1f} s, "{left.instruction}": {left.why}')
    return '\n'.join(lines)


def main() -> None:
    sys.exit(terminal.guarded(command, None))


if __name__ == '__main__':
    main()
