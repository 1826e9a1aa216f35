# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stills of the videos at given times."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

import cv2

from vla_monitor.recording.json_lines import read_lines

_OLDEST = 2.0
"""s before the event of the last frame that still shows it."""


@dataclass(frozen=True)
class Still:
    """A frame of a video, as JPEG."""

    camera: str
    jpeg: bytes


def stills_at(folder: Path, start_ns: int, times: list[float]) -> dict[float, list[Still]]:
    """By time: the newest frame of each video of `folder` at that time (s), if it is recent."""
    found: dict[float, list[Still]] = {t: [] for t in times}
    for video in sorted(folder.glob('*.mkv')):
        lines, _ = read_lines(video.with_suffix('.jsonl'))
        stamps = [1e-9 * (line['log_ns'] - start_ns) for line in lines]
        wanted: dict[int, list[float]] = {}
        for t in times:
            line = bisect_right(stamps, t) - 1
            if line >= 0 and t - stamps[line] <= _OLDEST:
                wanted.setdefault(lines[line]['frame'], []).append(t)
        for frame, jpeg in _frames(video, sorted(wanted)).items():
            for t in wanted[frame]:
                found[t].append(Still(video.stem, jpeg))
    return found


def _frames(video: Path, numbers: list[int]) -> dict[int, bytes]:
    """Frames by number, as JPEG. Read in sequence: a file that was cut off has no index."""
    found: dict[int, bytes] = {}
    if not numbers:
        return found
    capture = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG)
    try:
        for number in range(numbers[-1] + 1):
            if not capture.grab():
                break
            if number in numbers:
                good, image = capture.retrieve()
                if good:
                    written, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 80])
                    if written:
                        found[number] = data.tobytes()
    finally:
        capture.release()
    return found
