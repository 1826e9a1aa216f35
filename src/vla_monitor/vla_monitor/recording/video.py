# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Videos of color images: MPEG-4 in Matroska, by OpenCV's own encoder.

It takes a tenth of VP8's time, and a Matroska file that was cut off plays nearly up to there. The
video has FPS frames in each second: an image is repeated until the next one comes, so that a gap is
a gap. The exact stamps are in the `.jsonl` beside it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from vla_common.image_cdr import read_image
from vla_monitor.recording.background import ENCODER_NICE, step_back
from vla_monitor.recording.json_lines import LineFile

FPS = 30
LONGEST_GAP = 10 * FPS
"""Frames that stand for a pause of the camera; a longer one is shortened to this."""
WAITING = 30
"""Frames that wait for the encoder, a second or two of them; the oldest is dropped."""
COLOR = frozenset({'rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8', '8UC3', '8UC1'})


def pixels(serialized: bytes) -> tuple[int, np.ndarray]:
    """Stamp (ns) and BGR image (h, w, 3) of a serialized sensor_msgs/Image.

    Raises ValueError: another message, or an encoding that has no colors.
    """
    from cv_bridge import CvBridge, CvBridgeError

    image = read_image(serialized)
    if image.encoding not in COLOR:
        raise ValueError(
            f'{image.encoding}: found no color image, wanted {", ".join(sorted(COLOR))}'
        )
    message = SimpleNamespace(
        height=image.height,
        width=image.width,
        encoding=image.encoding,
        step=image.step,
        is_bigendian=int(image.big_endian),
        data=image.content,
    )
    try:
        return image.stamp_ns, CvBridge().imgmsg_to_cv2(message, 'bgr8')
    except CvBridgeError as error:
        raise ValueError(str(error)) from error


def is_color(serialized: bytes) -> bool:
    """Whether a serialized sensor_msgs/Image has colors; a depth image has none."""
    try:
        return read_image(serialized).encoding in COLOR
    except ValueError:
        return False


class VideoRecorder:
    """Encodes the images of one topic in a thread of its own.

    Args:
        path: of the video, without suffix.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.with_suffix('.mkv')
        self._stamps = LineFile(path.with_suffix('.jsonl'))
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._changed = threading.Condition()
        self._ending = False
        self._writer: Any = None
        self._size: tuple[int, int] | None = None
        self._first_ns = 0
        self._slot = -1
        self._cut = 0
        self._image: np.ndarray | None = None
        self.frames = 0
        self.dropped = 0
        self.error = ''
        self.cpu_s = 0.0
        """Processor time of the encoder, s."""
        self._thread = threading.Thread(target=self._run, name=path.name, daemon=True)
        self._thread.start()

    def put(self, serialized: bytes, log_ns: int) -> None:
        """Encode an image, received at `log_ns`. Never waits."""
        with self._changed:
            if len(self._waiting) >= WAITING:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append((serialized, log_ns))
            self._changed.notify()

    def close(self, timeout: float) -> bool:
        """Encode what waits and end the file; whether that was done within `timeout` s."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        step_back(ENCODER_NICE)
        while True:
            with self._changed:
                while not self._waiting and not self._ending:
                    self._changed.wait()
                if not self._waiting:
                    break
                serialized, log_ns = self._waiting.popleft()
            if not self.error:
                try:
                    self._encode(serialized, log_ns)
                except (ValueError, OSError, cv2.error) as error:
                    # An image that cannot be encoded: this video ends here, recording goes on.
                    self.error = str(error).strip().splitlines()[0]
                self.cpu_s = time.thread_time()
        if self._writer is not None:
            self._writer.release()
        self._stamps.close()

    def _encode(self, serialized: bytes, log_ns: int) -> None:
        stamp_ns, image = pixels(serialized)
        size = (image.shape[1], image.shape[0])
        if self._writer is None:
            self._open(size, log_ns)
        elif size != self._size:
            raise ValueError(f'images of {size[0]} x {size[1]} after others of another size')
        slot = max(self._slot + 1, round((log_ns - self._first_ns) * 1e-9 * FPS) - self._cut)
        if (gap := slot - self._slot - 1) > LONGEST_GAP:
            self._cut += gap - LONGEST_GAP
            slot -= gap - LONGEST_GAP
        for _ in range(slot - self._slot - 1):
            self._writer.write(self._image)
        self._writer.write(image)
        self._slot, self._image = slot, image
        line = {'frame': slot, 'at': slot / FPS, 'log_ns': log_ns, 'stamp_ns': stamp_ns}
        self._stamps.add(line)
        self._stamps.flush()
        self.frames += 1

    def _open(self, size: tuple[int, int], log_ns: int) -> None:
        code = cv2.VideoWriter_fourcc(*'mp4v')
        writer = cv2.VideoWriter(str(self.path), cv2.CAP_FFMPEG, code, FPS, size)
        if not writer.isOpened():
            raise OSError(f'{self.path}: cannot be written by OpenCV as MPEG-4')
        self._writer, self._size, self._first_ns = writer, size, log_ns
