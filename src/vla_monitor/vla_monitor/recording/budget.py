# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What is removed where recordings need more room than they may have."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vla_monitor.recording.session import DESCRIPTION, RESERVE, lock, unlock

KEEP = 'keep'
"""A file of this name in a session's directory: the session is never removed."""


@dataclass(frozen=True)
class Stored:
    """A session, or a file of the present one, that may be removed. size: bytes."""

    path: Path
    size: int
    has_incident: bool = False


def to_remove(
    sessions: Sequence[Stored], files: Sequence[Stored], present: int, budget: int
) -> list[Stored]:
    """What to remove so that everything fits into `budget` bytes, in that order.

    Earlier sessions first, the oldest before the others. Then the present session is a ring: its
    oldest files without an incident, then its oldest files. Its newest file stays.

    Args:
        sessions: earlier sessions that may be removed, oldest first.
        files: the bag's finished files of the present session, oldest first.
        present: bytes of the present session.
    """
    excess = sum(stored.size for stored in sessions) + present - budget
    own = files[:-1]
    order = [
        *sessions,
        *(file for file in own if not file.has_incident),
        *(file for file in own if file.has_incident),
    ]
    removed = []
    for stored in order:
        if excess <= 0:
            break
        removed.append(stored)
        excess -= stored.size
    return removed


def size_of(directory: Path) -> int:
    """Bytes of the files in a directory and below, without a reserve. A file that vanishes
    meanwhile has none."""
    size = 0
    for path in directory.rglob('*'):
        try:
            if path.is_file() and not path.is_symlink() and path.name != RESERVE:
                size += path.stat().st_size
        except OSError:
            continue
    return size


def earlier_sessions(directory: Path, present: Path) -> list[Stored]:
    """The sessions in `directory` that may be removed, oldest first: nobody records them."""
    found = []
    for folder in sorted(directory.iterdir()):
        if folder == present or folder.is_symlink() or not (folder / DESCRIPTION).is_file():
            continue
        if (folder / KEEP).exists() or (mark := lock(folder)) is None:
            continue
        unlock(mark)
        found.append(Stored(folder, size_of(folder)))
    return found


def remove(stored: Stored) -> None:
    """Remove a session's directory. Raises OSError."""
    shutil.rmtree(stored.path)
