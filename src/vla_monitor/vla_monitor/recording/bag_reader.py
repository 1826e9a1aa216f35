# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The messages of a session's bag, in order, whole or not."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import NamedTuple

from vla_monitor.recording.bag import ACTIVE
from vla_monitor.recording.mcap_read import NotMcapError, Scan, messages_of
from vla_monitor.recording.schemas import schema_of


class BagMessage(NamedTuple):
    """A message of a bag; times in ns since 1970."""

    topic: str
    type: str
    content: bytes
    log_ns: int


class BagReader:
    """Reads a session's bag.

    After `messages()`: `unreadable`, the topics that were left out, with the reason: their type is
    not installed, or not as it was recorded; and files that are no MCAP files.

    Args:
        folder: of the session.
    """

    def __init__(self, folder: Path) -> None:
        self.files = bag_files(folder)
        self.unreadable: dict[str, str] = {}
        self.damaged = 0

    def messages(self, topics: Container[str] | None = None) -> Iterator[BagMessage]:
        """The messages of `topics` (None: of all). Repeated latched messages come once."""
        last: dict[str, int] = {}
        for path in self.files:
            scan = Scan(path)
            names: dict[int, tuple[str, str]] = {}
            schemas: dict[int, tuple[str, str]] = {}
            try:
                for chunk, content in scan.chunks():
                    for number, schema in chunk.schemas.items():
                        schemas[number] = (schema.name, schema.data.decode())
                    for number, channel in chunk.channels.items():
                        wanted = topics is None or channel.topic in topics
                        type_name, definition = schemas[channel.schema_id]
                        if wanted and self._readable(channel.topic, type_name, definition):
                            names[number] = (channel.topic, type_name)
                    for message in messages_of(content, names):
                        topic, type_name = names[message.channel]
                        if message.sequence > last.get(topic, 0):
                            last[topic] = message.sequence
                            yield BagMessage(topic, type_name, message.content, message.log_ns)
            except NotMcapError as error:
                self.unreadable[path.name] = str(error)
            self.damaged += scan.damaged

    def _readable(self, topic: str, type_name: str, definition: str) -> bool:
        try:
            same = schema_of(type_name) == definition
        except LookupError as error:
            self.unreadable[topic] = str(error)
            return False
        if not same:
            self.unreadable[topic] = f'recorded with another definition of {type_name}'
        return same


def bag_files(folder: Path) -> list[Path]:
    """The files of a session's bag, in order."""

    def number(path: Path) -> tuple[int, str]:
        found = re.search(r'_(\d+)\.mcap', path.name)
        return (int(found[1]) if found else 0, path.name)

    return sorted([*folder.glob('*.mcap'), *folder.glob(f'*.mcap{ACTIVE}')], key=number)
