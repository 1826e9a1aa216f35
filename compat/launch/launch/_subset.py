# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The error for everything that the stand-in leaves out."""

from functools import partial
from types import ModuleType
from typing import NoReturn


def outside(what: str) -> str:
    """The sentence of every such error."""
    return f'{what} is not part of the stand-in in compat/; install the real package'


def refuse_unknown_names(*modules: ModuleType) -> None:
    """Make access to a name that these modules lack an error that names it.

    An ImportError: `from m import x` would replace the text of an AttributeError by its own.
    Private names raise AttributeError, because tools probe for them.
    """

    def refuse(module: str, name: str) -> NoReturn:
        if name.startswith('_'):
            raise AttributeError(f'module {module!r} has no attribute {name!r}')
        raise ImportError(outside(f'{module}.{name}'), name=module)

    for module in modules:
        module.__getattr__ = partial(refuse, module.__name__)
