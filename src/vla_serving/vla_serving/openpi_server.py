# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A server of the openpi websocket protocol: metadata first, then one answer per request.

GET /healthz returns OK. An error of the policy is sent in a text frame, then the connection is
closed with 1011, and the client connects again. Bounds for any client: bytes of a request, number
of clients, seconds without a whole request, seconds until an answer is read, requests per second.
"""

import asyncio
import http
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self

from vla_policy.remote.openpi_client import QUIET
from vla_policy.remote.wire import Encoding, WireError, pack, unpack

Infer = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""(client, request) -> answer; raises to reject. client: NAME of ws://host/NAME, or its address."""

MAX_NAME = 64


@dataclass(frozen=True)
class RequestBounds:
    """request: bytes, 0 for the size in the metadata and a margin. clients: connections. silence: s
    without a whole request until a client is dropped. taking: s in which a client reads an answer.
    rate: requests per second of one client, 0 for any."""

    request: int = 0
    clients: int = 64
    silence: float = 60.0
    taking: float = 5.0
    rate: float = 0.0


UNDECLARED = 32 * 2**20
"""bytes of a request where the metadata has no sizes."""
ROOM = 256 * 2**10
"""bytes for joints, text and a prefix."""


def request_limit(metadata: dict[str, Any]) -> int:
    """Bytes of the largest request that the metadata describes."""
    try:
        images = metadata['vla']['inputs'].get('images', {}).values()
        return ROOM + sum(3 * int(i['width']) * int(i['height']) for i in images)
    except (KeyError, TypeError, AttributeError, ValueError):
        return UNDECLARED


class OpenPiServer:
    """An async context manager; port 0 takes a free one, see `port`."""

    def __init__(
        self,
        infer: Infer,
        metadata: dict[str, Any],
        host: str = '127.0.0.1',
        port: int = 8000,
        bounds: RequestBounds = RequestBounds(),
    ) -> None:
        self._infer = infer
        self._metadata = pack(metadata, Encoding.OPENPI)
        self._host, self._port = host, port
        self._bounds = bounds
        self._limit = bounds.request or request_limit(metadata)
        self._server: Any = None
        self._clients = 0
        self.answered = 0
        self.refused = 0

    @property
    def port(self) -> int:
        return next(iter(self._server.sockets)).getsockname()[1]

    async def __aenter__(self) -> Self:
        from websockets.asyncio.server import serve

        self._server = await serve(
            self._serve,
            self._host,
            self._port,
            compression=None,
            max_size=self._limit,
            max_queue=2,
            open_timeout=5.0,
            close_timeout=1.0,
            process_request=self._on_request,
            logger=QUIET,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    def _on_request(self, connection: Any, request: Any) -> Any:
        if request.path == '/healthz':
            return connection.respond(http.HTTPStatus.OK, 'OK\n')
        if self._clients >= self._bounds.clients:
            self.refused += 1
            return connection.respond(
                http.HTTPStatus.SERVICE_UNAVAILABLE, f'{self._clients} clients are connected\n'
            )
        return None

    async def _serve(self, connection: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        self._clients += 1
        client = _name(connection)
        try:
            if self._clients > self._bounds.clients:  # several connected at once
                self.refused += 1
                await connection.close(1013, f'{self._bounds.clients} clients are connected')
                return
            await self._send(connection, self._metadata)
            await self._converse(connection, client)
        except ConnectionClosed:
            pass  # the client disconnected
        except TimeoutError:
            connection.transport.abort()  # it does not read, not even the close frame
        finally:
            self._clients -= 1

    async def _converse(self, connection: Any, client: str) -> None:
        earliest = 0.0
        while True:
            try:
                content = await asyncio.wait_for(connection.recv(), self._bounds.silence)
            except TimeoutError:
                await connection.close(1008, f'no request within {self._bounds.silence:g} s')
                return
            began = time.monotonic()
            try:
                if began < earliest:
                    raise WireError(f'more than {self._bounds.rate:g} requests per second')
                if self._bounds.rate > 0.0:
                    earliest = max(earliest, began - 1.0) + 1.0 / self._bounds.rate
                if isinstance(content, str):
                    raise WireError('a request is a binary frame')
                request = unpack(content, self._limit)
                if not isinstance(request, dict):
                    raise WireError('a request is a mapping')
                answer = dict(await self._infer(client, request))
                timing = dict(answer.get('server_timing') or {})
                timing['infer_ms'] = 1e3 * (time.monotonic() - began)
                answer['server_timing'] = timing
                packed = pack(answer, Encoding.OPENPI)
            except Exception as error:  # a policy may be third-party code; the error is sent
                self.refused += 1
                await self._send(connection, f'{type(error).__name__}: {error}'[:2000])
                await connection.close(1011, 'the reason is in the frame before')
                return
            await self._send(connection, packed)
            self.answered += 1

    async def _send(self, connection: Any, content: str | bytes) -> None:
        await asyncio.wait_for(connection.send(content), self._bounds.taking)


def _name(connection: Any) -> str:
    path = connection.request.path.strip('/')
    if path and len(path) <= MAX_NAME and path.replace('_', '').replace('-', '').isalnum():
        return path
    peer = connection.remote_address
    return f'{peer[0]}:{peer[1]}' if peer else 'unknown'
