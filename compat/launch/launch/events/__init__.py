# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The events of a launch; those of processes are in `launch.events.process`."""

from dataclasses import dataclass
from typing import Any


class Event:
    """The base of everything in the event queue; logs show its `name`."""

    name = 'launch.Event'

    def __init_subclass__(cls) -> None:
        cls.name = f'{cls.__module__}.{cls.__name__}'


@dataclass
class IncludeLaunchDescription(Event):
    """A launch description is to be visited."""

    launch_description: Any


@dataclass
class Shutdown(Event):
    """The launch is to end; `due_to_sigint`: a terminal has sent SIGINT to the processes too."""

    reason: str = 'reason not given'
    due_to_sigint: bool = False


@dataclass
class TimerEvent(Event):
    """The period of a TimerAction is over."""

    timer_action: Any
