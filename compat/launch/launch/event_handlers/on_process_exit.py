# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""When a process has ended."""

from collections.abc import Callable
from typing import Any

from ..events.process import ProcessExited
from .on_action_event_base import OnActionEventBase


class OnProcessExit(OnActionEventBase):
    """`on_exit` is entities, or a callable of (event, context) giving them."""

    def __init__(
        self, *, target_action: 'Callable | Any | None' = None, on_exit: Any, **kwargs
    ) -> None:
        from ..actions.execute_local import ExecuteLocal

        super().__init__(
            action_matcher=target_action,
            on_event=on_exit,
            target_event_cls=ProcessExited,
            target_action_cls=ExecuteLocal,
            **kwargs,
        )
