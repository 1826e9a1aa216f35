# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One run of an operating system process: its pipes, its signals, its end."""

import asyncio
import codecs
import signal
from collections.abc import Callable

from .events.process import ProcessIO, ProcessStarted

# After a process has ended its pipes hold at most what it wrote before; only a child of its
# own that inherited them can keep them open, and is not waited for longer than this.
_DRAIN_TIMEOUT = 0.5  # s


class _Lines:
    """Passes bytes on as whole lines of text."""

    def __init__(self, emit_line: Callable[[str], None]) -> None:
        self._emit_line = emit_line
        self._decoder = codecs.getincrementaldecoder('utf-8')(errors='replace')
        self._rest = ''

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + self._decoder.decode(data)).split('\n')
        for line in lines:
            self._emit_line(line.rstrip('\r'))

    def finish(self) -> None:
        rest = self._rest + self._decoder.decode(b'', final=True)
        self._rest = ''
        if rest:
            self._emit_line(rest)


class Process(asyncio.SubprocessProtocol):
    """One run of the process that `details` describe (see ExecuteProcess.process_details).

    `loggers` are those of stdout and stderr, `timeouts` the seconds until SIGTERM and SIGKILL.
    """

    def __init__(self, details: dict, context, logger, loggers: tuple, timeouts: list) -> None:
        self._details = details
        self._context = context
        self._logger = logger
        self._timeouts = timeouts
        self._transport: asyncio.SubprocessTransport | None = None
        self.exited = context.asyncio_loop.create_future()
        self._drained = context.asyncio_loop.create_future()
        self._escalation: asyncio.Task | None = None
        self._lines = {fd: _Lines(self._logs_to(one)) for fd, one in enumerate(loggers, start=1)}

    def _logs_to(self, logger) -> Callable[[str], None]:
        name = self._details['name']
        return lambda line: logger.info('[%s] %s', name, line, extra={'process_output': True})

    @property
    def is_running(self) -> bool:
        return self._transport is not None and not self.exited.done()

    async def start(self) -> None:
        details = self._details
        await self._context.asyncio_loop.subprocess_exec(
            lambda: self, *details['cmd'], cwd=details['cwd'], env=details['env']
        )

    async def wait(self) -> int:
        """The return code, once the output is complete too."""
        await self.exited
        await asyncio.wait([self._drained], timeout=_DRAIN_TIMEOUT)
        returncode = self._transport.get_returncode()
        self._transport.close()
        for lines in self._lines.values():
            lines.finish()
        return returncode

    def send_signal(self, number: signal.Signals) -> None:
        self._logger.info(f"sending signal '{number.name}' to process[{self._details['name']}]")
        try:
            self._transport.send_signal(number)
        except ProcessLookupError:
            pass  # it ended on its own in the meantime

    def begin_escalation(self, send_sigint: bool) -> None:
        self._escalation = self._context.asyncio_loop.create_task(self._escalate(send_sigint))

    async def _escalate(self, send_sigint: bool) -> None:
        if send_sigint:
            self.send_signal(signal.SIGINT)
        received = signal.SIGINT
        for number, timeout in zip((signal.SIGTERM, signal.SIGKILL), self._timeouts):
            done, _ = await asyncio.wait([self.exited], timeout=timeout)
            if done:
                return
            self._logger.error(
                f"process[{self._details['name']}] failed to terminate '{timeout:g}' seconds after "
                f"receiving '{received.name}', escalating to '{number.name}'"
            )
            self.send_signal(number)
            received = number

    # asyncio.SubprocessProtocol

    def connection_made(self, transport) -> None:
        self._transport = transport
        self._details['pid'] = transport.get_pid()
        self._logger.info(f'process started with pid [{self._details["pid"]}]')
        self._context.emit_event_sync(ProcessStarted(**self._details))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._lines[fd].feed(data)
        self._context.emit_event_sync(ProcessIO(text=data, fd=fd, **self._details))

    def process_exited(self) -> None:
        self.exited.set_result(None)

    def connection_lost(self, exc) -> None:
        self._drained.set_result(None)
