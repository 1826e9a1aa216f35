# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The web application: the page, the feed of its viewers, the operator's socket, the stops.

Starlette alone, which FastAPI is built on: FastAPI 0.165 needs OpenTelemetry, and puts it around
each request, the e-stop among them.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Literal

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from vla_monitor.dashboard.access import GRACE, SESSION_TIME, Access
from vla_monitor.dashboard.feed import Feed
from vla_monitor.dashboard.guard import FORBIDDEN, Guard
from vla_monitor.dashboard.operator_socket import SESSION_ENDED, Operators
from vla_monitor.dashboard.requests import Leave, RobotPort, read_request

STATIC = Path(__file__).parent / 'static'
COOKIE = 'vla_dashboard'
MAX_VIEWERS = 32
STOP_ANSWER_WITHIN = 0.8
"""s in which a stop is answered; one that is not granted by then is repeated all the same."""
MALFORMED, NOT_CONFIRMED = 400, 504
NOTE_AGAIN_AFTER = 1.0  # s

TRY_LATER, TOO_SLOW = 1013, 4408
"""Codes with which a WebSocket is closed."""

_STOP_PAGE = (
    '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<title>{title}</title><h1>{title}</h1><p>{text}<p><a href="/">Back</a>'
)


class WebApplication:
    """The routes.

    Args:
        secure: it is served over TLS, so that the cookie is sent over TLS only.
        now: steady time, s.
    """

    def __init__(
        self,
        access: Access,
        feed: Feed,
        robot: RobotPort,
        secure: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access, self._feed, self._robot = access, feed, robot
        self._secure, self._now = secure, now
        self.operators = Operators(robot, now)
        self._noted: dict[str, float] = {}

        @contextlib.asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncIterator[None]:
            feed.bind(asyncio.get_running_loop())
            expiring = asyncio.create_task(self._expire())
            yield
            expiring.cancel()
            feed.bind(None)

        self.asgi = Starlette(
            routes=[
                Route('/', self._page),
                Route('/session', self._session),
                Route('/login', self._login, methods=['POST']),
                Route('/logout', self._logout, methods=['POST']),
                Route('/leave', self._leave, methods=['POST']),
                Route('/estop', self._stop('estop'), methods=['POST']),
                Route('/safe_stop', self._stop('safe_stop'), methods=['POST']),
                WebSocketRoute('/ws/view', self._view),
                WebSocketRoute('/ws/operator', self._operator),
                Mount('/static', StaticFiles(directory=STATIC)),
            ],
            middleware=[Middleware(Guard, access=access)],
            lifespan=lifespan,
        )

    async def _page(self, _request: Request) -> Response:
        return FileResponse(STATIC / 'index.html')

    # -- operators -----------------------------------------------------------------------------

    async def _session(self, request: Request) -> Response:
        operator = self._access.is_operator(request.cookies.get(COOKIE), self._now())
        return JSONResponse({'operator': operator})

    async def _login(self, request: Request) -> Response:
        """The body is the token. A page of another site cannot send it: see Guard."""
        token = (await request.body()).decode('utf-8', 'replace').strip()
        session = self._access.login(token, self._now())
        if session is None:
            self._note(f'wrong token from {_client(request)}')
            return JSONResponse({'operator': False}, FORBIDDEN)
        response = JSONResponse({'operator': True})
        response.set_cookie(
            COOKIE, session, max_age=int(SESSION_TIME), secure=self._secure, httponly=True,
            samesite='strict',
        )  # fmt: skip
        return response

    async def _logout(self, request: Request) -> Response:
        self._access.logout(request.cookies.get(COOKIE))
        response = JSONResponse({'operator': False})
        response.delete_cookie(COOKIE, secure=self._secure, httponly=True, samesite='strict')
        return response

    async def _leave(self, request: Request) -> Response:
        if not self._access.is_operator(request.cookies.get(COOKIE), self._now()):
            return JSONResponse({'accepted': False}, FORBIDDEN)
        try:
            message = read_request((await request.body()).decode('utf-8', 'replace'))
        except ValueError as error:
            return JSONResponse({'accepted': False, 'reason': str(error)}, MALFORMED)
        accepted = isinstance(message, Leave) and await self.operators.leave(message)
        return JSONResponse({'accepted': accepted})

    async def _operator(self, socket: WebSocket) -> None:
        cookie = socket.cookies.get(COOKIE)

        def allowed() -> bool:
            return self._access.is_operator(cookie, self._now())

        await socket.accept()  # a browser reports no reason for one that is not accepted
        if not allowed():
            await socket.close(SESSION_ENDED, 'no operator')
            return
        await self.operators.serve(socket, allowed)

    def _note(self, text: str) -> None:
        """Once a second: anybody may send what leads to it, as often as they like."""
        now = self._now()
        if now - self._noted.get(text, -NOTE_AGAIN_AFTER) >= NOTE_AGAIN_AFTER:
            if len(self._noted) > 100:
                self._noted.clear()
            self._noted[text] = now
            self._robot.note(text)

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(GRACE / 5)
            self.operators.expire()

    # -- everybody -----------------------------------------------------------------------------

    def _stop(
        self, step: Literal['estop', 'safe_stop']
    ) -> Callable[[Request], Awaitable[Response]]:
        """From anybody, by fetch, or by a form without any script."""

        async def stop(request: Request) -> Response:
            self._note(f'{step} requested from {_client(request)}')
            granted, message = False, 'not confirmed yet; it is repeated'
            with contextlib.suppress(TimeoutError):
                answer = await asyncio.wait_for(self._robot.stop(step), STOP_ANSWER_WITHIN)
                granted, message = bool(answer.success), answer.message
            status = 200 if granted else NOT_CONFIRMED
            if 'text/html' in request.headers.get('accept', ''):
                result = 'granted' if granted else 'NOT CONFIRMED, use the hardware e-stop'
                text = html.escape(message)
                return HTMLResponse(_STOP_PAGE.format(title=f'{step}: {result}', text=text), status)
            return JSONResponse({'granted': granted, 'message': message}, status)

        return stop

    async def _view(self, socket: WebSocket) -> None:
        await socket.accept()
        if self._feed.viewers >= MAX_VIEWERS:
            await socket.close(TRY_LATER, f'{MAX_VIEWERS} viewers are connected already')
            return

        async def send(content: str | bytes) -> None:
            await (socket.send_text if isinstance(content, str) else socket.send_bytes)(content)

        serving = asyncio.create_task(self._feed.serve(send))
        # A viewer sends nothing; this notices that it has gone.
        receiving = asyncio.create_task(socket.receive())
        await asyncio.wait((serving, receiving), return_when=asyncio.FIRST_COMPLETED)
        for task in (serving, receiving):
            task.cancel()
        results = await asyncio.gather(serving, receiving, return_exceptions=True)
        slow = isinstance(results[0], TimeoutError)
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            await asyncio.wait_for(socket.close(TOO_SLOW if slow else 1000), 1.0)


def _client(request: Request) -> str:
    return request.client.host if request.client else 'unknown'
