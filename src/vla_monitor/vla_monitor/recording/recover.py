# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Finishes what a killed recorder left. A finished file is not changed."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vla_common.errors import ConfigError
from vla_deploy.atomic_io import write_whole
from vla_monitor.recording import session
from vla_monitor.recording.bag import (
    ACTIVE,
    METADATA,
    BagFile,
    BagTopic,
    bag_file,
    topics_of,
    write_metadata,
)
from vla_monitor.recording.bag_reader import BagReader, bag_files
from vla_monitor.recording.digest import SessionDigest
from vla_monitor.recording.json_lines import as_json, read_lines
from vla_monitor.recording.mcap_file import Contents, McapFile, contents_of
from vla_monitor.recording.mcap_read import NotMcapError, is_finished
from vla_monitor.recording.observer import Observer

RECORDERS_OWN = ('clock', 'recorder')
"""Events that are not in the bag: they are kept."""


@dataclass
class Recovered:
    """What `recover` did: names of the finished files, bytes that were cut off, messages kept."""

    files: list[str] = field(default_factory=list)
    cut: int = 0
    messages: int = 0
    problems: list[str] = field(default_factory=list)
    rewritten: list[str] = field(default_factory=list)

    @property
    def nothing_to_do(self) -> bool:
        return not self.files and not self.rewritten and not self.problems


def recover(folder: Path) -> Recovered:
    """Finish the files of a session.

    Raises ConfigError: it is no session, it is of a newer version, or it is being recorded.
    OSError: the disk.
    """
    description = session.check_session(folder)
    mark = session.lock(folder)
    if mark is None:
        raise ConfigError(folder, '', 'a session that is being recorded', 'one that has ended')
    try:
        return _recover(folder, description)
    finally:
        session.unlock(mark)


def _recover(folder: Path, description: dict[str, Any]) -> Recovered:
    done = Recovered()
    for path in bag_files(folder):
        if path.name.endswith(ACTIVE) or not is_finished(path):
            _finish(path, done)
    summary = session.read_json(folder / session.SUMMARY)
    stale = bool(done.files) or summary is None
    if stale or not (folder / METADATA).is_file():
        files, topics = _contents(folder)
        if files:
            write_metadata(folder, files, topics)
            done.rewritten.append(METADATA)
    if stale:
        _digest(folder, description, done)
    for leftover in (*folder.glob('.*.partial'), folder / session.RESERVE):
        leftover.unlink(missing_ok=True)
    return done


def _finish(path: Path, done: Recovered) -> None:
    before = path.stat().st_size
    try:
        file = McapFile.reopen(path)
    except NotMcapError as error:
        done.problems.append(str(error))
        return
    try:
        kept = file.size
        file.finish()
    except OSError:
        file.abandon()
        raise
    finished = path.with_name(path.name.removesuffix(ACTIVE))
    os.replace(path, finished)
    done.files.append(finished.name)
    done.cut += max(0, before - kept)
    done.messages += file.contents.messages


def _contents(folder: Path) -> tuple[list[BagFile], list[BagTopic]]:
    files, topics = [], {}
    for path in bag_files(folder):
        try:
            contents: Contents = contents_of(path)
        except NotMcapError:
            continue
        files.append(bag_file(path, contents))
        topics.update({topic.name: topic for topic in topics_of(contents)})
    return files, list(topics.values())


def _digest(folder: Path, description: dict[str, Any], done: Recovered) -> None:
    """Write events, steps and summary again, from the bag."""
    reader = BagReader(folder)
    old, _ = read_lines(folder / session.EVENTS)
    events = [event for event in old if event.get('event') in RECORDERS_OWN]
    steps: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    size: Counter[str] = Counter()
    observer, digest = None, None
    start_ns = description.get('start_ns')
    for message in reader.messages():
        if observer is None:
            start_ns = start_ns or message.log_ns
            digest = SessionDigest(start_ns, events.append)
            observer = Observer(digest, steps.append)
        counts[message.topic] += 1
        size[message.topic] += len(message.content)
        observer.observe(message.topic, message.content, message.log_ns)
    summary: dict[str, Any] = {'complete': False, 'recovered': True}
    if observer is not None and digest is not None:
        observer.close()
        summary |= digest.summary()
        summary['topics'] = {
            name: {'messages': counts[name], 'bytes': size[name]} for name in sorted(counts)
        }
        summary['recorder'] = {'unreadable': {**reader.unreadable, **observer.errors}}
    events.sort(key=lambda event: event['t'])
    for name, lines in ((session.EVENTS, events), (session.STEPS, steps)):
        write_whole(folder / name, ''.join(as_json(line) + '\n' for line in lines))
    session.write_json(folder / session.SUMMARY, summary)
    if not description:
        facts = {'version': session.VERSION, 'start_ns': start_ns or 0}
        session.write_json(folder / session.DESCRIPTION, facts)
    done.rewritten += [session.EVENTS, session.STEPS, session.SUMMARY]
    done.problems += [f'{name}: {why}' for name, why in reader.unreadable.items()]
