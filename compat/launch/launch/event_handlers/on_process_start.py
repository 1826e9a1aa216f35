# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""When a process has started."""

from collections.abc import Callable
from typing import Any

from ..events.process import ProcessStarted
from .on_action_event_base import OnActionEventBase


class OnProcessStart(OnActionEventBase):
    """`on_start` is entities, or a callable of (event, context) giving them."""

    def __init__(
        self, *, target_action: 'Callable | Any | None' = None, on_start: Any, **kwargs
    ) -> None:
        from ..actions.execute_local import ExecuteLocal

        super().__init__(
            action_matcher=target_action,
            on_event=on_start,
            target_event_cls=ProcessStarted,
            target_action_cls=ExecuteLocal,
            **kwargs,
        )
