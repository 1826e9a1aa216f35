# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A network camera (RTSP), read by a process of its own that is killed when it hangs.

Stamp: of the arrival of the decoded frame. RTSP has no time of capture that can be trusted without
the sender reports of RTCP, which OpenCV does not pass on: the delay of camera and network is in no
figure here.
"""

import fcntl
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from typing import Any, Self
from urllib.parse import urlsplit

import numpy as np

from vla_camera.rtsp_worker import ERROR, HEADER, PORT
from vla_camera.source import (
    Calibration,
    CameraFacts,
    DeviceLostError,
    DeviceMissingError,
    Frame,
    Source,
)
from vla_common.clock import steady_now

OLDEST_NS = 1_000_000_000
"""Age of a frame above which it is dropped: it waited in the pipe."""
WORKER_SHARE = 0.6
"""Of the time for opening that FFmpeg has; the process starts in the rest."""
LARGEST = 100_000_000  # bytes of a frame: above, the pipe is out of step
LONGEST_ERROR = 2000
PIPE_BYTES = 1 << 20


class RtspSource(Source):
    """url: rtsp://USER:PASSWORD@HOST:PORT/PATH; user and password are shown nowhere. timeout: s in
    which the stream opens and its first frame comes. command: of the reading process, for tests."""

    slow_remedy = "the rate in the camera's own settings, more light, or another network"

    def __init__(
        self,
        url: str,
        timeout: float = 10.0,
        command: tuple[str, ...] = (sys.executable, '-m', 'vla_camera.rtsp_worker'),
    ) -> None:
        self._url, self._timeout, self._command = url, timeout, command
        self._shown = _without_password(url)
        self._process: subprocess.Popen | None = None
        self._errors: Any = None  # what FFmpeg prints
        self._header = bytearray(HEADER.size)
        self._fields: tuple[Any, ...] | None = None  # of the message that is being read
        self._content = bytearray()
        self._filled = 0
        self._not_before_ns = 0
        self.old = 0

    @classmethod
    def from_parameters(cls, params: Any, robot: Any) -> Self:
        return cls(params.device, cls.opening_time(params))

    @classmethod
    def device_parameter(cls, params: Any) -> tuple[str, str]:
        return 'device', 'the address of a stream: rtsp://USER:PASSWORD@HOST:PORT/PATH'

    def open(self) -> CameraFacts:
        self.close()
        if self._shown.partition('://')[0] not in PORT:
            raise DeviceMissingError(f'{self._shown or "nothing"} is no rtsp:// address')
        deadline = steady_now() + self._timeout
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        # The address goes through the pipe: the list of processes shows arguments to everybody.
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        out = self._process.stdout.fileno()
        fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(out, False)
        self._fields, self._filled = None, 0
        try:
            # Its own limit comes first, because it knows the reason.
            request = {'url': self._url, 'timeout': WORKER_SHARE * self._timeout}
            self._process.stdin.write(json.dumps(request).encode() + b'\n')
            self._process.stdin.flush()
            first = self._message(deadline)
        except (DeviceLostError, OSError) as error:
            self.close()
            raise DeviceMissingError(str(error)) from error
        if first is None:
            self.close()
            raise DeviceMissingError(
                f'{self._shown}: no picture within {self._timeout:g} s: a server that accepts '
                'connections and sends nothing, or a slow one (parameter open_timeout)'
            )
        (_, width, height, rate, _), _ = first
        return CameraFacts(f'rtsp {self._shown}', width, height, rate, Calibration())

    def grab(self, timeout: float) -> Frame | None:
        deadline = steady_now() + timeout
        while (message := self._message(deadline)) is not None:
            (_, width, height, _, stamp_ns), content = message
            if stamp_ns < self._not_before_ns or time.time_ns() - stamp_ns > OLDEST_NS:
                self.old += 1
                continue
            color = np.frombuffer(content, np.uint8).reshape(height, width, 3)
            return Frame(color, None, stamp_ns)
        return None

    def discard(self) -> None:
        """Drop what is in the pipe, as its stamps tell."""
        self._not_before_ns = time.time_ns()

    def notes(self) -> dict[str, str]:
        return {'stamp': 'arrival', 'frames_too_old': str(self.old)}

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()  # it may hang in FFmpeg; the server sees the connection end
        process.wait()
        for pipe in (process.stdin, process.stdout, self._errors):
            try:
                pipe.close()
            except OSError:
                pass  # what was not yet written to a process that is gone

    def _message(self, deadline: float) -> tuple[tuple[Any, ...], bytearray] | None:
        """The next message of the process, None before it is complete by the deadline."""
        if self._process is None:
            raise DeviceLostError(f'{self._shown} is not open')
        if self._fields is None:
            if not self._fill(self._header, deadline):
                return None
            self._fields, self._filled = HEADER.unpack(self._header), 0
            kind, width, height = self._fields[:3]
            size = width if kind == ERROR else 3 * width * height
            if not 0 < size <= (LONGEST_ERROR if kind == ERROR else LARGEST):
                raise DeviceLostError(f'{self._shown}: a frame of {width} x {height} px')
            self._content = bytearray(size)
        if not self._fill(self._content, deadline):
            return None
        fields, self._fields, self._filled = self._fields, None, 0
        if fields[0] == ERROR:
            raise DeviceLostError(f'{self._shown}: {self._content.decode()}{self._reason()}')
        return fields, self._content

    def _fill(self, buffer: bytearray, deadline: float) -> bool:
        """Read on into the buffer; whether it is full by the deadline."""
        assert self._process is not None and self._process.stdout is not None
        out, view = self._process.stdout.fileno(), memoryview(buffer)
        while self._filled < len(buffer):
            if not select.select([out], [], [], max(0.0, deadline - steady_now()))[0]:
                return False
            try:
                count = os.readv(out, [view[self._filled :]])
            except BlockingIOError:
                continue
            if count == 0:
                raise DeviceLostError(f'{self._shown}: its process ended{self._reason()}')
            self._filled += count
        return True

    def _reason(self) -> str:
        """The last line that FFmpeg printed, without the address."""
        self._errors.seek(0)
        lines = self._errors.read()[-4000:].decode('utf-8', 'replace').splitlines()
        texts = [line.rpartition('] ')[2].strip() for line in lines if '@ 0x' in line]
        return f' ({texts[-1].replace(self._url, self._shown)})' if texts else ''


def _without_password(url: str) -> str:
    """The address to show; what is none is shown as it is, unless it may hold a password."""
    try:
        parts = urlsplit(url)
        port = f':{parts.port}' if parts.port else ''
    except ValueError:
        return 'an address'
    if not parts.hostname:
        return 'an address' if '@' in url else url.replace('://', ':')
    return f'{parts.scheme}://{parts.hostname}{port}{parts.path}'
