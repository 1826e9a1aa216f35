# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A client of GR00T's ZeroMQ protocol (REQ/REP, msgpack), with a deadline on everything.

A connection on which a call failed is of no more use: it is closed, the late answer with it, and
the next call takes a new one.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from vla_policy.remote.openpi_client import MAX_ANSWER, RemoteError
from vla_policy.remote.wire import Encoding, WireError, pack, unpack
from vla_policy.remote.zmtp import Requests


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
        self._requests: Requests | None = None

    def call(self, endpoint: str, given: dict[str, Any] | None, timeout: float) -> Any:
        """Raises RemoteError within about `timeout` s, whatever the peer does."""
        request: dict[str, Any] = {'endpoint': endpoint}
        if given is not None:
            request['data'] = given
        if self._token:
            request['api_token'] = self._token
        deadline = time.monotonic() + timeout
        try:
            content = self._open(deadline).ask(pack(request, self._encoding), deadline)
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
            raise RemoteError(f'{self.url}: the server failed: {str(answer["error"])[:300]}')
        return answer

    def close(self) -> None:
        """At once; nobody waits for the peer."""
        if self._requests is not None:
            self._requests.close()
            self._requests = None

    def _open(self, deadline: float) -> Requests:
        if self._requests is not None and not self._requests.usable:
            self.close()  # the server was started anew meanwhile
        if self._requests is None:
            address = urlsplit(self.url)
            self._requests = Requests(
                address.hostname or '', address.port or 0, self._limit, deadline
            )
        return self._requests
