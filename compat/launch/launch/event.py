# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The base of everything that travels through the event queue."""


class Event:
    """An occurrence; `name` is what logs call it."""

    name = 'launch.Event'
