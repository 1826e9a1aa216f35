# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Selects the compiled or the plain form of the modules that `colcon build` compiles with Cython.

A tick in NumPy is a few hundred calls for 32 numbers each, at 0.5 to 1 µs a call; loops in C cost
almost nothing. A module that imports `cython` holds such loops: one source that any Python runs
(slowly), and beside it the extension built from it. The extension is imported only if it was built
from exactly this source, whose SHA-1 it carries as its build id (setup.py); otherwise the source
runs, so that an edit takes effect at once. File times would not do: copies may keep them, and
clocks differ. VLA_SAFETY_PLAIN=1 in the environment runs the sources, for debugging and comparison;
the results are the same to the last bit.
"""

import hashlib
import importlib.util
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

PACKAGE = __name__.partition('.')[0]
PLAIN = os.environ.get('VLA_SAFETY_PLAIN', '') == '1'


class _OtherSources:
    """Finds modules of this package whose extension was built from another source."""

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
    """Install the finder: no import of this package takes an extension of another source."""
    if _OtherSources not in sys.meta_path:
        sys.meta_path.insert(0, _OtherSources)


def _built_from(source: str, built: str) -> bool:
    with open(source, 'rb') as text, open(built, 'rb') as extension:
        return hashlib.sha1(text.read()).digest() in extension.read()


def as_python(module: ModuleType) -> ModuleType:
    """The module from its source, as the reference for the compiled form."""
    loader = SourceFileLoader(module.__name__, _source(module.__file__))
    plain = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(plain)
    return plain


def not_compiled() -> list[str]:
    """Imported modules that run as plain Python though they could be compiled."""
    return sorted(
        name
        for name, module in list(sys.modules.items())
        if name.startswith(f'{PACKAGE}.') and getattr(module, 'COMPILED', True) is False
    )


def _source(file: str) -> str:
    folder, name = os.path.split(file)
    return os.path.join(folder, name.partition('.')[0] + '.py')
