# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Running a process: output, events, respawn, and an end that always comes."""

import asyncio
import codecs
import os
import signal
import traceback
from collections.abc import Callable
from typing import Any

from .. import logging
from ..action import Action
from ..conditions import evaluate_condition_expression
from ..event import Event
from ..event_handler import BaseEventHandler
from ..events import Shutdown
from ..events.process import (
    ProcessExited,
    ProcessStarted,
    ProcessStderr,
    ProcessStdout,
    ShutdownProcess,
    SignalProcess,
)
from ..some_substitutions_type import SomeSubstitutionsType
from ..substitutions import LaunchConfiguration
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions, to_entity_list
from ..utilities.type_utils import normalize_typed_substitution, perform_typed_substitution

# After a process has ended its pipes hold at most what it wrote before; only a child of its
# own that inherited them can keep them open, and is not waited for longer than this.
_DRAIN_TIMEOUT = 0.5  # s


class ExecuteLocal(Action):
    """What ExecuteProcess does once its command is known; not for use by itself.

    On shutdown every process gets SIGINT, after `sigterm_timeout` seconds SIGTERM, after
    `sigkill_timeout` more SIGKILL; all processes at the same time. SIGINT is left out when a
    terminal has sent it already: processes stay in launch's process group for that.

    `output` is 'screen', 'log', 'both', or what launch.logging.get_output_loggers takes;
    `on_exit` is entities, or a callable of (event, context) giving them. `respawn` starts the
    process again whenever it ends, after `respawn_delay` seconds and at most
    `respawn_max_retries` times (negative: always), but never once shutdown has begun.
    """

    def __init__(
        self,
        *,
        shell: bool = False,
        sigterm_timeout: SomeSubstitutionsType = LaunchConfiguration('sigterm_timeout', default=5),
        sigkill_timeout: SomeSubstitutionsType = LaunchConfiguration('sigkill_timeout', default=5),
        emulate_tty: bool = False,
        output: 'SomeSubstitutionsType | dict' = 'log',
        log_cmd: bool = False,
        on_exit: Any = None,
        respawn: bool | SomeSubstitutionsType = False,
        respawn_delay: 'float | None' = None,
        respawn_max_retries: int = -1,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self._shell = shell
        self._sigterm_timeout = normalize_to_list_of_substitutions(sigterm_timeout)
        self._sigkill_timeout = normalize_to_list_of_substitutions(sigkill_timeout)
        self._emulate_tty = emulate_tty
        output = os.environ.get('OVERRIDE_LAUNCH_PROCESS_OUTPUT', output)
        self._output = (
            output if isinstance(output, dict) else normalize_to_list_of_substitutions(output)
        )
        self._log_cmd = log_cmd
        self._on_exit = on_exit if callable(on_exit) else to_entity_list(on_exit)
        self._respawn = normalize_typed_substitution(respawn, bool)
        self._respawn_delay = respawn_delay or 0.0
        self._respawn_max_retries = respawn_max_retries
        self._details: dict[str, Any] | None = None
        self._executed = False
        self._process: _Process | None = None
        self._completed: asyncio.Future | None = None
        self._shutdown_asked: asyncio.Future | None = None
        self._send_sigint = True
        self._return_code: int | None = None

    @property
    def process_details(self) -> 'dict[str, Any] | None':
        """action, name, cmd, cwd, env and (once started) pid; None before execution."""
        return self._details

    @property
    def shell(self) -> bool:
        return self._shell

    @property
    def emulate_tty(self) -> bool:
        return self._emulate_tty

    @property
    def output(self) -> Any:
        return self._output

    @property
    def sigterm_timeout(self) -> list:
        return self._sigterm_timeout

    @property
    def sigkill_timeout(self) -> list:
        return self._sigkill_timeout

    @property
    def return_code(self) -> 'int | None':
        """Of the last run; None while none has ended."""
        return self._return_code

    def get_sub_entities(self) -> list:
        return [] if callable(self._on_exit) else self._on_exit

    def get_asyncio_future(self) -> 'asyncio.Future | None':
        return self._completed

    def _set_details(self, **details: Any) -> None:
        self._details = {'action': self, **details}

    def prepare(self, context) -> None:
        """Perform the substitutions that are not part of the command."""
        self._respawns_left = self._respawn_max_retries
        self._may_respawn = perform_typed_substitution(context, self._respawn, bool)
        self._timeouts = [
            float(perform_substitutions(context, timeout))
            for timeout in (self._sigterm_timeout, self._sigkill_timeout)
        ]
        if 'emulate_tty' in context.launch_configurations:
            self._emulate_tty = evaluate_condition_expression(
                context,
                normalize_to_list_of_substitutions(context.launch_configurations['emulate_tty']),
            )

    def execute(self, context) -> None:
        self.prepare(context)
        name = self._details['name']
        if self._executed:
            raise RuntimeError(f"ExecuteLocal action '{name}': executed more than once")
        self._executed = True
        if context.is_shutdown:
            return  # too late: nothing is started any more
        self._logger = logging.get_logger(name)
        output = self._output
        if not isinstance(output, dict):
            output = perform_substitutions(context, output)
        self._output_loggers = logging.get_output_loggers(name, output)
        self._completed = context.asyncio_loop.create_future()
        self._shutdown_asked = context.asyncio_loop.create_future()
        handler = _ProcessEventHandler(self)
        context.register_event_handler(handler)
        self._task = context.asyncio_loop.create_task(self._live(context, handler))

    # One life: run, and run again while respawning.

    async def _live(self, context, handler: BaseEventHandler) -> None:
        try:
            while await self._run_once(context) and await self._wait_to_respawn(context):
                pass
            context.unregister_event_handler(handler)
        finally:
            if not self._completed.done():
                self._completed.set_result(None)

    async def _run_once(self, context) -> bool:
        """Start the process and stay until it has ended; False if it was not started."""
        if self._is_shutting_down(context):
            return False
        cmd = self._details['cmd']
        command = ' '.join(word for word in cmd if word.strip())
        if self._log_cmd:
            self._logger.info(
                f"process details: cmd='{command}', cwd='{self._details['cwd']}', "
                f'custom_env?={self._details["env"] is not None}'
            )
        process = _Process(self, context)
        self._process = process
        try:
            await process.start(cmd, self._details['cwd'], self._details['env'], self._shell)
        except Exception as error:  # not found, not executable, no such directory, no memory …
            self._logger.debug(traceback.format_exc())
            self._logger.error(
                f'exception occurred while executing process:\n{type(error).__name__}: {error}'
            )
            self._process = None
            return False
        if self._shutdown_asked.done():
            # Asked while it was being started; a terminal's SIGINT may have missed it.
            process.begin_escalation(send_sigint=True)
        returncode = await process.wait()
        self._return_code = returncode
        pid = process.pid
        if returncode == 0:
            self._logger.info(f'process has finished cleanly [pid {pid}]')
        else:
            self._logger.error(
                f"process has died [pid {pid}, exit code {returncode}, cmd '{command}']."
            )
        context.emit_event_sync(ProcessExited(returncode=returncode, **self._details))
        # What the exit leads to (on_exit=Shutdown() …) comes before a respawn is decided.
        await _Settled.reached(context)
        return True

    async def _wait_to_respawn(self, context) -> bool:
        if not self._may_respawn or self._respawns_left == 0:
            return False
        if not self._is_shutting_down(context) and self._respawn_delay > 0:
            await asyncio.wait([self._shutdown_asked], timeout=self._respawn_delay)
        if self._is_shutting_down(context):
            return False
        self._respawns_left -= 1
        return True

    def _is_shutting_down(self, context) -> bool:
        return context.is_shutdown or self._shutdown_asked.done()

    # What events ask of the process.

    def _on_process_exited(self, event: ProcessExited, context) -> Any:
        return self._on_exit(event, context) if callable(self._on_exit) else self._on_exit

    def _begin_shutdown(self, send_sigint: bool) -> None:
        if self._shutdown_asked.done():
            return
        self._shutdown_asked.set_result(None)
        if self._process is not None and self._process.is_running:
            self._process.begin_escalation(send_sigint)

    def _send_signal(self, number: signal.Signals) -> None:
        if self._process is None or not self._process.is_running:
            self._logger.debug(f"signal '{number.name}' not sent: the process is not running")
            return
        self._process.send_signal(number)

    def _kill(self) -> None:
        """For a launch that may not wait: SIGKILL now, no respawn."""
        if self._shutdown_asked is not None and not self._shutdown_asked.done():
            self._shutdown_asked.set_result(None)
        if self._process is not None and self._process.is_running:
            self._process.send_signal(signal.SIGKILL)


class _ProcessEventHandler(BaseEventHandler):
    """Takes the events that are for one process action."""

    def __init__(self, action: ExecuteLocal) -> None:
        super().__init__(matcher=self._is_for_action)
        self.action = action

    def _is_for_action(self, event: Event) -> bool:
        if isinstance(event, (ShutdownProcess, SignalProcess)):
            return event.process_matcher(self.action)
        if isinstance(event, ProcessExited):
            return event.action is self.action
        return isinstance(event, Shutdown)

    def handle(self, event: Event, context) -> Any:
        super().handle(event, context)
        if isinstance(event, ProcessExited):
            return self.action._on_process_exited(event, context)
        if isinstance(event, SignalProcess):
            self.action._send_signal(event.signal)
        elif isinstance(event, ShutdownProcess):
            self.action._begin_shutdown(send_sigint=True)
        else:
            # The terminal signals the whole process group; without one, it is up to launch.
            self.action._begin_shutdown(not event.due_to_sigint or context.noninteractive)
        return None


class _Settled(Event):
    """Comes out of the queue when the events emitted before it, and theirs, are processed."""

    name = 'launch.events.Settled'

    def __init__(self, future: asyncio.Future, rounds: int) -> None:
        self._future = future
        self._rounds = rounds

    @classmethod
    async def reached(cls, context) -> None:
        future = context.asyncio_loop.create_future()
        context.emit_event_sync(cls(future, rounds=2))
        await future

    def process(self, context) -> None:
        """Called by the launch service instead of any event handler."""
        if self._rounds > 1:
            context.emit_event_sync(_Settled(self._future, self._rounds - 1))
        elif not self._future.done():
            self._future.set_result(None)


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


class _Process(asyncio.SubprocessProtocol):
    """One run of the process."""

    def __init__(self, action: ExecuteLocal, context) -> None:
        self._action = action
        self._context = context
        self._logger = action._logger
        self._name = action._details['name']
        self._transport: asyncio.SubprocessTransport | None = None
        self._exited = context.asyncio_loop.create_future()
        self._drained = context.asyncio_loop.create_future()
        self._pty_transports: list[asyncio.ReadTransport] = []
        self._open_ptys = 0
        self._escalation: asyncio.Task | None = None
        self._lines = {
            fd: _Lines(self._logs_to(logger)) for fd, logger in zip((1, 2), action._output_loggers)
        }
        self.pid: int | None = None

    def _logs_to(self, logger) -> Callable[[str], None]:
        return lambda line: logger.info('[%s] %s', self._name, line, extra={'process_output': True})

    @property
    def is_running(self) -> bool:
        return self._transport is not None and not self._exited.done()

    async def start(self, cmd: list[str], cwd: 'str | None', env: dict, shell: bool) -> None:
        loop = self._context.asyncio_loop
        streams: dict[str, Any] = {}
        slaves = []
        if self._action._emulate_tty:
            for fd, stream in ((1, 'stdout'), (2, 'stderr')):
                master, slave = os.openpty()
                slaves.append(slave)
                streams[stream] = slave
                transport, _ = await loop.connect_read_pipe(
                    lambda fd=fd: _PtyReader(self, fd), os.fdopen(master, 'rb', buffering=0)
                )
                self._pty_transports.append(transport)
                self._open_ptys += 1
        try:
            if shell:
                await loop.subprocess_shell(
                    lambda: self, ' '.join(cmd), cwd=cwd, env=env, **streams
                )
            else:
                await loop.subprocess_exec(lambda: self, *cmd, cwd=cwd, env=env, **streams)
        except BaseException:
            for transport in self._pty_transports:
                transport.close()
            raise
        finally:
            for slave in slaves:
                os.close(slave)

    async def wait(self) -> int:
        """The return code, once the output is complete, too."""
        await self._exited
        await asyncio.wait([self._drained], timeout=_DRAIN_TIMEOUT)
        returncode = self._transport.get_returncode()
        self._transport.close()
        for transport in self._pty_transports:
            transport.close()
        for lines in self._lines.values():
            lines.finish()
        return returncode

    def send_signal(self, number: signal.Signals) -> None:
        self._logger.info(f"sending signal '{number.name}' to process[{self._name}]")
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
        for number, timeout in zip((signal.SIGTERM, signal.SIGKILL), self._action._timeouts):
            done, _ = await asyncio.wait([self._exited], timeout=timeout)
            if done:
                return
            self._logger.error(
                f"process[{self._name}] failed to terminate '{timeout:g}' seconds after receiving "
                f"'{received.name}', escalating to '{number.name}'"
            )
            self.send_signal(number)
            received = number

    # asyncio.SubprocessProtocol

    def connection_made(self, transport) -> None:
        self._transport = transport
        self.pid = transport.get_pid()
        self._action._details['pid'] = self.pid
        self._logger.info(f'process started with pid [{self.pid}]')
        self._context.emit_event_sync(ProcessStarted(**self._action._details))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._lines[fd].feed(data)
        event = ProcessStdout if fd == 1 else ProcessStderr
        self._context.emit_event_sync(event(text=data, **self._action._details))

    def pty_closed(self) -> None:
        self._open_ptys -= 1
        self._finish_drain()

    def process_exited(self) -> None:
        self._exited.set_result(None)

    def connection_lost(self, exc) -> None:
        self._finish_drain()

    def _finish_drain(self) -> None:
        if self._open_ptys == 0 and self._exited.done() and not self._drained.done():
            self._drained.set_result(None)


class _PtyReader(asyncio.Protocol):
    """Reads a terminal's end; a read error is how a pseudo terminal says that it is closed."""

    def __init__(self, process: _Process, fd: int) -> None:
        self._process = process
        self._fd = fd

    def data_received(self, data: bytes) -> None:
        self._process.pipe_data_received(self._fd, data)

    def connection_lost(self, exc) -> None:
        self._process.pty_closed()
