# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Decorators of test descriptions and test cases."""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def keep_alive(test_description: Callable) -> Callable:
    """Of generate_test_description: go on when all processes have ended."""
    test_description.__keep_alive__ = True
    return test_description


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


def parametrize(argnames: str, argvalues: Iterable[Any]) -> Callable[[Callable], Callable]:
    """Of generate_test_description: one launch per row, as with pytest.mark.parametrize.

    The tests may take the arguments too.
    """
    names = [name.strip() for name in argnames.split(',') if name.strip()]
    rows = [value if isinstance(value, tuple) else (value,) for value in argvalues]

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def descriptions() -> Iterator[tuple[Callable, dict[str, Any]]]:
            for row in rows:
                arguments = dict(zip(names, row))
                description = functools.partial(function, **arguments)
                yield functools.update_wrapper(description, function), arguments

        descriptions.__parametrized__ = True
        return descriptions

    return decorate
