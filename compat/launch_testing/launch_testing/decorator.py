# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which test cases run after the shutdown."""

from collections.abc import Callable


def post_shutdown_test() -> Callable[[type], type]:
    """Decorator of a TestCase class that is to run when all processes have ended."""

    def decorate(test_case: type) -> type:
        if not isinstance(test_case, type):
            raise TypeError('post_shutdown_test should decorate test classes')
        test_case.__post_shutdown_test__ = True
        return test_case

    return decorate
