# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""When an action is done."""

from collections.abc import Callable
from typing import Any

from ..action import Action
from ..events import ExecutionComplete
from .on_action_event_base import OnActionEventBase


class OnExecutionComplete(OnActionEventBase):
    """`on_completion` is entities, or a callable of (event, context) giving them."""

    def __init__(
        self, *, target_action: 'Callable | Action | None' = None, on_completion: Any, **kwargs
    ) -> None:
        super().__init__(
            action_matcher=target_action,
            on_event=on_completion,
            target_event_cls=ExecutionComplete,
            target_action_cls=Action,
            **kwargs,
        )
