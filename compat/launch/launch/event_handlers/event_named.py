# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A matcher of events."""

from collections.abc import Callable

from ..event import Event


def event_named(event_name: str) -> Callable[[Event], bool]:
    return lambda event: event.name == event_name
