# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The sockets of the operators' pages: the lease, steps, instructions, the e-stop endpoint.

One page at a time is the e-stop endpoint `dashboard`: that which holds the lease. The page itself
answers the supervisor's challenges; nothing here can.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from vla_monitor.dashboard.access import Lease
from vla_monitor.dashboard.requests import (
    Answer,
    Cancel,
    CheckIn,
    Hello,
    Leave,
    Register,
    Release,
    Request,
    RobotPort,
    Run,
    Step,
    Take,
    read_request,
)

MALFORMED, REPLACED, SESSION_ENDED = 1008, 4409, 4401
MAX_OPERATORS = 8
REQUESTS_AT_ONCE = 4
"""Of one page, that wait for the robot. Check-ins are one at a time by their nature."""

_NO_LEASE = Answer(False, 'refused: this page does not hold the lease')


class Operators:
    """All operators' pages.

    now: steady time, s.
    """

    def __init__(self, robot: RobotPort, now: Callable[[], float]) -> None:
        self._robot = robot
        self._now = now
        self.lease = Lease()
        self._pages: dict[str, _Page] = {}
        self.endpoint = ''
        """The page that registered last."""

    def expire(self) -> None:
        """Free the lease of a page that did not come back."""
        if self.lease.expire(self._now()):
            self._robot.note('the operator is gone; the lease is free')
            self._announce()

    async def serve(self, socket: WebSocket, allowed: Callable[[], bool]) -> None:
        """One page, until it leaves. allowed: whether its session is still good."""
        if len(self._pages) >= MAX_OPERATORS:
            await socket.close(1013, f'{MAX_OPERATORS} operators are connected already')
            return
        page = _Page(socket)
        try:
            while True:
                request = read_request(await socket.receive_text())
                if not allowed():
                    await socket.close(SESSION_ENDED, 'the session has ended')
                    return
                await self._handle(page, request)
        except (ValueError, KeyError) as error:
            # KeyError: a binary message, which has no text.
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await socket.close(MALFORMED, str(error)[:100])
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            page.close()
            if self._pages.get(page.id) is page:
                del self._pages[page.id]
                self.lease.disconnected(page.id, self._now())

    async def _handle(self, page: _Page, request: Request) -> None:
        if isinstance(request, Hello):
            await self._hello(page, request)
        elif not page.id:
            raise ValueError('the first message is hello')
        elif isinstance(request, Take):
            await self._take(page, request)
        elif isinstance(request, Release):
            self.lease.release(page.id)
            self._announce()
        elif isinstance(request, Leave):
            raise ValueError('leave is a request without a socket')
        elif isinstance(request, (Register, CheckIn)):
            page.start(self._endpoint(page, request))
        else:
            page.start(self._command(page, request))

    async def leave(self, request: Leave) -> bool:
        """The endpoint's page is being closed; whether the supervisor lets it go."""
        if self.endpoint != request.page:
            return False
        answer = await self._robot.check_in(int(request.response), False, True)
        if answer.accepted:
            self.endpoint = ''
        return answer.accepted

    async def _hello(self, page: _Page, request: Hello) -> None:
        if page.id:
            raise ValueError('hello was received already')
        before = self._pages.get(request.page)
        page.id = request.page
        self._pages[page.id] = page
        if before is not None:
            before.close()
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await before.socket.close(REPLACED, 'the page is open elsewhere')
        self.lease.connected(page.id)
        self._announce(page)

    async def _take(self, page: _Page, request: Take) -> None:
        situation = await self._robot.situation()
        # Not known: as if it moved.
        moving = situation is None or situation.motion_allowed
        name = ''.join(c for c in request.name if c.isprintable()) or 'operator'
        if self.lease.take(page.id, name, moving, self._now()):
            self._robot.note(f'{name} holds the lease')
        self._announce()

    def _announce(self, *pages: _Page) -> None:
        """Who holds the lease; to all operators' pages where none is given."""
        for page in pages or tuple(self._pages.values()):
            mine = self.lease.held_by(page.id)
            page.start(page.send(op='lease', mine=mine, holder=self.lease.name))

    async def _endpoint(self, page: _Page, request: Register | CheckIn) -> None:
        if isinstance(request, Register):
            if not self.lease.held_by(page.id):
                await page.send(op='endpoint', accepted=False, reason=_NO_LEASE.message)
                return
            self.endpoint = page.id
            answer = await self._robot.register()
        else:
            # A page that released the lease remains the endpoint until the supervisor lets it go.
            if self.endpoint != page.id:
                await page.send(
                    op='endpoint', accepted=False, reason='another page is the endpoint'
                )
                return
            answer = await self._robot.check_in(
                int(request.response), request.pressed, request.leaving
            )
            if request.leaving and answer.accepted:
                self.endpoint = ''
        await page.send(
            op='endpoint', accepted=answer.accepted, reason=answer.reason,
            challenge=str(answer.challenge), registered=isinstance(request, Register),
        )  # fmt: skip

    async def _command(self, page: _Page, request: Step | Run | Cancel) -> None:
        answer = _NO_LEASE
        if self.lease.held_by(page.id):
            self._robot.note(f'{self.lease.name}: {_words(request)}')
            if isinstance(request, Step):
                answer = await self._robot.step(request.step, request.seen)
            elif isinstance(request, Run):
                answer = await self._robot.run(request.text, request.time_limit)
            else:
                answer = await self._robot.cancel()
        await page.send(op='answer', id=request.id, success=answer.success, message=answer.message)


def _words(request: Step | Run | Cancel) -> str:
    if isinstance(request, Run):
        return f'run "{request.text}"'
    return request.step if isinstance(request, Step) else 'cancel'


class _Page:
    """One operator's page. id: empty before its hello."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self.id = ''
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Awaitable[None]) -> None:
        """Do it beside the others, so that a step that waits does not delay a check-in.

        Raises ValueError: too many wait.
        """
        if len(self._tasks) >= 4 * REQUESTS_AT_ONCE:
            work.close()  # type: ignore[attr-defined]
            raise ValueError(f'more than {4 * REQUESTS_AT_ONCE} requests at once')
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        # A page that has gone is noticed by its receiving loop.
        if error is not None and not isinstance(error, (RuntimeError, WebSocketDisconnect)):
            raise error

    async def send(self, **message: Any) -> None:
        await self.socket.send_text(json.dumps(message))

    def close(self) -> None:
        """The page has gone; what it requested is not waited for."""
        for task in self._tasks:
            task.cancel()
