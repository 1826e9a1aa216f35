# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A session that a thread records: whatever the disk does, whoever calls never waits."""

from __future__ import annotations

import contextlib
import errno
import shutil
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from vla_common.errors import first_line
from vla_monitor.recording import budget, session
from vla_monitor.recording.background import ENCODER_NICE, step_back
from vla_monitor.recording.bag import BagTopic, BagWriter
from vla_monitor.recording.digest import is_incident
from vla_monitor.recording.json_lines import LineFile
from vla_monitor.recording.losses import TopicCounts
from vla_monitor.recording.settings import MessageObserver, Received, Settings
from vla_monitor.recording.video import VideoRecorder, is_color

FLUSH_PERIOD = 1.0
"""s: the longest time that a chunk stays open."""
RETRY_PERIOD = 5.0
"""s between two attempts, where the disk cannot be written."""
SIZE_PERIOD = 10.0
"""s between two looks at the sizes of the sessions."""
LARGE = 50_000
"""Bytes of a message above which it is an image, or as large."""
IMAGE_TYPE = 'sensor_msgs/msg/Image'
CLOCK_JUMP = 0.005
"""s by which the system clock jumps; less is what NTP does by slewing, or a late thread."""
BEFORE_INCIDENT = 10.0
"""s before an incident that are kept with it, where room is short."""


