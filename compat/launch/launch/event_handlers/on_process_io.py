# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""When a process writes something."""

from collections.abc import Callable
from typing import Any

from ..events.process import ProcessIO
from .on_action_event_base import OnActionEventBase


class OnProcessIO(OnActionEventBase):
    """The callables take the event (its `text` is bytes) and may return entities."""

    def __init__(
        self,
        *,
        target_action: 'Callable | Any | None' = None,
        on_stdout: 'Callable[[ProcessIO], Any] | None' = None,
        on_stderr: 'Callable[[ProcessIO], Any] | None' = None,
        **kwargs,
    ) -> None:
        from ..actions.execute_local import ExecuteLocal

        def on_event(event: ProcessIO, context) -> Any:
            react = on_stdout if event.from_stdout else on_stderr
            return None if react is None else react(event)

        super().__init__(
            action_matcher=target_action,
            on_event=on_event,
            target_event_cls=ProcessIO,
            target_action_cls=ExecuteLocal,
            **kwargs,
        )
