# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A raw serial port of Linux, used by one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import termios
import tty


class SerialPort:
    """path: of the device. baud_rate: one that termios knows.

    Raises OSError: there is no such port, another process uses it, or it is not a serial port.
    """

    def __init__(self, path: str, baud_rate: int) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            tty.setraw(self._file)
            attributes = termios.tcgetattr(self._file)
            attributes[4] = attributes[5] = getattr(termios, f'B{baud_rate}')
            termios.tcsetattr(self._file, termios.TCSANOW, attributes)
            termios.tcflush(self._file, termios.TCIOFLUSH)
        except (OSError, termios.error) as error:
            os.close(self._file)
            if isinstance(error, BlockingIOError):
                raise OSError(f'{path} is used by another process') from error
            raise OSError(f'{path}: {error}') from error

    def write(self, data: bytes) -> None:
        """Send all of it. Raises OSError."""
        while data:
            sent = os.write(self._file, data)
            data = data[sent:]

    def read(self, timeout: float) -> bytes:
        """What arrived, at most after `timeout` s; b'' if nothing. Raises OSError: it has gone."""
        ready, _, _ = select.select([self._file], [], [], max(timeout, 0.0))
        if not ready:
            return b''
        received = os.read(self._file, 4096)
        if not received:
            raise OSError('the port has gone')
        return received

    def drop_input(self) -> None:
        """Forget what arrived. Raises OSError."""
        try:
            termios.tcflush(self._file, termios.TCIFLUSH)
        except termios.error as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._file)
