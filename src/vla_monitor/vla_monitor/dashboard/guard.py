# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What every request passes first: Host, Origin, length; and headers of answers."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from vla_monitor.dashboard.access import Access
from vla_monitor.dashboard.requests import LONGEST_REQUEST

FORBIDDEN, TOO_LARGE = 403, 413

_TOO_LONG = f'wanted at most {LONGEST_REQUEST} bytes'
_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    'content-security-policy': _POLICY,
    'x-content-type-options': 'nosniff',
    # With `no-referrer` the browser would send `Origin: null` with the form of the e-stop.
    'referrer-policy': 'same-origin',
    'cache-control': 'no-cache',
}


class Guard:
    """ASGI middleware. A stop needs no token, but no page of another site may send one either."""

    def __init__(self, app: Any, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope['type'] == 'lifespan':
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            if scope['type'] == 'websocket':
                await send({'type': 'websocket.close', 'code': 1008, 'reason': refusal[1]})
            else:
                await PlainTextResponse(refusal[1], refusal[0])(scope, receive, send)
            return
        if scope['type'] == 'websocket':
            await self._app(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    def _refusal(self, scope: Any, headers: Headers) -> tuple[int, str] | None:
        host, origin = headers.get('host', ''), headers.get('origin')
        if not self._access.host_allowed(host):
            return FORBIDDEN, 'this host name is not one of the dashboard (parameter `names`)'
        reads = scope['type'] == 'http' and scope['method'] in ('GET', 'HEAD')
        # A browser sends an Origin with each WebSocket and each POST.
        if origin is None:
            wrong = scope['type'] == 'websocket'
        else:
            wrong = not reads and not self._access.same_origin(origin, host)
        if wrong:
            return FORBIDDEN, 'requests of another site are refused'
        length = headers.get('content-length', '0')
        if not length.isdecimal() or int(length) > LONGEST_REQUEST:
            return TOO_LARGE, _TOO_LONG
        return None

    async def _http(self, scope: Any, receive: Any, send: Any) -> None:
        received, answered = 0, False

        async def limited() -> Any:
            """A body that comes without its length counts too."""
            nonlocal received
            message = await receive()
            received += len(message.get('body', b''))
            if received > LONGEST_REQUEST:
                raise _TooLongError
            return message

        async def with_headers(message: Any) -> None:
            nonlocal answered
            if message['type'] == 'http.response.start':
                answered = True
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        try:
            await self._app(scope, limited, with_headers)
        except _TooLongError:
            if not answered:
                response = PlainTextResponse(_TOO_LONG, TOO_LARGE, {'connection': 'close'})
                await response(scope, receive, send)


class _TooLongError(Exception):
    pass
