# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Recordings whose recorder is killed, and what `recover` saves of them."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from rclpy.serialization import deserialize_message
from std_msgs.msg import String

from vla_monitor.recording.bag_reader import BagReader
from vla_monitor.recording.recording import FLUSH_PERIOD
from vla_monitor.recording.recover import recover
from vla_validation.report import NotMeasuredError

LONGEST = 4.0  # s from the first message to the kill


def lost_chunks(folder: Path, seconds: float) -> float:
    """Kill a recording after `seconds` s of it; returns what is lost, in chunks (see `writer`).

    Raises NotMeasuredError: what is left is no prefix of what was recorded, a second `recover`
    finds something to do, or it changes a file.
    """
    process = subprocess.Popen(
        [sys.executable, '-m', 'vla_validation.recorder.writer', str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        process.stdout.readline()
        process.stdout.readline()
        time.sleep(seconds)
    finally:
        process.kill()
        killed_ns = time.time_ns()
        process.wait()
        process.stdout.close()
    (session,) = folder.iterdir()
    done = recover(session)
    if done.problems:
        raise NotMeasuredError(f'recover: {done.problems[0]}')
    last_ns, count = 0, 0
    for message in BagReader(session).messages():
        number = int(deserialize_message(message.content, String).data.partition(' ')[0])
        if number != count:
            raise NotMeasuredError(f'message {number} after {count - 1}')
        count, last_ns = count + 1, message.log_ns
    files = {path: path.read_bytes() for path in session.rglob('*') if path.is_file()}
    if not recover(session).nothing_to_do:
        raise NotMeasuredError('recover finds something to do in a session that is complete')
    if files != {path: path.read_bytes() for path in session.rglob('*') if path.is_file()}:
        raise NotMeasuredError('recover changes a session that is complete')
    # A chunk is what came in one period. Without any message the first chunk was open.
    return (killed_ns - last_ns) * 1e-9 / FLUSH_PERIOD if count else 1.0


def kill(folder: Path, times: int, seed: int) -> list[float]:
    """What each of `times` kills cost, in chunks."""
    rng = random.Random(seed)
    lost = []
    for number in range(times):
        place = folder / str(number)
        place.mkdir()
        lost.append(lost_chunks(place, rng.uniform(0.0, LONGEST)))
    return lost
