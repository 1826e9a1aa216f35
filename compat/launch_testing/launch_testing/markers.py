# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Decorators that change how a test runs."""

import functools
import time
from collections.abc import Callable


def keep_alive(test_description: Callable) -> Callable:
    """Of generate_test_description: go on when all processes have ended."""
    markers = dict(getattr(test_description, '__markers__', {}), keep_alive=True)
    test_description.__markers__ = markers
    return test_description


def retry_on_failure(*, times: int, delay: 'float | None' = None) -> Callable[[Callable], Callable]:
    """Of a test method: run it up to `times` times until no AssertionError comes."""
    if times < 1:
        raise ValueError(f'times={times}: at least 1')

    def decorate(method: Callable) -> Callable:
        @functools.wraps(method)
        def retried(self, *args, **kwargs):
            for attempt in range(times):
                try:
                    return method(self, *args, **kwargs)
                except AssertionError:
                    if attempt == times - 1:
                        raise
                time.sleep(delay or 0)

        return retried

    return decorate
