# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The events of a launch; those of processes are in `launch.events.process`."""

from collections.abc import Callable


class Event:
    """The base of everything in the event queue; logs show its `name`."""

    name = 'launch.Event'

    def __init_subclass__(cls) -> None:
        cls.name = f'{cls.__module__}.{cls.__name__}'


class ExecutionComplete(Event):
    """An action is done; for processes and timers: they have ended."""

    def __init__(self, *, action) -> None:
        self.action = action


class IncludeLaunchDescription(Event):
    """A launch description is to be visited."""

    def __init__(self, launch_description) -> None:
        self.launch_description = launch_description


class Shutdown(Event):
    """The launch is to end; `due_to_sigint`: a terminal has sent SIGINT to the processes too."""

    def __init__(self, *, reason: str = 'reason not given', due_to_sigint: bool = False) -> None:
        self.reason = reason
        self.due_to_sigint = due_to_sigint


class TimerEvent(Event):
    """The period of a TimerAction is over."""

    def __init__(self, *, timer_action) -> None:
        self.timer_action = timer_action


def matches_action(target_action) -> Callable[[object], bool]:
    """A matcher of exactly this action."""
    return lambda action: action is target_action
