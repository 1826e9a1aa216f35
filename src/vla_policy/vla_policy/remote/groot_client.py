# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A client of GR00T's ZeroMQ protocol (REQ/REP, msgpack), with a deadline on every step.

After a failed call the connection is closed, and a late answer with it; the next call opens a new
one.
"""

import time
from typing import Any
from urllib.parse import urlsplit

from vla_policy.remote.openpi_client import MAX_ANSWER, RemoteError, without
from vla_policy.remote.wire import Encoding, WireError, pack, unpack
from vla_policy.remote.zmtp import RequestSocket


class GrootClient:
    """url: tcp://host:port. encoding: of arrays in requests; answers are read in either.
    token: sent in each request, empty for none. Not thread-safe."""

    def __init__(
        self, url: str, encoding: Encoding = Encoding.NPY, limit: int = MAX_ANSWER, token: str = ''
    ) -> None:
        self.url = url
        self._token = token
        self._encoding = encoding
        self._limit = limit
        self._socket: RequestSocket | None = None

    def call(self, endpoint: str, given: dict[str, Any] | None, timeout: float) -> Any:
        """Raises RemoteError within about `timeout` s, whatever the peer does."""
        request: dict[str, Any] = {'endpoint': endpoint}
        if given is not None:
            request['data'] = given
        if self._token:
            request['api_token'] = self._token
        deadline = time.monotonic() + timeout
        try:
            content = self._open(deadline).request(pack(request, self._encoding), deadline)
        except TimeoutError as error:
            self.close()
            raise RemoteError(f'{self.url}: no answer within {timeout:.3f} s') from error
        except (OSError, TypeError) as error:
            self.close()
            raise RemoteError(f'{self.url}: {error}') from error
        if content == b'ERROR':
            raise RemoteError(f'{self.url}: the server failed')
        try:
            answer = unpack(content, self._limit)
        except WireError as error:
            self.close()
            raise RemoteError(f'{self.url}: the answer is {error}') from error
        if isinstance(answer, dict) and 'error' in answer:
            reason = without(str(answer['error']), self._token)[:300]
            raise RemoteError(f'{self.url}: the server failed: {reason}')
        return answer

    def close(self) -> None:
        """At once, without waiting for the peer."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self, deadline: float) -> RequestSocket:
        if self._socket is not None and not self._socket.usable:
            self.close()  # the server was restarted
        if self._socket is None:
            address = urlsplit(self.url)
            self._socket = RequestSocket(
                address.hostname or '', address.port or 0, self._limit, deadline
            )
        return self._socket
