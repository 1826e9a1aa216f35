# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Modules of this package that `colcon build` compiles with Cython, and which form of them runs.

A tick in NumPy is a few hundred calls, each for 32 numbers and each with a price of 0.5 to 1 µs;
as loops in C they cost next to nothing. A module that imports `cython` holds such loops. There is
one source for both forms: any Python runs it as it is (slowly), and beside it lies the extension
that was built from it. Importing takes the extension, but only if it was built from just this
source, whose SHA-1 it carries as its build id (setup.py): otherwise the source runs, so that an
edit counts at once and never runs as something else. The files' times would not tell: what was
copied with its time kept, or on a computer whose clock is behind, is older than what was built
before it. With VLA_SAFETY_PLAIN=1 in the environment the sources run, to look into them or to
compare: the results are the same to the last bit.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

PACKAGE = __name__.partition('.')[0]
PLAIN = os.environ.get('VLA_SAFETY_PLAIN', '') == '1'


class _OtherSources:
    """Finds the modules of this package whose source is not what their extension was built from."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if not name.startswith(f'{PACKAGE}.'):
            return None
        spec = PathFinder.find_spec(name, path, target)
        built = spec.origin if spec is not None and spec.origin is not None else ''
        if not built.endswith(tuple(EXTENSION_SUFFIXES)):
            return None
        source = _source(built)
        if not os.path.exists(source):
            return None
        if not PLAIN and _built_from(source, built):
            return None
        return importlib.util.spec_from_file_location(name, source)


def prefer_other_sources() -> None:
    """From now on, no import of this package takes an extension of another source."""
    if _OtherSources not in sys.meta_path:
        sys.meta_path.insert(0, _OtherSources)


def _built_from(source: str, built: str) -> bool:
    with open(source, 'rb') as text, open(built, 'rb') as extension:
        return hashlib.sha1(text.read()).digest() in extension.read()


def as_python(module: ModuleType) -> ModuleType:
    """The same module from its source, whatever was built: the reference for the compiled form."""
    loader = SourceFileLoader(module.__name__, _source(module.__file__))
    plain = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(plain)
    return plain


def not_compiled() -> list[str]:
    """Modules, of those imported so far, that run as plain Python though they could be compiled."""
    return sorted(
        name
        for name, module in list(sys.modules.items())
        if name.startswith(f'{PACKAGE}.') and getattr(module, 'COMPILED', True) is False
    )


def _source(file: str) -> str:
    folder, name = os.path.split(file)
    return os.path.join(folder, name.partition('.')[0] + '.py')
