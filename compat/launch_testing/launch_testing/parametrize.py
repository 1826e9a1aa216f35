# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The same tests on several launches."""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def parametrize(argnames: str, argvalues: Iterable[Any]) -> Callable[[Callable], Callable]:
    """Decorator of generate_test_description, used as pytest.mark.parametrize is.

    The tests may take the arguments, too.
    """
    names = [name.strip() for name in argnames.split(',') if name.strip()]
    rows = [value if isinstance(value, tuple) else (value,) for value in argvalues]

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def descriptions() -> Iterator[tuple[Callable, dict[str, Any]]]:
            for row in rows:
                arguments = dict(zip(names, row))
                description = functools.partial(function, **arguments)
                functools.update_wrapper(description, function)
                yield description, arguments

        descriptions.__parametrized__ = True
        return descriptions

    return decorate
