# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A TCP connection to a robot that never blocks the servo loop."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from vla_hardware.drivers.base import DriverError

UNSENT = 4096  # bytes that may wait here for a robot that takes nothing
SEND_BUFFER = 8192  # bytes in the kernel: what waits there is sent after the cable is plugged
_RESET = struct.pack('ii', 1, 0)
RETRY = 0.1  # s between two attempts to connect


class TcpLink:
    """One connection. Raises ConnectionError where it has ended."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._unsent = bytearray()

    @classmethod
    def open(cls, host: str, port: int, timeout: float, what: str) -> TcpLink:
        """Connect within `timeout` s. what: for the error, 'the RTDE interface'.

        Raises DriverError.
        """
        try:
            sock = socket.create_connection((host, port), timeout)
        except socket.gaierror as error:
            raise DriverError(
                f'the name {host} is not known ({error})',
                'correct `host`: the address of the robot',
            ) from error
        except ConnectionRefusedError as error:
            raise DriverError(
                f'{host} refuses port {port} ({what})',
                'correct `host`, wait until the robot has booted, and enable this interface there',
            ) from error
        except OSError as error:
            raise DriverError(
                f'{host} does not answer on port {port} ({what}: {error})',
                'correct `host`, plug the cable, and give this computer an address of its network',
            ) from error
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        sock.setblocking(False)
        return cls(sock)

    def receive(self) -> bytes:
        """What has arrived; b'' for nothing."""
        parts = []
        while True:
            try:
                part = self._sock.recv(65536)
            except BlockingIOError:
                return b''.join(parts)
            except OSError as error:
                raise ConnectionError(str(error)) from error
            if not part:
                if parts:  # what came before the end is still of use
                    return b''.join(parts)
                raise ConnectionError('the robot closed it')
            parts.append(part)
            if len(part) < 65536:
                return b''.join(parts)

    def wait(self, end: float) -> bytes:
        """What arrives next, waiting until `end` (time.monotonic, s); b'' for nothing."""
        left = end - time.monotonic()
        if left > 0.0:
            self._sock.settimeout(left)
            try:
                received = self._sock.recv(65536)
            except TimeoutError:
                return b''
            except OSError as error:
                raise ConnectionError(str(error)) from error
            finally:
                self._sock.setblocking(False)
            if not received:
                raise ConnectionError('the robot closed it')
            return received
        return b''

    def send(self, data: bytes) -> None:
        """Send it; what the kernel does not take is sent first by the next call."""
        self._unsent += data
        try:
            sent = self._sock.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise ConnectionError(str(error)) from error
        del self._unsent[:sent]
        if len(self._unsent) > UNSENT:
            raise ConnectionError('the robot takes no data')

    def close(self, *, abort: bool = False) -> None:
        """abort: with a reset, so that nothing is delivered that was not until now."""
        with contextlib.suppress(OSError):
            if abort:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._sock.close()


class Session(Protocol):
    """What is open to a robot."""

    def close(self) -> None:
        """Close it; does not raise."""


S = TypeVar('S', bound=Session)


class Connector(Generic[S]):
    """Opens sessions on a thread of its own, so that the servo loop does not wait for a robot.

    open_session: returns one, or raises DriverError.
    """

    def __init__(self, open_session: Callable[[], S]) -> None:
        self._open = open_session
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._session: S | None = None
        self.error: Exception | None = None  # of the last attempt

    def start(self) -> None:
        """Begin to connect, again and again until a session is open."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                session = self._open()
            except Exception as error:  # the next attempt may find the robot
                self.error = error
                self._end.wait(RETRY)
                continue
            with self._lock:
                if not self._end.is_set():
                    self._session, self.error = session, None
                    return
            session.close()

    def take(self) -> S | None:
        """The session that was opened, once; None while there is none."""
        with self._lock:
            session, self._session = self._session, None
            return session

    def close(self) -> None:
        self._end.set()
        session = self.take()
        if session is not None:
            session.close()
