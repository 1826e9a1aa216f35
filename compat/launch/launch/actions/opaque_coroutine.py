# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Asynchronous Python code in a launch description."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from ..action import Action
from ..event_handlers.on_shutdown import OnShutdown


class OpaqueCoroutine(Action):
    """Runs `coroutine(context, *args, **kwargs)` until it ends; cancelled at shutdown."""

    def __init__(
        self,
        *,
        coroutine: Callable,
        args: 'Iterable[Any] | None' = None,
        kwargs: 'dict[str, Any] | None' = None,
        ignore_context: bool = False,
        **left_over_kwargs,
    ) -> None:
        super().__init__(**left_over_kwargs)
        if not asyncio.iscoroutinefunction(coroutine):
            raise TypeError(
                f"OpaqueCoroutine expected a coroutine function for 'coroutine', got {coroutine!r}"
            )
        self._coroutine = coroutine
        self._args = tuple(args or ())
        self._kwargs = dict(kwargs or {})
        self._ignore_context = ignore_context
        self._future: asyncio.Future | None = None

    def execute(self, context) -> None:
        args = self._args if self._ignore_context else (context, *self._args)
        self._future = context.asyncio_loop.create_task(self._run(args))
        context.register_event_handler(OnShutdown(on_shutdown=self._cancel))

    async def _run(self, args: tuple) -> None:
        try:
            await self._coroutine(*args, **self._kwargs)
        except asyncio.CancelledError:
            pass  # by the shutdown: an orderly end

    def _cancel(self, event, context) -> None:
        self._future.cancel()

    def get_asyncio_future(self) -> 'asyncio.Future | None':
        return self._future
