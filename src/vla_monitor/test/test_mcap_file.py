# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""MCAP files: whole for foreign readers, complete after every chunk, finished after a crash."""

import errno
import os
import random

import pytest
from mcap.reader import make_reader
from mcap.stream_reader import StreamReader

from vla_monitor.recording.mcap_file import McapFile, contents_of
from vla_monitor.recording.mcap_read import Message, NotMcapError, Scan, is_finished, messages_of

DEFINITION = 'string data'


def write(path, compression='lz4', chunks=5, per_chunk=20, finish=True):
    """A file with two topics, messages 1 ms apart; returns the messages."""
    file = McapFile.create(path, compression)
    channels = [file.add_channel(f'/t{i}', 'std_msgs/msg/String', DEFINITION, {}) for i in range(2)]
    messages = []
    for i in range(chunks * per_chunk):
        content = b'\0\1\0\0' + bytes([i % 256]) * (10 + i)
        messages.append(Message(channels[i % 2], i + 1, 10**18 + i * 10**6, 10**18 + i, content))
        file.add(messages[-1])
        if i % per_chunk == per_chunk - 1:
            file.flush()
    if finish:
        file.finish()
    else:
        file.abandon()
    return messages


def read_by_mcap(path):
    """With the mcap package: by index, and as a stream with every checksum tested."""
    with open(path, 'rb') as file:
        reader = make_reader(file, validate_crcs=True)
        by_index = [
            (m.sequence, m.log_time, m.publish_time, m.data) for _, _, m in reader.iter_messages()
        ]
        count = reader.get_summary().statistics.message_count
    with open(path, 'rb') as file:
        records = list(StreamReader(file, validate_crcs=True).records)
    assert type(records[-1]).__name__ == 'Footer'
    assert count == len(by_index)
    return by_index


def plain(messages):
    return [(m.sequence, m.log_ns, m.publish_ns, m.content) for m in messages]


def ours(path):
    return [m for _, content in Scan(path).chunks() for m in messages_of(content)]


@pytest.mark.parametrize('compression', ['none', 'lz4', 'zstd'])
def test_the_mcap_package_reads_what_was_written(tmp_path, compression):
    path = tmp_path / 'a.mcap'
    messages = write(path, compression)
    assert read_by_mcap(path) == plain(messages) == plain(ours(path))


def test_cut_at_any_byte_all_complete_chunks_are_kept(tmp_path):
    whole, path = tmp_path / 'whole.mcap', tmp_path / 'cut.mcap'
    messages = write(whole, chunks=6, finish=False)
    content = whole.read_bytes()
    ends = [c.index.chunk_start_offset + c.index.chunk_length for c, _ in Scan(whole).chunks()]
    for size in [*range(8, len(content), 97), len(content) - 1, len(content)]:
        path.write_bytes(content[:size])
        kept = sum(size >= end for end in ends) * 20
        file = McapFile.reopen(path)
        file.finish()
        assert read_by_mcap(path) == plain(messages[:kept]), size
        assert is_finished(path)


def test_a_recovered_file_can_be_cut_and_recovered_again(tmp_path):
    path = tmp_path / 'a.mcap'
    messages = write(path, finish=False)
    for _ in range(3):
        McapFile.reopen(path).finish()
        size = path.stat().st_size
        with open(path, 'r+b') as file:
            file.truncate(size - random.Random(size).randint(1, 60))  # in the summary
        assert not is_finished(path)
    McapFile.reopen(path).finish()
    assert read_by_mcap(path) == plain(messages)


def test_a_damaged_chunk_is_left_out_and_counted(tmp_path):
    path = tmp_path / 'a.mcap'
    messages = write(path, 'none', finish=False)
    second = [c for c, _ in Scan(path).chunks()][1].index
    with open(path, 'r+b') as file:
        file.seek(second.chunk_start_offset + second.chunk_length - 5)
        file.write(b'\xff\xfe')
    scan = Scan(path)
    assert len(list(scan.chunks())) == 4
    assert scan.damaged == 1
    McapFile.reopen(path).finish()
    with open(path, 'rb') as file:
        found = [m.sequence for _, _, m in make_reader(file).iter_messages()]
    assert found == [m.sequence for m in messages if not 20 < m.sequence <= 40]


def test_another_file_is_refused(tmp_path):
    path = tmp_path / 'a.mcap'
    path.write_bytes(b'SQLite format 3\0' * 10)
    with pytest.raises(NotMcapError, match=r'found no MCAP header'):
        McapFile.reopen(path)
    assert path.read_bytes() == b'SQLite format 3\0' * 10


def test_a_write_that_fails_half_way_leaves_the_complete_chunks(tmp_path, monkeypatch):
    path = tmp_path / 'a.mcap'
    file = McapFile.create(path, 'none')
    channel = file.add_channel('/t', 'std_msgs/msg/String', DEFINITION, {})
    file.add(Message(channel, 1, 10**18, 10**18, b'first'))
    file.flush()
    write_of_os = os.write

    def short(descriptor, data):
        if len(data) > 100:
            return write_of_os(descriptor, data[:100])
        raise OSError(errno.ENOSPC, 'No space left on device')

    file.add(Message(channel, 2, 10**18, 10**18, b'x' * 1000))
    with monkeypatch.context() as patch:
        patch.setattr(os, 'write', short)
        with pytest.raises(OSError, match='No space'):
            file.flush()
    assert path.stat().st_size == file.size
    file.finish()  # there is room again: nothing is lost
    assert [sequence for sequence, *_ in read_by_mcap(path)] == [1, 2]


def test_a_message_larger_than_a_chunk_is_kept(tmp_path):
    path = tmp_path / 'a.mcap'
    file = McapFile.create(path, 'zstd')
    channel = file.add_channel('/t', 'std_msgs/msg/String', DEFINITION, {})
    file.add(Message(channel, 1, 10**18, 10**18, bytes(5_000_000)))
    file.finish()
    assert len(read_by_mcap(path)[0][3]) == 5_000_000
    assert contents_of(path).messages == 1
