# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The stand-in's answer to everything it does not hold: an error that names it."""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn


def outside(what: str) -> str:
    """The sentence that every refusal of the stand-in uses."""
    return f'{what} is not part of the stand-in in compat/; install the real package'


def refusing_getattr(module: str) -> Callable[[str], NoReturn]:
    """A module-level `__getattr__` that names what was asked for.

    It raises ImportError, not AttributeError: `from m import x` replaces the text of an
    AttributeError by its own. Private names get AttributeError, as tools probe for them.
    """

    def __getattr__(name: str) -> NoReturn:
        if name.startswith('_'):
            raise AttributeError(f'module {module!r} has no attribute {name!r}')
        raise ImportError(outside(f'{module}.{name}'), name=module)

    return __getattr__


def refuse_arguments(owner: object, unknown: Mapping[str, Any]) -> None:
    """Raise TypeError naming the keyword arguments that `owner` does not take."""
    if unknown:
        names = ', '.join(f'{type(owner).__name__}({name}=…)' for name in unknown)
        raise TypeError(outside(names))
