# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation recorder``: what a recording costs, loses, and survives."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vla_monitor.recording import session
from vla_monitor.recording.json_lines import read_lines
from vla_monitor.replay.command import replay
from vla_validation import report
from vla_validation.inference.pipeline import PROFILE, send_images_as_the_robot_does
from vla_validation.recorder.kills import kill
from vla_validation.report import NotMeasuredError
from vla_validation.system_harness.robot import own_domain

LIMITS = {
    'cpu_percent': (0.0, 10.0),
    'dropped': (0, 0),
    'lost_chunks_max': (0.0, 2.0),
    'replay_differences': (0, 0),
}
"""Smallest and largest values. A chunk is written once a second, so a kill at a bad moment costs
the open one and what the writer is late."""
RECORDER = 'from vla_monitor.node import main; main()'
SETTLED = 3.0
"""s of a recording in which the node still looks for topics and hashes the code."""
EPILOG = """A process publishes what the robot's nodes publish, at their rates; the recorder records
it, in a process of its own. cpu_percent is without the encoder of the videos. dropped counts the
messages that are missing in the bag. With --session a recorded session is replayed as well.

  ros2 run vla_validation recorder --json
  ros2 run vla_validation recorder --seconds 60 --kills 100
  ros2 run vla_validation recorder --session ~/vla_sessions/2026-11-30_15-53-12
"""


def _environments() -> tuple[dict[str, str], dict[str, str]]:
    """Of processes without images, and with them, as the launch has it."""
    plain = dict(os.environ)
    send_images_as_the_robot_does()
    images = dict(os.environ)
    os.environ.update({name: plain[name] for name in PROFILE if name in plain})
    return plain, images


def record(folder: Path, seconds: float) -> dict[str, Any]:
    """Record for `seconds` s; returns processor time and losses.

    Raises NotMeasuredError: a process failed.
    """
    plain, images = _environments()
    arguments = ['--ros-args', '-p', f'directory:={folder}', '-p', 'min_free:=0.0']
    processes: list[subprocess.Popen] = []

    def start(environment: dict[str, str], *command: str) -> subprocess.Popen:
        made = subprocess.Popen(
            [sys.executable, *command], env=environment, stdout=subprocess.PIPE, text=True
        )
        processes.append(made)
        return made

    try:
        recorder = start(images, '-c', RECORDER, *arguments)
        module = ('-m', 'vla_validation.recorder.source')
        sources = [
            start(environment, *module, part, str(seconds))
            for part, environment in (('robot', plain), ('camera', images))
        ]
        if any(not source.stdout.readline() for source in sources):
            raise NotMeasuredError('the recorder does not subscribe')
        sent: dict[str, int] = {}
        for source in sources:
            sent |= json.loads(source.stdout.readline())
        time.sleep(1.0)
        recorder.send_signal(signal.SIGINT)
        recorder.wait(30.0)
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdout.close()
    (made,) = folder.iterdir()
    return _measured(made, sent)


def _measured(folder: Path, sent: dict[str, int]) -> dict[str, Any]:
    summary = session.read_json(folder / session.SUMMARY)
    if summary is None:
        raise NotMeasuredError('the recorder wrote no summary')
    lines, _ = read_lines(folder / session.MACHINE)
    lines = [line for line in lines if line['t'] >= lines[0]['t'] + SETTLED]
    if len(lines) < 2:
        raise NotMeasuredError('the recording was too short')
    first, last = lines[0], lines[-1]

    def percent(name: str) -> float:
        return 100.0 * (last[name] - first[name]) / (last['t'] - first['t'])

    messages = {name: facts['messages'] for name, facts in summary['topics'].items()}
    encoder = percent('encoder_cpu_s')
    videos = summary['recorder']['videos'].values()
    return {
        'cpu_percent': percent('recorder_cpu_s') - encoder,
        'encoder_percent': encoder,
        'dropped': sum(max(0, count - messages.get(name, 0)) for name, count in sent.items()),
        'messages': sum(sent.values()),
        'video_frames_dropped': sum(video['dropped'] for video in videos),
    }


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], int]:
    with tempfile.TemporaryDirectory() as place, own_domain():
        (Path(place) / 'load').mkdir()
        (Path(place) / 'kills').mkdir()
        result = record(Path(place) / 'load', options.seconds)
        lost = kill(Path(place) / 'kills', options.kills, options.seed)
    result |= {'kills': len(lost), 'lost_chunks_max': max(lost, default=0.0)}
    result |= {'replay_differences': 0, 'ticks_replayed': 0, 'mode_changes_replayed': 0}
    for folder in options.session:
        found = replay(folder.expanduser())
        filtered, decided = found['filter'], found['supervisor']
        result['replay_differences'] += filtered['differences'] + decided['differences']
        result['ticks_replayed'] += filtered['ticks_replayed']
        result['mode_changes_replayed'] += decided['mode_changes']
    failures = report.outside(result, LIMITS)
    rows = [(name, report.number(value, 1)) for name, value in result.items()]
    print(report.table(('', ''), rows), file=sys.stderr)
    for failure in failures:
        print(f'outside its limit: {failure}', file=sys.stderr)
    return result, 1 if failures else 0


def main(args: Sequence[str] | None = None) -> int:
    made = report.parser('recorder', __doc__.partition(': ')[2], EPILOG)
    made.add_argument('--seconds', type=float, default=30.0, help='of recording (default 30)')
    made.add_argument('--kills', type=int, default=20, help='recorders to kill (default 20)')
    made.add_argument('--seed', type=int, default=0, help='of the times of the kills (default 0)')
    made.add_argument(
        '--session', type=Path, action='append', default=[], metavar='DIR',
        help='a session to replay; may be given several times',
    )  # fmt: skip
    options = made.parse_args(args)
    return report.run('recorder', lambda: _run(options), options.json)


if __name__ == '__main__':
    sys.exit(main())
