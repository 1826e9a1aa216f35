# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The actions of a launch description."""
# ruff: noqa: F401

import asyncio
import os
from collections.abc import Callable, Iterable
from typing import Any

from . import events, logging
from .action import Action
from .event_handler import BaseEventHandler
from .event_handlers import OnShutdown
from .events.process import ProcessExited
from .execute_process import ExecuteLocal, ExecuteProcess
from .launch_context import LaunchContext
from .launch_description_sources import AnyLaunchDescriptionSource, LaunchDescriptionSource
from .utilities import (
    LaunchDescriptionEntity,
    SomeSubstitutionsType,
    describe,
    normalize,
    normalize_typed,
    perform,
    perform_typed,
    to_entity_list,
)
from .variables import (
    AppendEnvironmentVariable,
    DeclareLaunchArgument,
    GroupAction,
    ResetLaunchConfigurations,
    SetEnvironmentVariable,
    SetLaunchConfiguration,
    UnsetEnvironmentVariable,
    UnsetLaunchConfiguration,
)


class IncludeLaunchDescription(Action):
    """Sets `launch_arguments` as launch configurations, then visits the description.

    Not a scope: what is set in there stays set afterwards. Wrap it in a GroupAction for one.
    """

    def __init__(self, launch_description_source, *, launch_arguments=None, **kwargs) -> None:
        super().__init__(**kwargs)
        if not isinstance(launch_description_source, LaunchDescriptionSource):
            launch_description_source = AnyLaunchDescriptionSource(launch_description_source)
        self.launch_description_source = launch_description_source
        self.launch_arguments = tuple(launch_arguments or ())

    def describe(self) -> str:
        return f'IncludeLaunchDescription({self.launch_description_source.location})'

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        source = self.launch_description_source
        return to_entity_list(source.try_get_launch_description_without_context())

    def _argument_names(self, context) -> list[str]:
        return [perform(context, normalize(name)) for name, _ in self.launch_arguments]

    def execute(self, context) -> list[LaunchDescriptionEntity]:
        location = self.launch_description_source
        description = location.get_launch_description(context)
        path = os.path.abspath(location.location)
        folder = os.path.dirname(path) if os.path.exists(path) else location.location
        context.extend_locals(
            {'current_launch_file_path': path, 'current_launch_file_directory': folder}
        )
        self._check_required_arguments(context, description)
        given = self.launch_arguments
        return [*(SetLaunchConfiguration(name, value) for name, value in given), description]

    def _check_required_arguments(self, context, description) -> None:
        """Fail before anything is started, where that can be known; later visits check too."""
        given = self._argument_names(context)
        for argument, includes in description.find_launch_arguments():
            if argument.is_conditional or argument.default_value is not None:
                continue
            # An include inside may give the argument itself.
            inner = []
            for include in includes:
                try:
                    inner += include._argument_names(LaunchContext())
                except Exception:  # a name that needs this launch's configurations
                    return
            if argument.name not in given + inner:
                raise RuntimeError(
                    f"Included launch description missing required argument '{argument.name}' "
                    f"(description: '{argument.description}'), given: [{', '.join(given)}]"
                )


# Code, text and events.


class OpaqueFunction(Action):
    """Calls `function(context, *args, **kwargs)`, which may return entities to visit."""

    def __init__(self, *, function, args=(), kwargs=None, **left_over_kwargs) -> None:
        super().__init__(**left_over_kwargs)
        if not callable(function):
            raise TypeError(f"expected a callable for 'function', got {function!r}")
        self._function = function
        self._args = tuple(args or ())
        self._kwargs = dict(kwargs or {})

    def execute(self, context) -> list[LaunchDescriptionEntity]:
        return to_entity_list(self._function(context, *self._args, **self._kwargs))


