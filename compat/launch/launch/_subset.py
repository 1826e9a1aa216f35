# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The error for everything that the stand-in leaves out."""

from collections.abc import Callable
from typing import NoReturn


def outside(what: str) -> str:
    """The sentence of every such error."""
    return f'{what} is not part of the stand-in in compat/; install the real package'


def refusing_getattr(module: str) -> Callable[[str], NoReturn]:
    """A module-level `__getattr__` whose error names the missing attribute.

    It raises ImportError: `from m import x` would replace the text of an AttributeError by its
    own. Private names raise AttributeError, because tools probe for them.
    """

    def __getattr__(name: str) -> NoReturn:
        if name.startswith('_'):
            raise AttributeError(f'module {module!r} has no attribute {name!r}')
        raise ImportError(outside(f'{module}.{name}'), name=module)

    return __getattr__
