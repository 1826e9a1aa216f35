# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The process that reads one RTSP stream, for `sources.rtsp`.

FFmpeg can hang in a read for as long as the server says nothing, and no thread can be ended from
Python. A process can. Its standard input has the request (one line of JSON) and then stays open:
when it ends, the parent is gone, and so is this process. Its standard output has messages: a
header, then the text of an error or the pixels of a frame.
"""

import json
import os
import socket
import struct
import sys
import threading
import time
from typing import Any, BinaryIO
from urllib.parse import urlsplit

HEADER = struct.Struct('<cIIdQ')
"""Kind, width (of an error: its length), height, rate (Hz, 0 unknown), stamp (ns, system clock)."""
ERROR, FRAME = b'E', b'F'
PORT = {'rtsp': 554, 'rtsps': 322}
FFMPEG = 'rtsp_transport;tcp|allowed_media_types;video|fflags;nobuffer|flags;low_delay'
"""TCP: over UDP a lost packet is a picture with a grey half. The rest keeps frames from waiting."""
HIGHEST_RATE = 240.0
"""Above, FFmpeg reports the clock of the stream, not its rate."""


class Newest:
    """The newest frame: one thread reads the stream without pause, another writes to the pipe, and
    what the parent is too slow for is dropped here, not in a queue that makes frames old."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._changed = threading.Condition()
        self._frame: tuple[bytes, Any] | None = None
        threading.Thread(target=self._write, daemon=True).start()

    def put(self, header: bytes, pixels: Any) -> None:
        with self._changed:
            self._frame = header, pixels
            self._changed.notify()

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._frame is not None)
                header, pixels = self._frame
                self._frame = None
            try:
                self._out.write(header)
                self._out.write(memoryview(pixels).cast('B'))
                self._out.flush()
            except OSError:
                os._exit(0)  # the parent is gone


def fail(out: BinaryIO, text: str) -> None:
    content = text.encode()
    out.write(HEADER.pack(ERROR, len(content), 0, 0.0, 0) + content)
    out.flush()
    os._exit(1)


def reach(url: str, timeout: float) -> str:
    """'' where the server accepts a connection, else why not: FFmpeg gives no reason."""
    parts = urlsplit(url)
    address = parts.hostname or '', parts.port or PORT[parts.scheme]
    try:
        socket.create_connection(address, timeout).close()
    except OSError as error:
        return f'{address[0]} port {address[1]}: {error.strerror or error}'
    return ''


def main() -> None:
    request = json.loads(sys.stdin.readline())
    # Nothing that FFmpeg prints gets between the messages.
    out = os.fdopen(os.dup(1), 'wb', buffering=0)
    os.dup2(2, 1)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    url, timeout = request['url'], request['timeout']
    if why := reach(url, timeout):
        fail(out, why)
    os.environ['OPENCV_FFMPEG_CAPTURE_OPTIONS'] = FFMPEG
    os.environ['OPENCV_FFMPEG_LOGLEVEL'] = '16'  # AV_LOG_ERROR
    import cv2

    limit = round(1000.0 * timeout)
    video = cv2.VideoCapture(
        url,
        cv2.CAP_FFMPEG,
        [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit,
            cv2.CAP_PROP_N_THREADS, 1,  # each further thread of a decoder is a frame of delay
        ],
    )  # fmt: skip
    if not video.isOpened():
        fail(out, 'the server accepts a connection, and no stream opens')
    rate = video.get(cv2.CAP_PROP_FPS)
    rate = rate if 0.0 < rate <= HIGHEST_RATE else 0.0
    newest = Newest(out)
    while True:
        got = video.grab()
        stamp_ns = time.time_ns()
        ok, bgr = video.retrieve() if got else (False, None)
        if not ok or bgr is None:
            fail(out, 'the stream ended, or nothing came for some time')
        height, width = bgr.shape[:2]
        rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        newest.put(HEADER.pack(FRAME, width, height, rate, stamp_ns), rgb)


if __name__ == '__main__':
    main()
