# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""An MCAP file that is complete after every chunk, and that can be finished after a crash.

The `mcap` package's Writer cannot finish a file that another process began, nor one whose disk was
full in the middle of a record. This one writes a chunk with its index at once or not at all, and
`McapFile.reopen` continues after the last one. Records are serialised by that package.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcap import records
from mcap.opcode import Opcode

from vla_monitor.recording.mcap_read import (
    COMPRESSIONS,
    HEAD,
    MAGIC,
    MESSAGE,
    Message,
    NotMcapError,
    ParsedChunk,
    Scan,
    index_of,
    serialized,
)
from vla_monitor.recording.schemas import ENCODING

_INDEX = struct.Struct('<BQHI')
PROFILE = 'ros2'
LIBRARY = 'vla_monitor'
CHUNK_BYTES = 1 << 20
"""Of records in a chunk, before compression; a larger message has a chunk of its own."""


@dataclass
class Contents:
    """What complete chunks of a file hold."""

    schemas: dict[int, records.Schema] = field(default_factory=dict)
    channels: dict[int, records.Channel] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    chunks: list[records.ChunkIndex] = field(default_factory=list)
    start_ns: int = 0
    end_ns: int = 0

    @property
    def messages(self) -> int:
        return sum(self.counts.values())

    def note(self, chunk: ParsedChunk) -> None:
        """Add a chunk."""
        self.schemas.update(chunk.schemas)
        self.channels.update(chunk.channels)
        begin, end = chunk.index.message_start_time, chunk.index.message_end_time
        first = not self.messages
        self.start_ns = begin if first else min(self.start_ns, begin)
        self.end_ns = end if first else max(self.end_ns, end)
        self.chunks.append(chunk.index)
        for channel, entries in chunk.messages.items():
            self.counts[channel] = self.counts.get(channel, 0) + len(entries)


@dataclass
class _Chunk:
    """The open chunk: records, and where each channel's messages are in it."""

    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    index: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def append(self, data: bytes) -> None:
        self.parts.append(data)
        self.size += len(data)


