# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The TCP side of a robot's double: ports, clients, and a network that misbehaves on request."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Mapping

_RESET = struct.pack('ii', 1, 0)  # SO_LINGER: close with RST
MAX_QUEUED = 1 << 16  # bytes of a client that takes nothing


class TcpClient:
    """One connection of a client. port: the name of the port. context: of the protocol."""

    def __init__(self, sock: socket.socket, port: str) -> None:
        self.sock, self.port = sock, port
        self.context: object = None
        self.closed = False
        self.held: bytearray | None = bytearray()
        self._queue: deque[tuple[float, bytes]] = deque()

    def send(self, data: bytes, due: float = 0.0) -> None:
        """Send it at the time `due` (time.monotonic)."""
        if len(self._queue) * max(len(data), 1) < MAX_QUEUED:
            self._queue.append((due, data))

    def flush(self, piece: int) -> None:
        """Send what is due. piece: bytes of one segment; 0 for all at once."""
        now = time.monotonic()
        while self._queue and self._queue[0][0] <= now:
            _, data = self._queue[0]
            step = piece or len(data)
            sent = 0
            try:
                while sent < len(data):
                    sent += self.sock.send(data[sent : sent + step])
            except BlockingIOError:
                self._queue[0] = (0.0, data[sent:])
                return
            except OSError:
                self.close()
                return
            self._queue.popleft()

    def close(self, *, reset: bool = False) -> None:
        self.closed = True
        with contextlib.suppress(OSError):
            if reset:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.sock.close()


class TcpServer:
    """Listens on some ports; one thread calls `poll`.

    pulled: nothing is received, sent or accepted, and no connection ends: a half-open socket. What
    its client sent meanwhile arrives afterwards, as TCP has it, unless the client has aborted.
    delay: s before what is sent. piece: see `TcpClient.flush`.
    """

    def __init__(
        self,
        address: str,
        ports: Mapping[str, int],
        on_open: Callable[[TcpClient], None],
        on_data: Callable[[TcpClient, bytes], None],
    ) -> None:
        self._on_open, self._on_data = on_open, on_data
        self._selector = selectors.DefaultSelector()
        self.clients: list[TcpClient] = []
        self.pulled = False
        self.delay, self.piece = 0.0, 0
        self.ports: dict[str, int] = {}
        self._listeners: list[socket.socket] = []
        for name, number in ports.items():
            listener = socket.create_server((address, number))
            listener.setblocking(False)
            self._listeners.append(listener)
            self._selector.register(listener, selectors.EVENT_READ, name)
            self.ports[name] = listener.getsockname()[1]

    def poll(self, timeout: float) -> None:
        """Wait for data for at most `timeout` s, take it, and send what is due."""
        if self.pulled:
            time.sleep(timeout)
            for client in self.clients:
                self._hold(client)
            return
        for client in [*self.clients]:
            self._deliver(client)
        for key, _ in self._selector.select(timeout):
            if isinstance(key.data, TcpClient):
                self._receive(key.data)
            else:
                self._accept(key.fileobj, key.data)  # type: ignore[arg-type]
        self.flush()

    def _hold(self, client: TcpClient) -> None:
        """What is on its way to a robot that is not reached."""
        try:
            while client.held is not None and (data := client.sock.recv(65536)):
                client.held += data
        except BlockingIOError:
            pass
        except OSError:
            client.held = None  # aborted: it is sent no more

    def _deliver(self, client: TcpClient) -> None:
        held, client.held = client.held, bytearray()
        if held is None:
            self._forget(client)
            client.close()
        elif held:
            self._on_data(client, bytes(held))

    def flush(self) -> None:
        for client in [*self.clients]:
            if not client.closed and not self.pulled:
                client.flush(self.piece)
            if client.closed:
                self._forget(client)

    def _accept(self, listener: socket.socket, name: str) -> None:
        with contextlib.suppress(OSError):
            sock, _ = listener.accept()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = TcpClient(sock, name)
            self.clients.append(client)
            self._selector.register(sock, selectors.EVENT_READ, client)
            self._on_open(client)

    def _receive(self, client: TcpClient) -> None:
        try:
            data = client.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b''
        if not data:
            self._forget(client)
            client.close()
            return
        self._on_data(client, data)

    def _forget(self, client: TcpClient) -> None:
        if client in self.clients:
            self.clients.remove(client)
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(client.sock)

    def send(self, client: TcpClient, data: bytes) -> None:
        client.send(data, time.monotonic() + self.delay if self.delay else 0.0)

    def drop_clients(self) -> None:
        """End all connections with a reset, as a robot that reboots does."""
        for client in [*self.clients]:
            self._forget(client)
            client.close(reset=True)

    def close(self) -> None:
        self.drop_clients()
        for listener in self._listeners:
            listener.close()
        self._selector.close()
