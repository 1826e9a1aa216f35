# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for the ROS 2 package `launch` (Jazzy): the subset a bring-up workspace uses."""

from . import logging  # noqa: I001  (the order below avoids import cycles)
from .event import Event
from .substitution import Substitution
from .some_substitutions_type import SomeSubstitutionsType, SomeSubstitutionsType_types_tuple
from .launch_description_entity import LaunchDescriptionEntity
from .some_entities_type import SomeEntitiesType, SomeEntitiesType_types_tuple
from .launch_context import LaunchContext
from . import utilities, substitutions
from .condition import Condition
from . import conditions
from .action import Action
from .event_handler import BaseEventHandler, EventHandler
from . import events
from .launch_description import LaunchDescription
from .launch_description_source import LaunchDescriptionSource
from . import event_handlers, launch_description_sources, actions
from .launch_introspector import LaunchIntrospector
from .launch_service import LaunchService
from ._subset import refusing_getattr

__all__ = [
    'Action',
    'BaseEventHandler',
    'Condition',
    'Event',
    'EventHandler',
    'LaunchContext',
    'LaunchDescription',
    'LaunchDescriptionEntity',
    'LaunchDescriptionSource',
    'LaunchIntrospector',
    'LaunchService',
    'SomeEntitiesType',
    'SomeEntitiesType_types_tuple',
    'SomeSubstitutionsType',
    'SomeSubstitutionsType_types_tuple',
    'Substitution',
    'actions',
    'conditions',
    'event_handlers',
    'events',
    'launch_description_sources',
    'logging',
    'substitutions',
    'utilities',
]

__getattr__ = refusing_getattr(__name__)