class McapFile:
    """A file that is being written. `create` and `reopen` make one.

    Every method that writes raises OSError with the file as long as its last complete record.
    """

    def __init__(self, descriptor: int, path: Path, compression: str) -> None:
        self._file = descriptor
        self.path = path
        self._name, self._compress, _ = COMPRESSIONS[compression]
        self.size = 0
        self.contents = Contents()
        self._chunk = _Chunk()

    @classmethod
    def create(cls, path: Path, compression: str) -> McapFile:
        """A new file. Raises OSError, FileExistsError among them."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        made = cls(os.open(path, flags, 0o644), path, compression)
        try:
            made._write(MAGIC + serialized(records.Header(PROFILE, LIBRARY)))
        except OSError:
            made.abandon()
            raise
        return made

    @classmethod
    def reopen(cls, path: Path) -> McapFile:
        """A file that was not finished, cut after its last complete chunk.

        Raises OSError; NotMcapError.
        """
        made = cls(os.open(path, os.O_RDWR | os.O_CLOEXEC), path, 'none')
        try:
            scan = Scan(path)
            for chunk, _ in scan.chunks():
                made.contents.note(chunk)
            os.ftruncate(made._file, scan.end)
            os.lseek(made._file, scan.end, os.SEEK_SET)
            made.size = scan.end
            if scan.without_index is not None:
                index, parsed = scan.without_index
                made._write(_message_indexes(index, parsed, made.size))
        except (OSError, NotMcapError):
            made.abandon()
            raise
        return made

    # -- content -------------------------------------------------------------------------------

    def add_channel(self, topic: str, type_name: str, schema: str, metadata: dict[str, str]) -> int:
        """Register a topic; returns its channel."""
        found = (s.id for s in self.contents.schemas.values() if s.name == type_name)
        number = next(found, 0)
        if not number:
            number = len(self.contents.schemas) + 1
            made = records.Schema(
                id=number, data=schema.encode(), encoding=ENCODING, name=type_name
            )
            self.contents.schemas[number] = made
            self._chunk.append(serialized(made))
        channel = len(self.contents.channels) + 1
        made = records.Channel(
            id=channel, topic=topic, message_encoding='cdr', metadata=metadata, schema_id=number
        )
        self.contents.channels[channel] = made
        self._chunk.append(serialized(made))
        return channel

    def add(self, message: Message) -> None:
        """Add a message to the open chunk; the file is not touched."""
        chunk = self._chunk
        channel, sequence, log_ns, publish_ns, content = message
        size, place = len(content), (log_ns, chunk.size)
        if channel in chunk.index:
            chunk.index[channel].append(place)
        else:
            chunk.index[channel] = [place]
        head = MESSAGE.pack(
            Opcode.MESSAGE, 22 + size, channel, sequence & 0xFFFFFFFF, log_ns, publish_ns
        )
        # Joined when the chunk is written: at a thousand messages a second a copy counts.
        chunk.parts += (head, content)
        chunk.size += MESSAGE.size + size

    @property
    def pending(self) -> int:
        """Bytes of the open chunk."""
        return self._chunk.size

    def flush(self, sync: bool = False) -> None:
        """Write the open chunk, if it has messages; sync: wait until the disk has it."""
        chunk = self._chunk
        if not chunk.index:
            return
        content = b''.join(chunk.parts)
        compressed = self._compress(content)
        times = [log_ns for places in chunk.index.values() for log_ns, _ in places]
        record = records.Chunk(
            compression=self._name,
            data=compressed,
            message_start_time=min(times),
            message_end_time=max(times),
            uncompressed_crc=zlib.crc32(content),
            uncompressed_size=len(content),
        )
        head = _chunk_head(record)
        size = len(head) + len(compressed)
        index = index_of(record, self.size, size)
        self._write(head, compressed, _message_indexes(index, chunk.index, self.size + size))
        self.contents.note(ParsedChunk(index, chunk.index))
        self._chunk = _Chunk()
        if sync:
            os.fdatasync(self._file)

    def discard(self) -> int:
        """Drop the open chunk, for which there is no room; returns its number of messages."""
        messages = sum(map(len, self._chunk.index.values()))
        known = b''.join(
            serialized(record)
            for table in (self.contents.schemas, self.contents.channels)
            for record in table.values()
        )
        # The registrations in it may be the only ones.
        self._chunk = _Chunk([known], len(known))
        return messages

    def finish(self) -> None:
        """Write the open chunk and the summary, and close the file. OSError: it stays open."""
        self.flush()
        self._write(serialized(records.DataEnd(0)) + self._summary())
        os.fsync(self._file)
        self.abandon()

    def abandon(self) -> None:
        """Close the file as it is."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    # -- the file ------------------------------------------------------------------------------

    def _write(self, *parts: bytes) -> None:
        try:
            for part in parts:
                view = memoryview(part)
                while view:
                    view = view[os.write(self._file, view) :]
        except OSError:
            # Half a record would end what readers of a stream can read.
            os.ftruncate(self._file, self.size)
            os.lseek(self._file, self.size, os.SEEK_SET)
            raise
        self.size += sum(map(len, parts))

    def _summary(self) -> bytes:
        contents, start = self.contents, self.size + len(serialized(records.DataEnd(0)))
        statistics = records.Statistics(
            attachment_count=0,
            channel_count=len(contents.channels),
            channel_message_counts=dict(contents.counts),
            chunk_count=len(contents.chunks),
            message_count=contents.messages,
            metadata_count=0,
            message_start_time=contents.start_ns,
            message_end_time=contents.end_ns,
            schema_count=len(contents.schemas),
        )
        groups: tuple[tuple[Opcode, list[Any]], ...] = (
            (Opcode.SCHEMA, list(contents.schemas.values())),
            (Opcode.CHANNEL, list(contents.channels.values())),
            (Opcode.STATISTICS, [statistics]),
            (Opcode.CHUNK_INDEX, contents.chunks),
        )
        body, offsets = bytearray(), bytearray()
        for opcode, group in groups:
            begin = len(body)
            body += b''.join(map(serialized, group))
            if len(body) > begin:
                offset = records.SummaryOffset(
                    group_opcode=opcode, group_start=start + begin, group_length=len(body) - begin
                )
                offsets += serialized(offset)
        offset_start = start + len(body)
        body += offsets
        head = HEAD.pack(Opcode.FOOTER, 20) + struct.pack('<QQ', start, offset_start)
        checksum = zlib.crc32(head, zlib.crc32(body))
        return bytes(body) + serialized(records.Footer(start, offset_start, checksum)) + MAGIC


def _chunk_head(record: records.Chunk) -> bytes:
    """A chunk's record up to its data, which `records.Chunk` would copy twice."""
    name = record.compression.encode()
    inner = struct.pack(
        '<QQQII', record.message_start_time, record.message_end_time, record.uncompressed_size,
        record.uncompressed_crc, len(name),
    ) + name + struct.pack('<Q', len(record.data))  # fmt: skip
    return HEAD.pack(Opcode.CHUNK, len(inner) + len(record.data)) + inner


def _message_indexes(
    index: records.ChunkIndex, messages: dict[int, list[tuple[int, int]]], offset: int
) -> bytes:
    """The message indexes of a chunk, to be written at `offset`; noted in its index."""
    data = bytearray()
    for channel, entries in messages.items():
        index.message_index_offsets[channel] = offset + len(data)
        numbers = [number for entry in entries for number in entry]
        # As `records.MessageIndex` writes it, which takes a call for each number.
        size = 8 * len(numbers)
        data += _INDEX.pack(Opcode.MESSAGE_INDEX, 6 + size, channel, size)
        data += struct.pack(f'<{len(numbers)}Q', *numbers)
    index.message_index_length = len(data)
    return bytes(data)


def contents_of(path: Path) -> Contents:
    """What a file holds. Raises OSError; NotMcapError."""
    contents = Contents()
    for chunk, _ in Scan(path).chunks():
        contents.note(chunk)
    return contents
