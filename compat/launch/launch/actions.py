# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The actions of a launch description."""
# ruff: noqa: F401

import asyncio
import os
from typing import Any

from . import events, logging
from .action import Action
from .event_handlers import EventHandler, OnShutdown
from .events.process import ProcessExited
from .execute_process import ExecuteProcess
from .utilities import LaunchDescriptionEntity, normalize, perform, perform_typed, to_entity_list
from .variables import (
    DeclareLaunchArgument,
    GroupAction,
    SetEnvironmentVariable,
    SetLaunchConfiguration,
)


class IncludeLaunchDescription(Action):
    """Sets `launch_arguments` as launch configurations, then visits the description.

    Not a scope: what is set in there stays set afterwards. Wrap it in a GroupAction for one.
    """

    def __init__(self, launch_description_source, *, launch_arguments=None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.launch_description_source = launch_description_source
        self.launch_arguments = tuple(launch_arguments or ())
        #: With a name that is a substitution it is not known yet which arguments are given.
        self.defers = not all(isinstance(name, str) for name, _ in self.launch_arguments)

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        source = self.launch_description_source
        return to_entity_list(source.try_get_launch_description_without_context())

    def execute(self, context) -> list[LaunchDescriptionEntity]:
        source = self.launch_description_source
        description = source.get_launch_description(context)
        path = os.path.abspath(source.location)
        folder = os.path.dirname(path) if os.path.exists(path) else source.location
        context.extend_locals(
            {'current_launch_file_path': path, 'current_launch_file_directory': folder}
        )
        if not self.defers:
            self._check_required_arguments(description)
        given = self.launch_arguments
        return [*(SetLaunchConfiguration(name, value) for name, value in given), description]

    def _check_required_arguments(self, description) -> None:
        """Fail before anything is started, where that can be known; later visits check too."""
        given = [name for name, _ in self.launch_arguments]
        for argument, inner in description.find_launch_arguments():
            if argument.is_conditional or argument.default_value is not None:
                continue
            if argument.name not in inner.union(given):
                raise RuntimeError(
                    f"Included launch description missing required argument '{argument.name}' "
                    f"(description: '{argument.description}'), given: [{', '.join(given)}]"
                )


class OpaqueFunction(Action):
    """Calls `function(context, *args, **kwargs)`, which may return entities to visit."""

    def __init__(self, *, function, args=(), kwargs=None, **left_over_kwargs) -> None:
        super().__init__(**left_over_kwargs)
        self._function = function
        self._args = tuple(args or ())
        self._kwargs = dict(kwargs or {})

    def execute(self, context) -> list[LaunchDescriptionEntity]:
        return to_entity_list(self._function(context, *self._args, **self._kwargs))


class LogInfo(Action):
    """A line in the launch log."""

    def __init__(self, *, msg, **kwargs) -> None:
        super().__init__(**kwargs)
        self.msg = normalize(msg)

    def execute(self, context) -> None:
        logging.get_logger('launch.user').info(perform(context, self.msg))


class Shutdown(Action):
    """Ends the launch. As `on_exit` of a process it makes that process a required one."""

    def __init__(self, *, reason: str = 'reason not given', **kwargs) -> None:
        super().__init__(**kwargs)
        self._reason = reason

    def execute(self, context) -> None:
        event = context.get_locals_as_dict().get('event')
        if isinstance(event, ProcessExited):
            logging.get_logger('launch').info(
                f'process[{event.process_name}] was required: shutting down launched system'
            )
        context.emit_event_sync(events.Shutdown(reason=self._reason))


class RegisterEventHandler(Action):
    defers = True

    def __init__(self, event_handler: EventHandler, **kwargs) -> None:
        super().__init__(**kwargs)
        self.event_handler = event_handler

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        entities = self.event_handler.entities
        return [] if callable(entities) else entities

    def execute(self, context) -> None:
        context.register_event_handler(self.event_handler)


class TimerAction(Action):
    """Visits `actions` once, `period` seconds after it is executed; canceled at shutdown."""

    defers = True

    def __init__(self, *, period, actions, **kwargs) -> None:
        super().__init__(**kwargs)
        self._period = period
        self._actions = to_entity_list(actions)
        self._done: asyncio.Future | None = None
        self._locals: dict[str, Any] = {}

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        return self._actions

    def get_asyncio_future(self) -> 'asyncio.Future | None':
        return self._done

    def execute(self, context) -> None:
        loop = context.asyncio_loop
        self._done = loop.create_future()
        if context.is_shutdown:
            self._done.set_result(None)
            return
        self._locals = context.get_locals_as_dict()
        timer = loop.call_later(
            perform_typed(context, self._period, float), self._finish, context, True
        )

        def cancel(event, context) -> None:
            timer.cancel()
            self._finish(context, False)

        context.register_event_handler(OnShutdown(on_shutdown=cancel))

    def _finish(self, context, fire: bool) -> None:
        if not self._done.done():
            if fire:
                context.emit_event_sync(events.TimerEvent(timer_action=self))
            self._done.set_result(None)

    def handle(self, context) -> list[LaunchDescriptionEntity]:
        """What the timer's event yields: the actions, with the locals of the timer's place."""
        context.extend_locals(self._locals)
        return self._actions
