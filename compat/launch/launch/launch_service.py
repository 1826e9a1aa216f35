# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Running launch descriptions."""

import asyncio
import contextlib
import logging as python_logging
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from functools import partial

from . import logging
from .events import Event, IncludeLaunchDescription, Shutdown, TimerEvent
from .execute_process import ExecuteProcess, QueueSettled
from .launch_context import LaunchContext
from .launch_description import LaunchDescription
from .utilities import LaunchDescriptionEntity, to_entity_list

_HANDLED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
_REAP_TIMEOUT = 5.0  # s, for processes that have been sent SIGKILL


class LaunchService:
    """Visits the included descriptions and processes events until nothing is left to do.

    SIGINT shuts everything down in order. So do SIGTERM and SIGQUIT (the real package leaves
    its processes behind there), with return code 1; a second one of these kills at once.
    """

    def __init__(self, *, argv=None, noninteractive=False, debug=False) -> None:
        logging.launch_config.set_level(python_logging.DEBUG if debug else python_logging.INFO)
        self._debug = debug
        self._logger = logging.get_logger('launch')
        self.context = LaunchContext(argv=argv, noninteractive=noninteractive)
        self._active: list[tuple] = []  # (entity, future) of what goes on
        self._lock = threading.RLock()  # of _loop
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shutting_down = False
        self._return_code = 0

    # From any thread.

    def emit_event(self, event: Event) -> None:
        """Queue an event; before run() it waits for that."""
        with self._lock:
            self.context.emit_event_sync(event)

    def include_launch_description(self, launch_description: LaunchDescription) -> None:
        self.emit_event(IncludeLaunchDescription(launch_description))

    def shutdown(self) -> None:
        """End the launch; nothing if it is not running."""
        with self._lock:
            if self._loop is not None:
                self._shutdown('LaunchService.shutdown() called')

    def _shutdown(self, reason: str, due_to_sigint: bool = False) -> None:
        if not self._shutting_down:
            self.context.emit_event_sync(Shutdown(reason=reason, due_to_sigint=due_to_sigint))
        self._shutting_down = True
        self.context.is_shutdown = True  # at once: nothing may start in the meantime

    # In the main thread.

    def run(self, *, shutdown_when_idle: bool = True) -> int:
        """Launch, and return 0, or 1 if anything raised an exception or SIGTERM came.

        A process that dies is no failure of the launch, unless its on_exit makes it one.
        """
        loop = asyncio.new_event_loop()
        try:
            asyncio.set_event_loop(loop)
            task = loop.create_task(self.run_async(shutdown_when_idle=shutdown_when_idle))
            while True:
                try:
                    return loop.run_until_complete(task)
                except KeyboardInterrupt:  # SIGINT before or after our own handlers were there
                    if task.done():
                        return self._return_code
                    self._shutdown('ctrl-c (SIGINT)', due_to_sigint=True)
        finally:
            leftover = asyncio.all_tasks(loop)
            for task in leftover:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*leftover, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            asyncio.set_event_loop(None)
            loop.close()

    async def run_async(self, *, shutdown_when_idle: bool = True) -> int:
        """As run(), inside a loop of the caller's, which must be the main thread's."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError('LaunchService can only be run in the main thread.')
        self._return_code = 0
        with self._running():
            logging.log_launch_config(logger=self._logger)
            try:
                while await self._step(shutdown_when_idle):
                    pass
            except asyncio.CancelledError:
                self._logger.error('run task was canceled')
                self._return_code = 1
            finally:
                await self._leave_no_process()
        return self._return_code

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._loop is not None:
                raise RuntimeError('LaunchService cannot be run multiple times concurrently.')
            loop.set_debug(self._debug)
            self.context._attach_to_loop(loop)
            self._loop = loop
        former = {number: signal.getsignal(number) for number in _HANDLED_SIGNALS}
        try:
            self._received: set[int] = set()
            loop.add_signal_handler(signal.SIGINT, self._on_sigint)
            for number in (signal.SIGTERM, signal.SIGQUIT):
                loop.add_signal_handler(number, self._on_sigterm, number)
            yield
        finally:
            for number, handler in former.items():
                loop.remove_signal_handler(number)
                if handler is not None:  # None: not set from Python, and left alone by asyncio
                    signal.signal(number, handler)
            with self._lock:
                self.context._detach_from_loop()
                self._loop = None
                self._shutting_down = False

    def _on_sigint(self) -> None:
        message = 'user interrupted with ctrl-c (SIGINT)'
        if signal.SIGINT in self._received:
            self._logger.warning(f'{message} again, ignoring...')
            return
        self._received.add(signal.SIGINT)
        self._logger.warning(message)
        self._shutdown('ctrl-c (SIGINT)', due_to_sigint=True)

    def _on_sigterm(self, number: signal.Signals) -> None:
        name = signal.Signals(number).name
        self._return_code = 1
        if self._received - {signal.SIGINT}:
            self._logger.error(f'received {name} again, killing all processes')
            for process in self._processes():
                process.kill()
            return
        self._received.add(number)
        self._logger.error(f'received {name}, shutting down')
        self._shutdown(name)

    async def _step(self, shutdown_when_idle: bool) -> bool:
        """Process one event, or wait for one; False when all is done."""
        try:
            self._raise_failures()
            if self.context._events:
                self._process(self.context._events.popleft())
                await asyncio.sleep(0)  # processes and timers get their turn
                return True
            if not self._pending():
                await asyncio.sleep(0)  # what was done last may still announce it
                if self.context._events or self._pending():
                    return True
                if self._shutting_down:
                    return False
                if shutdown_when_idle:
                    self._shutdown('idle')
                    return True
            await self._wait()
        except KeyboardInterrupt:
            self._shutdown('ctrl-c (SIGINT)', due_to_sigint=True)
        except Exception as error:
            self._logger.debug(traceback.format_exc())
            message = f'Caught exception in launch (see debug for traceback): {error}'
            self._logger.error(message)
            self._return_code = 1
            self._shutdown(message)
        return True

    def _pending(self) -> list[asyncio.Future]:
        return [future for _, future in self._active]

    def _raise_failures(self) -> None:
        """Drop what is done, then raise the first failure among it."""
        done = [future for future in self._pending() if future.done()]
        self._active = [pair for pair in self._active if not pair[1].done()]
        failures = [
            future.exception() for future in done if not future.cancelled() and future.exception()
        ]
        for failure in failures[1:]:
            self._logger.error(str(failure))
        if failures:
            raise failures[0]

    async def _wait(self) -> None:
        arrived = self.context._event_arrived
        arrived.clear()
        if self.context._events:
            return
        event_task = asyncio.ensure_future(arrived.wait())
        try:
            await asyncio.wait([event_task, *self._pending()], return_when=asyncio.FIRST_COMPLETED)
        finally:
            event_task.cancel()

    def _process(self, event: Event) -> None:
        self._logger.debug(f"processing event: '{event.name}'")
        if isinstance(event, QueueSettled):
            event.process(self.context)
        elif isinstance(event, IncludeLaunchDescription):
            self._visit_all(lambda: event.launch_description)
        elif isinstance(event, TimerEvent):
            self._visit_all(lambda: event.timer_action.handle(self.context))
        elif isinstance(event, Shutdown):
            self._shutting_down = self.context.is_shutdown = True
        for handler in tuple(self.context._event_handlers):
            if handler.matches(event):
                self._visit_all(partial(handler.handle, event, self.context))

    def _visit_all(self, get_entities: Callable) -> None:
        """Visit entities; the locals that they leave are forgotten afterwards."""
        former = dict(self.context._locals)
        try:
            for entity in to_entity_list(get_entities()):
                self._visit(entity)
        finally:
            self.context._locals = former

    def _visit(self, entity: LaunchDescriptionEntity) -> None:
        """Visit an entity and, depth first, what it yields, noting what goes on."""
        sub_entities = entity.visit(self.context)
        # At once, so that none is lost when a later visit raises.
        future = entity.get_asyncio_future()
        if future is not None:
            self._active.append((entity, future))
        for sub_entity in sub_entities or ():
            self._visit(sub_entity)

    def _processes(self) -> list[ExecuteProcess]:
        return [entity for entity, _ in self._active if isinstance(entity, ExecuteProcess)]

    async def _leave_no_process(self) -> None:
        """Kill what a cancelled run left; after an orderly end there is nothing."""
        left = [process for process in self._processes() if not process.completed.done()]
        for process in left:
            process.kill()
        if left:
            # QueueSettled events are no longer processed: wait for the processes themselves.
            exits = [one.process.exited for one in left if one.process is not None]
            if exits:
                await asyncio.wait(exits, timeout=_REAP_TIMEOUT)
