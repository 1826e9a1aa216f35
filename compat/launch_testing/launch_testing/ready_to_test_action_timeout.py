# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How long ReadyToTest may take."""

from collections.abc import Callable


def ready_to_test_action_timeout(timeout: float) -> Callable[[Callable], Callable]:
    """Decorator of generate_test_description; `timeout` in seconds (default 15)."""

    def decorate(function: Callable) -> Callable:
        function.__ready_to_test_action_timeout__ = timeout
        return function

    return decorate
