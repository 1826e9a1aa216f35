# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The start of the tests."""

from collections.abc import Callable

from launch.action import Action


class ReadyToTest(Action):
    """Every test description contains one; executing it starts the tests."""

    def __init__(self) -> None:
        super().__init__()
        self._callbacks: list[Callable[[], None]] = []

    def _add_callback(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def execute(self, context) -> None:
        for callback in self._callbacks:
            callback()
