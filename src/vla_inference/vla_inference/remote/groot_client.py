# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A client of GR00T's ZeroMQ protocol (REQ/REP, msgpack), with a deadline on everything.

A REQ socket that got no answer is of no more use: it is thrown away, its late answer with it, and
the next call takes a new one.
"""

from __future__ import annotations

from typing import Any

from vla_inference.remote.openpi_client import MAX_ANSWER, RemoteError
from vla_inference.remote.wire import Encoding, WireError, pack, unpack


class GrootClient:
    """url: tcp://host:port. encoding: of arrays in requests; answers are read in either. Not
    thread-safe."""

    def __init__(
        self,
        url: str,
        encoding: Encoding = Encoding.NPY,
        limit: int = MAX_ANSWER,
        api_token: str = '',
    ) -> None:
        self.url = url
        self._encoding = encoding
        self._limit = limit
        self._token = api_token
        self._context: Any = None
        self._socket: Any = None

    def call(self, endpoint: str, given: dict[str, Any] | None, timeout: float) -> Any:
        """Raises RemoteError within about `timeout` s, whatever the peer does."""
        import zmq

        request: dict[str, Any] = {'endpoint': endpoint}
        if given is not None:
            request['data'] = given
        if self._token:
            request['api_token'] = self._token
        milliseconds = max(1, int(1e3 * timeout))
        try:
            if self._socket is None:
                self._open()
            self._socket.setsockopt(zmq.SNDTIMEO, milliseconds)
            self._socket.setsockopt(zmq.RCVTIMEO, milliseconds)
            self._socket.send(pack(request, self._encoding))
            content = self._socket.recv()
        except zmq.Again as error:
            self.drop()
            raise RemoteError(f'{self.url}: no answer within {timeout:.3f} s') from error
        except (zmq.ZMQError, TypeError) as error:
            self.drop()
            raise RemoteError(f'{self.url}: {error}') from error
        if content == b'ERROR':
            raise RemoteError(f'{self.url}: the server failed')
        try:
            answer = unpack(content, self._limit)
        except WireError as error:
            self.drop()
            raise RemoteError(f'{self.url}: the answer is {error}') from error
        if isinstance(answer, dict) and 'error' in answer:
            raise RemoteError(f'{self.url}: the server failed: {str(answer["error"])[:300]}')
        return answer

    def drop(self) -> None:
        """Throw the socket away."""
        if self._socket is not None:
            self._socket.close(linger=0)
            self._socket = None

    def close(self) -> None:
        self.drop()
        if self._context is not None:
            self._context.destroy(linger=0)
            self._context = None

    def _open(self) -> None:
        import zmq

        if self._context is None:
            self._context = zmq.Context(io_threads=1)
        self._socket = self._context.socket(zmq.REQ)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.MAXMSGSIZE, self._limit)
        self._socket.connect(self.url)
