# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Actions after a while."""

import asyncio
import collections.abc
from collections.abc import Iterable
from typing import Any

from ..action import Action
from ..event_handlers.on_shutdown import OnShutdown
from ..events import TimerEvent
from ..launch_description_entity import LaunchDescriptionEntity
from ..some_substitutions_type import SomeSubstitutionsType
from ..utilities import ensure_argument_type
from ..utilities.type_utils import normalize_typed_substitution, perform_typed_substitution


class TimerAction(Action):
    """Visits `actions` once, `period` seconds after it is executed itself."""

    def __init__(
        self,
        *,
        period: float | SomeSubstitutionsType,
        actions: Iterable[LaunchDescriptionEntity],
        cancel_on_shutdown: bool | SomeSubstitutionsType = True,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        ensure_argument_type(actions, collections.abc.Iterable, 'actions', 'TimerAction')
        if isinstance(period, str):
            period = float(period)
        self._period = normalize_typed_substitution(period, float)
        self._actions = list(actions)
        self._cancel_on_shutdown = normalize_typed_substitution(cancel_on_shutdown, bool)
        self._canceled = False
        self._canceled_future: asyncio.Future | None = None
        self._done_future: asyncio.Future | None = None
        self._locals: dict[str, Any] = {}

    @property
    def period(self) -> Any:
        return self._period

    @property
    def actions(self) -> list[LaunchDescriptionEntity]:
        return self._actions

    def describe(self) -> str:
        return f'TimerAction(period={self._period})'

    def describe_conditional_sub_entities(self) -> list:
        return [(f'{self._period} seconds pass without being canceled', self._actions)]

    def cancel(self) -> None:
        """Don't fire; no error if it has, or was never executed."""
        self._canceled = True
        if self._canceled_future is not None and not self._canceled_future.done():
            self._canceled_future.set_result(None)

    def handle(self, context) -> list[LaunchDescriptionEntity]:
        """What the timer's event yields: the actions, with the locals of the timer's place."""
        context.extend_locals(self._locals)
        return self._actions

    def execute(self, context) -> None:
        loop = context.asyncio_loop
        self._done_future = loop.create_future()
        self._canceled_future = loop.create_future()
        cancel_on_shutdown = perform_typed_substitution(context, self._cancel_on_shutdown, bool)
        if self._canceled or (context.is_shutdown and cancel_on_shutdown):
            self._done_future.set_result(None)
            return
        period = perform_typed_substitution(context, self._period, float)
        self._locals = context.get_locals_as_dict()
        if cancel_on_shutdown:
            context.register_event_handler(
                OnShutdown(on_shutdown=lambda event, context: self.cancel())
            )
        self._task = loop.create_task(self._wait(context, period))

    async def _wait(self, context, period: float) -> None:
        await asyncio.wait([self._canceled_future], timeout=period)
        if not self._canceled_future.done():
            context.emit_event_sync(TimerEvent(timer_action=self))
        self._done_future.set_result(None)

    def get_asyncio_future(self) -> 'asyncio.Future | None':
        return self._done_future
