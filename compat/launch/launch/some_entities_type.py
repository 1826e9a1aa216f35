# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What is taken wherever entities may be given: one or several."""

import collections.abc
from collections.abc import Iterable
from typing import Union

from .launch_description_entity import LaunchDescriptionEntity

SomeEntitiesType = Union[LaunchDescriptionEntity, Iterable[LaunchDescriptionEntity]]
SomeEntitiesType_types_tuple = (LaunchDescriptionEntity, collections.abc.Iterable)
