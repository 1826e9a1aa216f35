# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Packages and their executables in the ament index."""

from __future__ import annotations

import os

from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_packages_with_prefixes,
)
from ros2cli.text import suggest


def get_package_names() -> list[str]:
    """Return the names of all packages, sorted."""
    return sorted(get_packages_with_prefixes())


def require_prefix(package_name: str) -> str:
    """Return the prefix of a package; RuntimeError if there is no such package."""
    try:
        return get_package_prefix(package_name)
    except (PackageNotFoundError, ValueError):
        raise RuntimeError(
            f"Package '{package_name}' not found{suggest(package_name, get_package_names())}"
        ) from None


def get_executable_paths(package_name: str) -> list[str]:
    """Return the executable files below `<prefix>/lib/<package>`."""
    base = os.path.join(require_prefix(package_name), 'lib', package_name)
    paths = []
    for folder, folders, files in os.walk(base):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        candidates = (os.path.join(folder, name) for name in sorted(files))
        paths += [path for path in candidates if os.access(path, os.X_OK)]
    return paths