class OpaqueCoroutine(OpaqueFunction):
    """Runs `coroutine(context, *args, **kwargs)` until it ends; cancelled at shutdown."""

    def __init__(self, *, coroutine: Callable, **kwargs) -> None:
        if not asyncio.iscoroutinefunction(coroutine):
            raise TypeError(f"expected a coroutine function for 'coroutine', got {coroutine!r}")
        super().__init__(function=coroutine, **kwargs)
        self._task: asyncio.Task | None = None

    def execute(self, context) -> None:
        self._task = context.asyncio_loop.create_task(self._run(context))
        context.register_event_handler(OnShutdown(on_shutdown=self._cancel))

    async def _run(self, context) -> None:
        try:
            await self._function(context, *self._args, **self._kwargs)
        except asyncio.CancelledError:
            pass  # by the shutdown: an orderly end

    def _cancel(self, event, context) -> None:
        self._task.cancel()

    def get_asyncio_future(self) -> 'asyncio.Future | None':
        return self._task


class LogInfo(Action):
    """A line in the launch log."""

    def __init__(self, *, msg: SomeSubstitutionsType, **kwargs) -> None:
        super().__init__(**kwargs)
        self.msg = normalize(msg)

    def describe(self) -> str:
        return f'LogInfo({describe(self.msg)})'

    def execute(self, context) -> None:
        logging.get_logger('launch.user').info(perform(context, self.msg))


class EmitEvent(Action):
    """Puts an event into the queue."""

    def __init__(self, *, event: events.Event, **kwargs) -> None:
        super().__init__(**kwargs)
        if not isinstance(event, events.Event):
            raise RuntimeError(f"EmitEvent() expected an event instance, got '{event}'")
        self.event = event

    def execute(self, context) -> None:
        context.emit_event_sync(self.event)


class Shutdown(EmitEvent):
    """Ends the launch. As `on_exit` of a process it makes that process a required one."""

    def __init__(self, *, reason: str = 'reason not given', **kwargs) -> None:
        super().__init__(event=events.Shutdown(reason=reason), **kwargs)

    def execute(self, context) -> None:
        event = context.get_locals_as_dict().get('event')
        if isinstance(event, ProcessExited):
            logging.get_logger('launch').info(
                f'process[{event.process_name}] was required: shutting down launched system'
            )
        super().execute(context)


class RegisterEventHandler(Action):
    def __init__(self, event_handler: BaseEventHandler, **kwargs) -> None:
        super().__init__(**kwargs)
        self.event_handler = event_handler

    def describe_conditional_sub_entities(self) -> list:
        text, entities = self.event_handler.describe()
        return [(f'on event of {text}', entities)] if entities else []

    def execute(self, context) -> None:
        context.register_event_handler(self.event_handler)


class UnregisterEventHandler(RegisterEventHandler):
    def describe_conditional_sub_entities(self) -> list:
        return []

    def execute(self, context) -> None:
        context.unregister_event_handler(self.event_handler)


class TimerAction(Action):
    """Visits `actions` once, `period` seconds after it is executed; cancelled at shutdown."""

    def __init__(self, *, period, actions, **kwargs) -> None:
        super().__init__(**kwargs)
        self.period = normalize_typed(period, float)
        self.actions = to_entity_list(actions)
        self._canceled = asyncio.Event()
        self._done: asyncio.Future | None = None
        self._locals: dict[str, Any] = {}

    def describe_conditional_sub_entities(self) -> list:
        return [(f'{self.period} seconds pass without being canceled', self.actions)]

    def cancel(self) -> None:
        """Don't fire; no error if it has, or was never executed."""
        self._canceled.set()

    def handle(self, context) -> list[LaunchDescriptionEntity]:
        """What the timer's event yields: the actions, with the locals of the timer's place."""
        context.extend_locals(self._locals)
        return self.actions

    def execute(self, context) -> None:
        self._done = context.asyncio_loop.create_future()
        if self._canceled.is_set() or context.is_shutdown:
            self._done.set_result(None)
            return
        self._locals = context.get_locals_as_dict()
        context.register_event_handler(OnShutdown(on_shutdown=lambda event, _: self.cancel()))
        period = perform_typed(context, self.period, float)
        self._task = context.asyncio_loop.create_task(self._wait(context, period))

    async def _wait(self, context, period: float) -> None:
        try:
            await asyncio.wait_for(self._canceled.wait(), period)
        except asyncio.TimeoutError:
            context.emit_event_sync(events.TimerEvent(timer_action=self))
        self._done.set_result(None)

    def get_asyncio_future(self) -> 'asyncio.Future | None':
        return self._done
