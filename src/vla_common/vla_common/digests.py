# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""SHA-256 of files and folders."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def digest_of(files: Iterable[tuple[str, Path]]) -> str:
    """SHA-256 over names and contents, in the order of the names. Raises OSError."""
    total = hashlib.sha256()
    for name, path in sorted(files):
        with open(path, 'rb') as file:
            content = hashlib.file_digest(file, 'sha256').hexdigest()
        total.update(f'{name} {content}\n'.encode())
    return total.hexdigest()


def tree_files(folder: Path, pattern: str = '*') -> list[tuple[str, Path]]:
    """(name below the folder, path) of its files that match `pattern`. Raises OSError."""
    return [
        (path.relative_to(folder).as_posix(), path)
        for path in folder.rglob(pattern)
        if path.is_file() and '__pycache__' not in path.parts
    ]


def tree_digest(folder: Path, pattern: str = '*') -> str:
    """SHA-256 of the files below a folder whose names match `pattern`. Raises OSError."""
    return digest_of(tree_files(folder, pattern))
