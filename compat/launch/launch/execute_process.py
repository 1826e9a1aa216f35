# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Processes: command, output, events, respawn, and an end that always comes."""

import asyncio
import itertools
import os
import re
import shlex
import signal
import traceback
from typing import Any

from . import logging
from .action import Action
from .event_handler import BaseEventHandler
from .events import Event, Shutdown
from .events.process import ProcessExited, ShutdownProcess, SignalProcess
from .process import Process
from .substitutions import LaunchConfiguration
from .utilities import (
    describe,
    normalize,
    normalize_typed,
    perform,
    perform_typed,
    to_entity_list,
)


class ExecuteLocal(Action):
    """The life of a process; its command comes from ExecuteProcess.

    On shutdown every process gets SIGINT, after `sigterm_timeout` seconds SIGTERM, after
    `sigkill_timeout` more SIGKILL; all processes at the same time. SIGINT is left out when a
    terminal has sent it already: processes stay in launch's process group for that.

    `output` is 'screen', 'log' or 'both'; `on_exit` is entities, or a callable of
    (event, context) that returns them. `respawn` starts the process again whenever it ends, after
    `respawn_delay` seconds and at most `respawn_max_retries` times (negative: always), but never
    once shutdown has begun.
    """

    def __init__(
        self,
        *,
        shell=False,
        sigterm_timeout=LaunchConfiguration('sigterm_timeout', default=5),
        sigkill_timeout=LaunchConfiguration('sigkill_timeout', default=5),
        emulate_tty=False,
        output='log',
        on_exit=None,
        respawn=False,
        respawn_delay=None,
        respawn_max_retries=-1,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.shell = shell
        self.emulate_tty = emulate_tty
        self._sigterm_timeout = normalize(sigterm_timeout)
        self._sigkill_timeout = normalize(sigkill_timeout)
        output = os.environ.get('OVERRIDE_LAUNCH_PROCESS_OUTPUT', output)
        self._output = normalize(output)
        self._on_exit = on_exit if callable(on_exit) else to_entity_list(on_exit)
        self._respawn = normalize_typed(respawn, bool)
        self._respawn_delay = respawn_delay or 0.0
        self._respawn_max_retries = respawn_max_retries
        #: action, name, cmd, cwd, env and (once started) pid; None before execution.
        self.process_details: dict[str, Any] | None = None
        #: Of the last run; None while none has ended.
        self.return_code: int | None = None
        self.completed: asyncio.Future | None = None
        self.process: Process | None = None
        self._shutdown_asked: asyncio.Future | None = None

    def get_sub_entities(self) -> list:
        return [] if callable(self._on_exit) else self._on_exit

    def get_asyncio_future(self) -> 'asyncio.Future | None':
        return self.completed

    def prepare(self, context) -> None:
        """Perform the substitutions that are not part of the command."""
        self._respawns_left = self._respawn_max_retries
        self._may_respawn = perform_typed(context, self._respawn, bool)
        self._timeouts = [
            float(perform(context, timeout))
            for timeout in (self._sigterm_timeout, self._sigkill_timeout)
        ]

    def execute(self, context) -> None:
        if self.process_details is not None:
            raise RuntimeError(f"action '{self.process_details['name']}': executed more than once")
        self.prepare(context)
        if context.is_shutdown:
            return  # too late: nothing is started any more
        name = self.process_details['name']
        self._logger = logging.get_logger(name)
        self._output_loggers = logging.get_output_loggers(name, perform(context, self._output))
        self.completed = context.asyncio_loop.create_future()
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
            if not self.completed.done():
                self.completed.set_result(None)

    async def _run_once(self, context) -> bool:
        """Start the process and stay until it has ended; False if it was not started."""
        if self._is_shutting_down(context):
            return False
        details = self.process_details
        process = Process(details, context, self._logger, self._output_loggers, self._timeouts)
        self.process = process
        try:
            await process.start(self.shell, self.emulate_tty)
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

    def on_process_exited(self, event: ProcessExited, context) -> Any:
        return self._on_exit(event, context) if callable(self._on_exit) else self._on_exit

    def begin_shutdown(self, send_sigint: bool) -> None:
        if self._shutdown_asked.done():
            return
        self._shutdown_asked.set_result(None)
        if self.process is not None and self.process.is_running:
            self.process.begin_escalation(send_sigint)

    def send_signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.is_running:
            self.process.send_signal(number)
        else:
            self._logger.debug(f"signal '{number.name}' not sent: the process is not running")

    def kill(self) -> None:
        """For a launch that may not wait: SIGKILL now, no respawn."""
        if self._shutdown_asked is not None and not self._shutdown_asked.done():
            self._shutdown_asked.set_result(None)
        if self.process is not None and self.process.is_running:
            self.process.send_signal(signal.SIGKILL)


class _ProcessEventHandler(BaseEventHandler):
    """Handles the events that are meant for one process action."""

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
            return self.action.on_process_exited(event, context)
        if isinstance(event, SignalProcess):
            self.action.send_signal(event.signal)
        elif isinstance(event, ShutdownProcess):
            self.action.begin_shutdown(send_sigint=True)
        else:
            # A terminal signals the whole process group; without one, launch has to do it.
            self.action.begin_shutdown(not event.due_to_sigint or context.noninteractive)
        return None


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


_numbers = itertools.count(1)  # of processes, over all launches of this Python process


def _normalize_environment(env: 'dict | None') -> list[tuple]:
    return [(normalize(name), normalize(value)) for name, value in (env or {}).items()]


class ExecuteProcess(ExecuteLocal):
    """Runs `cmd`, an iterable whose items are one argument each.

    `env` replaces the environment, `additional_env` adds to it. `name` (default: the program's)
    gets a number to be unique. `prefix` (default: the launch configuration launch-prefix, for
    programs that launch-prefix-filter matches) is put before the command. The other arguments
    are ExecuteLocal's.
    """

    def __init__(
        self, *, cmd, prefix=None, name=None, cwd=None, env=None, additional_env=None, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self.cmd = [normalize(item) for item in cmd]
        self._prefix = normalize(prefix)
        self._name = normalize(name)
        self._cwd = normalize(cwd)
        self._inherits_environment = env is None
        self._env = _normalize_environment(env) + _normalize_environment(additional_env)

    @property
    def name(self) -> 'str | None':
        """The unique name; None before execution."""
        return None if self.process_details is None else self.process_details['name']

    def describe(self) -> str:
        words = ', '.join(describe(word) for word in self.cmd)
        return f'{type(self).__name__}(cmd=[{words}])'

    def _perform_prefix(self, context, program: str) -> str:
        if self._prefix is not None:
            return perform(context, self._prefix)
        pattern = context.launch_configurations.get('launch-prefix-filter', '')
        if re.match(pattern, os.path.basename(program)) is None:
            return ''
        return context.launch_configurations.get('launch-prefix', '')

    def prepare(self, context) -> None:
        """Perform all substitutions."""
        cmd = [perform(context, item) for item in self.cmd]
        cmd = shlex.split(self._perform_prefix(context, cmd[0])) + cmd
        name = os.path.basename(cmd[0])
        if self._name is not None:
            name = perform(context, self._name)
        env = dict(context.environment) if self._inherits_environment else {}
        for variable, value in self._env:
            env[perform(context, variable)] = perform(context, value)
        self.process_details = {
            'action': self,
            'name': f'{name}-{next(_numbers)}',
            'cmd': cmd,
            'cwd': None if self._cwd is None else perform(context, self._cwd),
            'env': env,
        }
        super().prepare(context)
