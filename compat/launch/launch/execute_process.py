# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Processes: command, output, events, respawn, and an end that always comes."""

import asyncio
import itertools
import os
import signal
import traceback
from typing import Any

from . import logging
from .action import Action
from .event_handlers import EventHandler
from .events import Event, Shutdown
from .events.process import ProcessExited
from .process import Process
from .substitutions import LaunchConfiguration
from .utilities import normalize, perform, perform_typed, to_entity_list

_numbers = itertools.count(1)  # of processes, over all launches of this Python process


class ExecuteProcess(Action):
    """Runs `cmd`, an iterable whose items are one argument each.

    `name` (default: the program's) gets a number to be unique; `additional_env` adds to the
    environment; `output` is 'screen', 'log' or 'both'; `on_exit` is entities, or a callable of
    (event, context) that returns them. `respawn` starts the process again whenever it ends, after
    `respawn_delay` seconds and at most `respawn_max_retries` times (negative: always), but never
    once shutdown has begun.

    On shutdown every process gets SIGINT, after `sigterm_timeout` seconds SIGTERM, after
    `sigkill_timeout` more SIGKILL; all processes at the same time. SIGINT is left out when a
    terminal has sent it already: processes stay in launch's process group for that.
    """

    def __init__(
        self,
        *,
        cmd,
        name=None,
        cwd=None,
        additional_env=None,
        sigterm_timeout=LaunchConfiguration('sigterm_timeout', default=5),
        sigkill_timeout=LaunchConfiguration('sigkill_timeout', default=5),
        output='log',
        on_exit=None,
        respawn=False,
        respawn_delay=None,
        respawn_max_retries=-1,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.cmd = [normalize(item) for item in cmd]
        self._name = normalize(name)
        self._cwd = normalize(cwd)
        self._env = [
            (normalize(variable), normalize(value))
            for variable, value in (additional_env or {}).items()
        ]
        self._timeouts = [normalize(sigterm_timeout), normalize(sigkill_timeout)]
        self._output = normalize(os.environ.get('OVERRIDE_LAUNCH_PROCESS_OUTPUT', output))
        self._on_exit = on_exit if callable(on_exit) else to_entity_list(on_exit)
        self._respawn = respawn
        self._respawn_delay = respawn_delay or 0.0
        self._respawns_left = respawn_max_retries
        #: action, name, cmd, cwd, env and (once started) pid; None before execution.
        self.process_details: dict[str, Any] | None = None
        #: Of the last run; None while none has ended.
        self.return_code: int | None = None
        self.completed: asyncio.Future | None = None
        self.process: Process | None = None
        self._shutdown_asked: asyncio.Future | None = None

    @property
    def name(self) -> 'str | None':
        """The unique name; None before execution."""
        return None if self.process_details is None else self.process_details['name']

    def describe_sub_entities(self) -> list:
        return [] if callable(self._on_exit) else self._on_exit

    def get_asyncio_future(self) -> 'asyncio.Future | None':
        return self.completed

    def execute(self, context) -> None:
        if self.process_details is not None:
            raise RuntimeError(f"action '{self.name}': executed more than once")
        cmd = [perform(context, item) for item in self.cmd]
        name = os.path.basename(cmd[0]) if self._name is None else perform(context, self._name)
        added = {perform(context, key): perform(context, value) for key, value in self._env}
        self.process_details = {
            'action': self,
            'name': f'{name}-{next(_numbers)}',
            'cmd': cmd,
            'cwd': None if self._cwd is None else perform(context, self._cwd),
            'env': dict(context.environment) | added,
        }
        self._may_respawn = perform_typed(context, self._respawn, bool)
        timeouts = [float(perform(context, timeout)) for timeout in self._timeouts]
        if context.is_shutdown:
            return  # too late: nothing is started any more
        self._logger = logging.get_logger(self.name)
        loggers = logging.get_output_loggers(self.name, perform(context, self._output))
        self.completed = context.asyncio_loop.create_future()
        self._shutdown_asked = context.asyncio_loop.create_future()
        handler = EventHandler(matcher=self._concerns, entities=self._react)
        context.register_event_handler(handler)
        self._task = context.asyncio_loop.create_task(
            self._live(context, handler, loggers, timeouts)
        )

    # One life: run, and run again while respawning.

    async def _live(self, context, handler: EventHandler, *options: Any) -> None:
        try:
            while await self._run_once(context, *options) and await self._wait_to_respawn(context):
                pass
            context.unregister_event_handler(handler)
        finally:
            if not self.completed.done():
                self.completed.set_result(None)

    async def _run_once(self, context, loggers: tuple, timeouts: list[float]) -> bool:
        """Start the process and stay until it has ended; False if it was not started."""
        if self._is_shutting_down(context):
            return False
        details = self.process_details
        process = Process(details, context, self._logger, loggers, timeouts)
        self.process = process
        try:
            await process.start()
        except Exception as error:  # not found, not executable, no such directory, no memory …
            self._logger.debug(traceback.format_exc())
            self._logger.error(
                f'exception occurred while executing process:\n{type(error).__name__}: {error}'
            )
            self.process = None
            return False
        if self._shutdown_asked.done():
            # Requested while it was being started; a terminal's SIGINT may have missed it.
            process.begin_escalation(send_sigint=True)
        self.return_code = await process.wait()
        if self.return_code == 0:
            self._logger.info(f'process has finished cleanly [pid {details["pid"]}]')
        else:
            command = ' '.join(word for word in details['cmd'] if word.strip())
            self._logger.error(
                f'process has died [pid {details["pid"]}, exit code {self.return_code}, '
                f"cmd '{command}']."
            )
        context.emit_event_sync(ProcessExited(returncode=self.return_code, **details))
        # What the exit leads to (on_exit=Shutdown() …) comes before a respawn is decided.
        await QueueSettled.reached(context)
        return True

    async def _wait_to_respawn(self, context) -> bool:
        if not self._may_respawn or self._respawns_left == 0:
            return False
        if not self._is_shutting_down(context) and self._respawn_delay > 0:
            await asyncio.wait([self._shutdown_asked], timeout=self._respawn_delay)
        self._respawns_left -= 1
        return not self._is_shutting_down(context)

    def _is_shutting_down(self, context) -> bool:
        return context.is_shutdown or self._shutdown_asked.done()

    # Reactions to events.

    def _concerns(self, event: Event) -> bool:
        return isinstance(event, Shutdown) or (
            isinstance(event, ProcessExited) and event.action is self
        )

    def _react(self, event: Event, context) -> Any:
        if isinstance(event, ProcessExited):
            return self._on_exit(event, context) if callable(self._on_exit) else self._on_exit
        if not self._shutdown_asked.done():
            self._shutdown_asked.set_result(None)
            if self._is_running():
                # A terminal signals the whole process group; without one, launch has to do it.
                self.process.begin_escalation(not event.due_to_sigint or context.noninteractive)
        return None

    def _is_running(self) -> bool:
        return self.process is not None and self.process.is_running

    def kill(self) -> None:
        """For a launch that may not wait: SIGKILL now, no respawn."""
        if self._shutdown_asked is not None and not self._shutdown_asked.done():
            self._shutdown_asked.set_result(None)
        if self._is_running():
            self.process.send_signal(signal.SIGKILL)


class QueueSettled(Event):
    """Comes out of the queue when the events emitted before it, and theirs, are processed."""

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
            context.emit_event_sync(QueueSettled(self._future, self._rounds - 1))
        elif not self._future.done():
            self._future.set_result(None)
