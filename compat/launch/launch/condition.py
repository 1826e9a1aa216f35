# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The base of what decides whether an action is executed."""

from collections.abc import Callable


class Condition:
    """A predicate over the launch context."""

    def __init__(self, *, predicate: 'Callable[[object], bool] | None' = None) -> None:
        self._predicate = predicate

    def describe(self) -> str:
        return repr(self)

    def evaluate(self, context) -> bool:
        if self._predicate is None:
            raise NotImplementedError(f'{type(self).__name__} has no predicate')
        return self._predicate(context)
