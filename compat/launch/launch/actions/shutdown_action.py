# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Ending the launch."""

from .. import logging
from ..events import Shutdown as ShutdownEvent
from ..events.process import ProcessExited
from .emit_event import EmitEvent


class Shutdown(EmitEvent):
    """As `on_exit` of a process it makes that process a required one."""

    def __init__(self, *, reason: str = 'reason not given', **kwargs) -> None:
        super().__init__(event=ShutdownEvent(reason=reason), **kwargs)

    def execute(self, context) -> None:
        event = context.get_locals_as_dict().get('event')
        if isinstance(event, ProcessExited):
            logging.get_logger('launch').info(
                f'process[{event.process_name}] was required: shutting down launched system'
            )
        super().execute(context)
