# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The action for the launch descriptions of tests."""

from collections.abc import Callable

from launch.action import Action


class ReadyToTest(Action):
    """Every test description contains one; executing it starts the tests."""

    def __init__(self) -> None:
        super().__init__()
        self.callbacks: list[Callable[[], None]] = []

    def execute(self, context) -> None:
        for callback in self.callbacks:
            callback()
