# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Decorators of test descriptions and test cases."""

from collections.abc import Callable


def ready_to_test_action_timeout(timeout: float) -> Callable[[Callable], Callable]:
    """Of generate_test_description: how long ReadyToTest may take, in seconds (default 15)."""

    def decorate(function: Callable) -> Callable:
        function.__ready_to_test_action_timeout__ = timeout
        return function

    return decorate


def post_shutdown_test() -> Callable[[type], type]:
    """Of a TestCase class: run it when all processes have ended."""

    def decorate(test_case: type) -> type:
        if not isinstance(test_case, type):
            raise TypeError('post_shutdown_test should decorate test classes')
        test_case.__post_shutdown_test__ = True
        return test_case

    return decorate