class Recording:
    """One session.

    Args:
        settings: see there.
        describe: returns what is known about the session besides the time; called in a thread.
        configuration: folder of the nodes' parameter files, or None.
        observe: makes the observer for `start_ns`, and the functions that it emits events and
            steps to; returns it and a function that returns the summary.
        log: receives a line for the operator.
    """

    def __init__(
        self,
        settings: Settings,
        describe: Callable[[], dict[str, Any]],
        configuration: Path | None,
        observe: Callable[..., tuple[MessageObserver, Callable[[], dict[str, Any]]]],
        log: Callable[[str], None],
    ) -> None:
        self.settings, self._describe, self._configuration = settings, describe, configuration
        self._log = log
        self.start_ns = time.time_ns()
        self._clock_offset = self.start_ns - time.monotonic_ns()
        self.folder: Path | None = None
        self.problem = 'not begun'
        """Why nothing is written now; empty: it is recorded."""
        self.counts = TopicCounts()
        self.removed: list[str] = []
        self.observer, self._summary = observe(self.start_ns, self._emit_event, self._emit_step)
        self._queue: deque[Received] = deque()
        self._queued = 0
        self._new_topics: deque[BagTopic] = deque()
        self._known: dict[str, BagTopic] = {}
        self._changed = threading.Condition()
        self._ending = False
        self._lock: int | None = None
        self._describing: threading.Thread | None = None
        self._lines: dict[str, LineFile] = {}
        self._early: list[tuple[str, dict[str, Any]]] = []
        self._bag: BagWriter | None = None
        self._videos: dict[str, VideoRecorder] = {}
        self._incident_ns: deque[int] = deque(maxlen=1000)
        self._retry = self._flushed = self._measured = 0.0
        self._problems: list[dict[str, Any]] = []
        self._earlier: list[budget.Stored] = []
        self._thread = threading.Thread(target=self._run, name='recording', daemon=True)
        self._thread.start()

    # -- for any thread ------------------------------------------------------------------------

    def add_topic(self, topic: BagTopic) -> None:
        """Record a topic; before the first of its messages."""
        with self._changed:
            self._new_topics.append(topic)

    def put(self, messages: Iterable[Received]) -> None:
        """Record messages, oldest first. What does not fit into the queue is dropped, counted."""
        with self._changed:
            for message in messages:
                size = len(message.content)
                # An image has half of the queue: the last messages to be dropped are the small.
                room = self.settings.queue / (2 if size > LARGE else 1)
                if self._queued + size > room:
                    self.counts.dropped[message.topic] += 1
                    continue
                self._queue.append(message)
                self._queued += size
            self._changed.notify()

    def note(self, kind: str, **facts: Any) -> None:
        """A line for `machine.jsonl`."""
        with self._changed:
            self._early.append((session.MACHINE, {'t': self._now(), 'kind': kind, **facts}))

    def end(self) -> None:
        """End the session; `finished` reports when that is done."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    def finished(self, timeout: float = 0.0) -> bool:
        """Whether everything is written, after at most `timeout` s."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def encoder_cpu_s(self) -> float:
        """Processor time of the videos, s."""
        return sum(video.cpu_s for video in list(self._videos.values()))

    @property
    def size(self) -> int:
        """Bytes of the bag."""
        return 0 if (bag := self._bag) is None else bag.size

    # -- the thread ----------------------------------------------------------------------------

    def _now(self) -> float:
        return round(1e-9 * (time.time_ns() - self.start_ns), 3)

    def _emit_event(self, event: dict[str, Any]) -> None:
        if is_incident(event):
            self._incident_ns.append(self.start_ns + round(1e9 * event['t']))
        self._add(session.EVENTS, event)

    def _emit_step(self, step: dict[str, Any]) -> None:
        self._add(session.STEPS, step)

    def _add(self, name: str, line: dict[str, Any]) -> None:
        file = self._lines.get(name)
        if file is not None:
            file.add(line)
        elif len(self._early) < LineFile.LARGEST_BACKLOG:
            self._early.append((name, line))

    def _run(self) -> None:
        try:
            self._record()
        except Exception:
            # The robot must not notice; the operator must.
            last = traceback.format_exc().strip().splitlines()[-1]
            self.problem = f'the recorder failed: {last}'
            self._log(f'not recording any more: {traceback.format_exc()}')

    def _record(self) -> None:
        step_back()
        self._attempt()
        done = 0
        while True:
            with self._changed:
                if not self._queue and not self._ending:
                    self._changed.wait(FLUSH_PERIOD / 4)
                batch, self._queue = self._queue, deque()
                topics, self._new_topics = self._new_topics, deque()
                lines, self._early = self._early, []
                ending = self._ending
            for topic in topics:
                self._known.setdefault(topic.name, topic)
                if self._bag is not None:
                    self._try(lambda topic=topic: self._bag.add_topic(topic))
            for name, line in lines:
                self._add(name, line)
            for message in batch:
                self._one(message)
                done += len(message.content)
                if done > LARGE or message is batch[-1]:
                    with self._changed:
                        self._queued -= done
                    done = 0
            now = time.monotonic()
            if self.problem and now >= self._retry and not ending:
                self._attempt()
            if now - self._flushed >= FLUSH_PERIOD:
                self._flushed = now
                self._flush()
            if ending and not batch:
                break
        self._finish()

    def _one(self, message: Received) -> None:
        topic, content, log_ns, publish_ns = message
        self.counts.received[topic] += 1
        self.counts.bytes[topic] += len(content)
        self.observer.observe(topic, content, log_ns)
        if self.problem or self._bag is None:
            self.counts.dropped[topic] += 1
            return
        if self._known[topic].type == IMAGE_TYPE:
            if self.settings.images in ('video', 'both'):
                self._show(message)
            if self.settings.images not in ('bag', 'both'):
                return
        try:
            self._bag.write(topic, content, log_ns, publish_ns)
        except OSError as error:
            self.counts.dropped[topic] += 1
            self._pause(error.strerror or first_line(error))

    def _show(self, message: Received) -> None:
        """Pass an image to its video, if it has colors."""
        video = self._videos.get(message.topic)
        if video is None and is_color(message.content):
            assert self.folder is not None
            name = message.topic.strip('/').replace('/', '_')
            video = VideoRecorder(self.folder / session.VIDEOS / name)
            self._videos[message.topic] = video
        if video is not None:
            video.put(message.content, message.log_ns)

    def _try(self, write: Callable[[], object]) -> bool:
        try:
            write()
        except OSError as error:
            self._pause(error.strerror or first_line(error))
            return False
        return True

    def _attempt(self) -> None:
        """Begin or continue to write."""
        self._retry = time.monotonic() + RETRY_PERIOD
        try:
            place = self.folder or self.settings.directory
            existing = next(path for path in (place, *place.parents) if path.exists())
            free = shutil.disk_usage(existing).free
            if free < self.settings.min_free + 2 * session.Reserve.SMALLEST:
                raise OSError(errno.ENOSPC, f'{free / 1e9:.2f} GB are free on the disk')
            if self.folder is None:
                self._begin()
            assert self.folder is not None
            session.Reserve(self.folder).take()
            # What a read-only or failed disk refuses is refused here, before a message is lost.
            for file in self._lines.values():
                file.flush()
        except OSError as error:
            self._pause(error.strerror or first_line(error))
            return
        self.problem = ''
        if self._problems and 'end' not in self._problems[-1]:
            self._problems[-1]['end'] = self._now()
            self._log(f'recording to {self.folder} again')

    def _begin(self) -> None:
        s = self.settings
        folder = session.new_folder(s.directory)
        lock = session.lock(folder)
        try:
            self._describe_session(folder)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)  # the next attempt makes another
            session.unlock(lock)
            raise
        names = (session.EVENTS, session.STEPS, session.MACHINE)
        self._lines = {name: LineFile(folder / name) for name in names}
        self._bag = BagWriter(folder, s.compression, s.split_size, s.split_time)
        for topic in self._known.values():
            self._bag.add_topic(topic)
        self._earlier = budget.earlier_sessions(s.directory, folder)
        self.folder, self._lock = folder, lock
        self._log(f'recording to {folder}')

    def _describe_session(self, folder: Path) -> None:
        begin = time.localtime(self.start_ns * 1e-9)
        facts = {
            'version': session.VERSION,
            'start_ns': self.start_ns,
            'started': time.strftime('%Y-%m-%dT%H:%M:%S%z', begin),
        }
        session.write_json(folder / session.DESCRIPTION, facts)
        if self._configuration is not None and self._configuration.is_dir():
            session.copy_configuration(self._configuration, folder)

        def complete() -> None:
            step_back(ENCODER_NICE)
            with contextlib.suppress(OSError):
                session.write_json(folder / session.DESCRIPTION, {**facts, **self._describe()})

        # Hashes take seconds on a busy machine: messages would wait for them.
        self._describing = threading.Thread(target=complete, name='describe', daemon=True)
        self._describing.start()

    def _pause(self, reason: str) -> None:
        """Write nothing until the disk takes it again; finish what is there."""
        if not self.problem or self.problem == 'not begun':
            self._log(f'not recording: {reason}; next attempt every {RETRY_PERIOD:.0f} s')
            self._problems.append({'t': self._now(), 'reason': reason})
            self._emit_event({'t': self._now(), 'event': 'recorder', 'problem': reason})
        self.problem = reason
        self._retry = time.monotonic() + RETRY_PERIOD
        if self.folder is None:
            return
        session.Reserve(self.folder).free()
        if self._bag is not None:
            try:
                self._bag.finish()
            except OSError as error:
                self._log(f'a file of the bag stays open: {first_line(error)}; see recover')

    def _flush(self) -> None:
        if self.problem or self._bag is None or self.folder is None:
            return
        bag, files = self._bag, self._lines.values()
        urgent = bool(self._incident_ns) and time.time_ns() - self._incident_ns[-1] < 2e9
        self._try(lambda: bag.flush(sync=urgent))
        for file in files:
            self._try(lambda file=file: file.flush(sync=urgent))
        self._try(self._make_room)
        self._look_at_clock()

    def _look_at_clock(self) -> None:
        """A jump of the system clock is an event: times before and after it do not compare."""
        offset = time.time_ns() - time.monotonic_ns()
        jump = 1e-9 * (offset - self._clock_offset)
        self._clock_offset = offset
        if abs(jump) > CLOCK_JUMP:
            self._emit_event({'t': self._now(), 'event': 'clock', 'jump': jump})

    def _make_room(self) -> None:
        assert self.folder is not None and self._bag is not None
        now, free = time.monotonic(), shutil.disk_usage(self.folder).free
        scarce = free < self.settings.min_free
        if not scarce and now - self._measured < SIZE_PERIOD:
            return
        self._measured = now
        present = budget.size_of(self.folder)
        used = present + sum(stored.size for stored in self._earlier)
        allowed = min(self.settings.budget, used + free - self.settings.min_free)
        own = [
            budget.Stored(file.path, file.size, self._has_incident(file.start_ns, file.end_ns))
            for file in self._bag.files
        ]
        for stored in budget.to_remove(self._earlier, own, present, allowed):
            if stored in self._earlier:
                budget.remove(stored)
                self._earlier.remove(stored)
            else:
                self._bag.remove(next(f for f in self._bag.files if f.path == stored.path))
            self.removed.append(stored.path.name)
            self._log(f'removed {stored.path.name}: the recordings have {allowed / 1e9:.1f} GB')
        if shutil.disk_usage(self.folder).free < self.settings.min_free:
            raise OSError(errno.ENOSPC, f'{free / 1e9:.2f} GB are free on the disk')

    def _has_incident(self, start_ns: int, end_ns: int) -> bool:
        late = end_ns + round(1e9 * BEFORE_INCIDENT)
        return any(start_ns <= at <= late for at in self._incident_ns)

    def _finish(self) -> None:
        self.observer.close()
        if self._bag is None or self.folder is None:
            return
        if self._describing is not None:
            self._describing.join(2.0)
        session.Reserve(self.folder).free()
        for video in self._videos.values():
            video.close(2.0)
        bag = self._bag
        self._try(bag.finish)
        for file in self._lines.values():
            self._try(lambda file=file: file.flush(sync=True))
            file.close()
        summary = {'complete': True, **self._summary(), **self._own_summary()}
        self._try(lambda: session.write_json(self.folder / session.SUMMARY, summary))
        session.unlock(self._lock)

    def _own_summary(self) -> dict[str, Any]:
        recorder = {
            'dropped': self.counts.dropped.total(),
            'lost': self.counts.lost.total(),
            'lost_in_open_chunks': 0 if self._bag is None else self._bag.lost,
            'lost_lines': {name: file.lost for name, file in self._lines.items() if file.lost},
            'interruptions': self._problems,
            'removed': self.removed,
            'unreadable': dict(self.observer.errors),
            'videos': {
                topic: {'frames': v.frames, 'dropped': v.dropped, 'error': v.error}
                for topic, v in self._videos.items()
            },
        }
        return {'topics': self.counts.summary(self._now()), 'recorder': recorder}
