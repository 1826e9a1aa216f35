# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for the ROS 2 package `launch` (Jazzy): the subset a bring-up workspace uses."""
# ruff: noqa: F401

import sys

from . import (
    actions,
    conditions,
    event_handlers,
    events,
    launch_description_sources,
    logging,
    substitutions,
    utilities,
)
from ._subset import refuse_unknown_names
from .action import Action
from .event_handlers import EventHandler
from .events import Event, process
from .launch_context import LaunchContext
from .launch_description import LaunchDescription
from .launch_description_sources import LaunchDescriptionSource
from .launch_service import LaunchService
from .utilities import LaunchDescriptionEntity, Substitution

refuse_unknown_names(
    *(sys.modules[__name__], actions, conditions, event_handlers, events, process),
    *(launch_description_sources, substitutions, utilities),
)
