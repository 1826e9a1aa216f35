# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Python code in a launch description."""

from collections.abc import Callable, Iterable
from typing import Any

from ..action import Action
from ..launch_description_entity import LaunchDescriptionEntity
from ..utilities import to_entity_list


class OpaqueFunction(Action):
    """Calls `function(context, *args, **kwargs)`, which may return entities to visit."""

    def __init__(
        self,
        *,
        function: Callable,
        args: 'Iterable[Any] | None' = None,
        kwargs: 'dict[str, Any] | None' = None,
        **left_over_kwargs,
    ) -> None:
        super().__init__(**left_over_kwargs)
        if not callable(function):
            raise TypeError(f"OpaqueFunction expected a callable for 'function', got {function!r}")
        self._function = function
        self._args = tuple(args or ())
        self._kwargs = dict(kwargs or {})

    def describe(self) -> str:
        return f'OpaqueFunction({getattr(self._function, "__name__", self._function)})'

    def execute(self, context) -> list[LaunchDescriptionEntity]:
        return to_entity_list(self._function(context, *self._args, **self._kwargs))
