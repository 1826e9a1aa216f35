# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A client of the openpi websocket protocol, with a deadline on every step.

The server sends its metadata first, then one answer per request; a text frame instead of an answer
is the server's error, after which it closes with 1011. After a failed call the connection is
closed, and a late answer with it; the next call connects again within its own deadline.
"""

import logging
import socket
import struct
import time
from typing import Any

from vla_common.errors import first_line
from vla_policy.remote.wire import Encoding, WireError, pack, time_left, unpack

MAX_ANSWER = 16 * 2**20
"""bytes of an answer or of the metadata; a chunk of 50 x 32 numbers has 13 kB."""

QUIET = logging.getLogger('vla_inference.websockets')
"""For websockets, which logs a traceback for every error of a peer; it is reported once, here."""
QUIET.setLevel(logging.CRITICAL)


class RemoteError(RuntimeError):
    """A call of a remote policy failed."""


class OpenPiClient:
    """url: ws://host:port. token: sent as `Authorization: SCHEME TOKEN`, empty for none. limit:
    bytes of an answer. Not thread-safe."""

    def __init__(
        self, url: str, token: str = '', scheme: str = 'Api-Key', limit: int = MAX_ANSWER
    ) -> None:
        self.url = url
        self._token = token
        self._headers = {'Authorization': f'{scheme} {token}'} if token else None
        self._limit = limit
        self._connection: Any = None
        self.metadata: dict[str, Any] = {}

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def connect(self, timeout: float) -> dict[str, Any]:
        """The server's metadata. Raises RemoteError within `timeout` s."""
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        self.drop()
        deadline = time.monotonic() + timeout
        try:
            opening = connect(
                self.url,
                open_timeout=timeout,
                close_timeout=0.05,
                compression=None,
                max_size=self._limit,
                max_queue=1,
                ping_interval=None,
                logger=QUIET,
                proxy=None,
                additional_headers=self._headers,
            )
            # __exit__ would wait for the peer; `drop` closes instead.
            self._connection = opening.__enter__()
            _bound_sending(self._connection.socket, timeout)
            first = self._connection.recv(timeout=time_left(deadline))
        except (OSError, TimeoutError, WebSocketException, ValueError) as error:
            self.drop()
            raise self._error(f'{first_line(error)[:200]}') from error
        self.metadata = self._mapping(first, 'metadata')
        return self.metadata

    def infer(self, request: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Raises RemoteError within about `timeout` s, whatever the peer does."""
        from websockets.exceptions import WebSocketException

        deadline = time.monotonic() + timeout
        if self._connection is None:
            self.connect(timeout)
        try:
            _bound_sending(self._connection.socket, time_left(deadline))
            self._connection.send(pack(request, Encoding.OPENPI))
            answer = self._connection.recv(timeout=time_left(deadline))
        except TimeoutError as error:
            self.drop()
            raise self._error(f'no answer within {timeout:.3f} s') from error
        except (OSError, WebSocketException, TypeError) as error:
            self.drop()
            raise self._error(f'{first_line(error)[:200]}') from error
        if isinstance(answer, str):
            self.drop()
            raise self._error(f'the server failed: {_last_line(answer)}')
        return self._mapping(answer, 'answer')

    def drop(self) -> None:
        """Close at once, without waiting for the peer."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # closed by the peer
        connection.close_socket()

    def _error(self, text: str) -> RemoteError:
        """A server may repeat the token in its answer."""
        return RemoteError(f'{self.url}: {without(text, self._token)}')

    def _mapping(self, content: Any, what: str) -> dict[str, Any]:
        try:
            if isinstance(content, str):
                raise WireError(f'text: {_last_line(content)}')
            message = unpack(content, self._limit)
            if not isinstance(message, dict):
                raise WireError(f'a {type(message).__name__}')
        except WireError as error:
            self.drop()
            raise self._error(f'the {what} is {error}') from error
        return message


def without(text: str, token: str) -> str:
    """The text without the token."""
    return text.replace(token, '…') if token else text


def _bound_sending(connection: socket.socket, seconds: float) -> None:
    """A peer that no longer reads must not block the sender: websockets has no timeout for that."""
    whole = int(seconds)
    value = struct.pack('ll', whole, max(1000, int((seconds - whole) * 1e6)))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else 'no reason given'
