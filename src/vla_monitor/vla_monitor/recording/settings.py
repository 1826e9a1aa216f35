# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What a recording is given: settings, messages, and who makes events of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol


class Received(NamedTuple):
    """A message: topic, serialized content, times in ns since 1970."""

    topic: str
    content: bytes
    log_ns: int
    publish_ns: int


class MessageObserver(Protocol):
    """Makes events and steps of messages (`observer.Observer`)."""

    errors: dict[str, str]

    def observe(self, topic: str, content: bytes, now_ns: int) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Settings:
    """How sessions are recorded.

    Args:
        directory: of all sessions.
        compression: of the bag's chunks: 'none', 'lz4' or 'zstd'.
        images: 'bag', 'video', 'both' or 'none'.
        split_size: bytes, split_time: s, of a file of the bag.
        budget: bytes of all sessions.
        min_free: bytes that stay free on the disk.
        queue: bytes that wait for the disk.
    """

    directory: Path
    compression: str
    images: str
    split_size: int
    split_time: float
    budget: int
    min_free: int
    queue: int
