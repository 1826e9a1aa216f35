# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""JSON lines: without NaN, readable after a crash, and written completely or not at all."""

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np


def as_json(content: Any, indent: int | None = None) -> str:
    """JSON text; numbers that are not finite become null, NumPy's become Python's."""
    return json.dumps(_plain(content), indent=indent, allow_nan=False, ensure_ascii=False)


def _plain(content: Any) -> Any:
    if isinstance(content, dict):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, np.ndarray):
        return _plain(content.tolist())
    if isinstance(content, (list, tuple)):
        return [_plain(value) for value in content]
    if isinstance(content, np.generic):
        return _plain(content.item())
    if isinstance(content, float):
        return round(content, 6) if math.isfinite(content) else None
    return content


def read_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The objects of a JSON-lines file, and the number of lines that are none.

    The last line of a killed writer may be torn. A missing file has no lines.
    """
    found, torn = [], 0
    try:
        text = path.read_text(encoding='utf-8', errors='replace')
    except FileNotFoundError:
        return [], 0
    for line in text.splitlines():
        try:
            content = json.loads(line)
        except ValueError:
            content = None
        if isinstance(content, dict):
            found.append(content)
        elif line.strip():
            torn += 1
    return found, torn


class LineFile:
    """A file that lines are appended to.

    A line that cannot be written is kept and tried again, up to LARGEST_BACKLOG of them.
    """

    LARGEST_BACKLOG = 5000

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[bytes] = []
        self._descriptor = -1
        self._size = 0
        self.lost = 0

    def add(self, content: dict[str, Any]) -> None:
        """Add an object, to be written by the next `flush`."""
        self._waiting.append(as_json(content).encode() + b'\n')
        if len(self._waiting) > self.LARGEST_BACKLOG:
            del self._waiting[0]
            self.lost += 1

    def flush(self, sync: bool = False) -> None:
        """Write what was added. Raises OSError, with the file as before."""
        if not self._waiting:
            return
        if self._descriptor < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, 0o644)
            self._size = os.fstat(self._descriptor).st_size
        data = memoryview(b''.join(self._waiting))
        try:
            rest = data
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(data)
        self._waiting.clear()
        if sync:
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Close the file; what is not written is lost."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
