# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""MCAP files read as far as they are complete, whatever ended their writer.

The readers of the `mcap` package return nothing from a file without a summary. Records are parsed
by that package. Format: https://mcap.dev/spec.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import lz4.frame
import zstandard
from mcap import records
from mcap.data_stream import ReadDataStream, RecordBuilder
from mcap.exceptions import McapError
from mcap.opcode import Opcode

MAGIC = b'\x89MCAP0\r\n'
LARGEST_RECORD = 1 << 31
"""A larger length is no record: the file is damaged there."""

COMPRESSIONS: dict[str, tuple[str, Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    'none': ('', lambda data: data, lambda data: data),
    'lz4': ('lz4', lz4.frame.compress, lz4.frame.decompress),
    'zstd': (
        'zstd',
        lambda data: zstandard.ZstdCompressor(level=1).compress(data),
        lambda data: zstandard.ZstdDecompressor().decompress(data),
    ),
}
"""By name of the parameter: MCAP's name, compressor, decompressor."""
_DECOMPRESS = {name: decompress for name, _, decompress in COMPRESSIONS.values()}
MESSAGE = struct.Struct('<BQHIQQ')
HEAD = struct.Struct('<BQ')


Places = dict[int, list[tuple[int, int]]]
"""By channel: time (ns) of each message, and its offset in the chunk."""


class NotMcapError(ValueError):
    """The file does not begin as an MCAP file."""


class Message(NamedTuple):
    """One recorded message. Times in ns since 1970; sequence: see `bag.BagWriter`."""

    channel: int
    sequence: int
    log_ns: int
    publish_ns: int
    content: bytes


@dataclass
class ParsedChunk:
    """A complete chunk: its index, the places of its messages, what it registers."""

    index: records.ChunkIndex
    messages: Places
    schemas: dict[int, records.Schema] = field(default_factory=dict)
    channels: dict[int, records.Channel] = field(default_factory=dict)


class Scan:
    """Reads a file from its begin as far as it is complete.

    After the last of `chunks()`: `end` (bytes that are complete), `finished` (the summary was
    reached), `damaged` (chunks whose content is not what their checksum says; they are left out),
    `without_index` (the last chunk, if its message indexes are not complete).

    Raises OSError; NotMcapError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = len(MAGIC)
        self.finished = False
        self.damaged = 0
        self.without_index: tuple[records.ChunkIndex, Places] | None = None

    def chunks(self) -> Iterator[tuple[ParsedChunk, bytes]]:
        """Each complete chunk, and its records uncompressed."""
        with open(self.path, 'rb') as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise NotMcapError(f'{self.path}: found no MCAP header, wanted an MCAP file')
            size = os.fstat(file.fileno()).st_size
            last: ParsedChunk | None = None
            expected = 0
            while True:
                begin, head = file.tell(), file.read(HEAD.size)
                if len(head) < HEAD.size:
                    break
                opcode, length = HEAD.unpack(head)
                if length > LARGEST_RECORD or begin + HEAD.size + length > size:
                    break
                if opcode == Opcode.CHUNK:
                    found = _parse(file.read(length), begin)
                    self.end = file.tell()
                    if found is None:
                        self.damaged += 1
                        last = None
                        continue
                    last, expected = found[0], len(found[0].messages)
                    self.without_index = (last.index, last.messages) if expected else None
                    yield found
                elif opcode == Opcode.MESSAGE_INDEX and last is not None:
                    (channel,) = struct.unpack('<H', file.read(2))
                    file.seek(length - 2, os.SEEK_CUR)
                    last.index.message_index_offsets[channel] = begin
                    last.index.message_index_length += HEAD.size + length
                    if len(last.index.message_index_offsets) == expected:
                        self.without_index, self.end = None, file.tell()
                elif opcode == Opcode.DATA_END:
                    file.seek(length, os.SEEK_CUR)
                    self.finished = _has_footer(file, size)
                    break
                else:
                    file.seek(length, os.SEEK_CUR)
                    if self.without_index is None:
                        self.end = file.tell()
        if self.without_index is not None:
            index, _ = self.without_index
            index.message_index_offsets, index.message_index_length = {}, 0


def is_finished(path: Path) -> bool:
    """Whether an MCAP file ends with its footer."""
    with open(path, 'rb') as file:
        size = os.fstat(file.fileno()).st_size
        return file.read(len(MAGIC)) == MAGIC and _has_footer(file, size)


def messages_of(content: bytes, channels: Container[int] | None = None) -> Iterator[Message]:
    """The messages in the records of a chunk, in order; channels: of these only."""
    at = 0
    while at < len(content):
        opcode, length = HEAD.unpack_from(content, at)
        if opcode == Opcode.MESSAGE:
            _, _, channel, sequence, log_ns, publish_ns = MESSAGE.unpack_from(content, at)
            if channels is None or channel in channels:
                body = content[at + MESSAGE.size : at + HEAD.size + length]
                yield Message(channel, sequence, log_ns, publish_ns, body)
        at += HEAD.size + length


def _parse(record: bytes, offset: int) -> tuple[ParsedChunk, bytes] | None:
    """The chunk in a record; None: damaged."""
    try:
        chunk = records.Chunk.read(ReadDataStream(BytesIO(record)))
        content = _DECOMPRESS[chunk.compression](chunk.data)
        if len(content) != chunk.uncompressed_size:
            return None
        if chunk.uncompressed_crc and zlib.crc32(content) != chunk.uncompressed_crc:
            return None
        parsed = ParsedChunk(index_of(chunk, offset, HEAD.size + len(record)), {})
        at = 0
        while at < len(content):
            opcode, length = HEAD.unpack_from(content, at)
            body = at + HEAD.size
            if opcode == Opcode.MESSAGE:
                _, _, channel, _, log_ns, _ = MESSAGE.unpack_from(content, at)
                parsed.messages.setdefault(channel, []).append((log_ns, at))
            elif opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
                stream = ReadDataStream(BytesIO(content[body : body + length]))
                if opcode == Opcode.SCHEMA:
                    schema = records.Schema.read(stream)
                    parsed.schemas[schema.id] = schema
                else:
                    made = records.Channel.read(stream)
                    parsed.channels[made.id] = made
            at = body + length
    except (struct.error, McapError, KeyError, ValueError, RuntimeError, zstandard.ZstdError):
        return None
    return parsed, content


def index_of(chunk: records.Chunk, offset: int, length: int) -> records.ChunkIndex:
    return records.ChunkIndex(
        message_start_time=chunk.message_start_time,
        message_end_time=chunk.message_end_time,
        chunk_start_offset=offset,
        chunk_length=length,
        message_index_offsets={},
        message_index_length=0,
        compression=chunk.compression,
        compressed_size=len(chunk.data),
        uncompressed_size=chunk.uncompressed_size,
    )


def _has_footer(file: Any, size: int) -> bool:
    tail = HEAD.size + 20 + len(MAGIC)
    if size < tail:
        return False
    file.seek(size - tail)
    end = file.read(tail)
    return end[-len(MAGIC) :] == MAGIC and end[0] == Opcode.FOOTER


def serialized(record: Any) -> bytes:
    builder = RecordBuilder()
    record.write(builder)
    return builder.end()
