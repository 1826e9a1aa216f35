# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Grabber thread: opens a source, grabs and delivers frames.

The delivered frames are the camera's heartbeat: when the device hangs, nothing is delivered, and no
frame is delivered twice. A lost device is closed and opened again, with growing pauses; a device
that stalls without an error counts as lost.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from vla_camera.source import (
    CameraError,
    CameraFacts,
    DeviceLostError,
    Frame,
    Source,
    SourceEndedError,
)
from vla_camera.stream_monitor import Backoff, StreamMonitor
from vla_common.clock import steady_now
from vla_common.stamps import STAMP_REPEATED, StampSequence

FRAMES_OF_SILENCE = 4
"""A single lost frame is no silence."""


@dataclass(frozen=True)
class Health:
    """For diagnostics, readable from any thread. problem is empty while frames arrive. delay: s
    from the stamp of the newest frame to its delivery."""

    problem: str
    ended: bool
    rate: float
    frames: int
    stalls: int
    reopened: int
    repeated: int
    silent_for: float
    same_for: float
    frozen: bool
    busy_for: float
    delay: float


class Grabber:
    """deliver(frame, facts) is called in the grabbing thread. grab_timeout: s. reopen_silent: see
    Source. silent_after: s without a frame after which a device is reported, before it is opened
    again after stall_after; at least four frames."""

    def __init__(
        self,
        source: Source,
        deliver: Callable[[Frame, CameraFacts], None],
        log: Callable[[str], None],
        frozen_after: float,
        stall_after: float,
        reopen_silent: bool = True,
        grab_timeout: float = 0.2,
        backoff: Backoff | None = None,
        now: Callable[[], float] = steady_now,
        silent_after: float | None = None,
    ) -> None:
        self._source = source
        self._deliver = deliver
        self._log = log
        self._monitor = StreamMonitor(frozen_after, stall_after)
        self._stall_after, self._silent_after = stall_after, silent_after
        self._reopen_silent = reopen_silent
        self._grab_timeout = grab_timeout
        self._backoff = backoff or Backoff()
        self._now = now
        self._lock = threading.Lock()  # of what health() reads
        self._gate = threading.Lock()  # of delivering, against pause() and run()
        self._session = 0
        self._fresh = False
        self._order = StampSequence()
        self._repeated = 0
        self._repeated_running = 0
        self._rejected = ''  # why the newest of them was
        self._opened = threading.Event()
        self._running = threading.Event()
        self._halt = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._problem = ''
        self._ended = False
        self._reopened = 0
        self._busy_since: float | None = None
        self._delay = 0.0
        self.facts: CameraFacts | None = None

    def open(self, timeout: float) -> CameraFacts:
        """Start the thread and wait until the source is open.

        Raises what the source raised, or TimeoutError.
        """
        self._thread = threading.Thread(target=self._run, name='camera', daemon=True)
        self._thread.start()
        if not self._opened.wait(timeout):
            self._halt.set()
            raise TimeoutError(f'the device did not open within {timeout} s')
        if self._error is not None:
            raise self._error
        assert self.facts is not None
        return self.facts

    def run(self) -> None:
        """Deliver the frames from now on."""
        with self._gate:
            self._session += 1
            self._fresh = False
            with self._lock:
                self._monitor.begin(self._now())
            self._running.set()
        self._wake.set()

    def pause(self) -> None:
        """After this returns nothing is delivered, not even by a grab that returns later."""
        with self._gate:
            self._session += 1
            self._running.clear()

    def close(self, timeout: float = 2.0) -> bool:
        """Whether the thread ended. One that hangs in its driver is abandoned with its source: it
        delivers nothing, and when the driver returns it closes that source and ends."""
        self._halt.set()
        self.pause()
        self._wake.set()
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def health(self) -> Health:
        now = self._now()
        with self._lock:
            v = self._monitor
            since = self._busy_since
            silent = v.silent_for(now)
            running = self._running.is_set() and not self._ended
            stalled = running and (v.stalled(now) or silent > self._limit())
            problem = self._problem
            busy_for = 0.0 if since is None else now - since
            if not problem and stalled:
                problem = f'no frame for {silent:.1f} s'
                if self._repeated_running:
                    problem += f'; {self._repeated_running} came with {self._rejected}'
                elif busy_for > silent / 2:
                    problem += f'; its driver has not returned for {busy_for:.1f} s'
            return Health(
                problem=problem,
                ended=self._ended,
                rate=v.rate(now),
                frames=v.frames,
                stalls=v.stalls,
                reopened=self._reopened,
                repeated=self._repeated,
                silent_for=silent,
                same_for=v.same_for(now),
                frozen=v.frozen(now),
                busy_for=busy_for,
                delay=self._delay,
            )

    def _limit(self) -> float:
        """s of silence that are reported."""
        if self._silent_after is None or not self._reopen_silent:
            return self._stall_after
        rate = self.facts.rate if self.facts is not None else 0.0
        usual = FRAMES_OF_SILENCE / rate if rate > 0.0 else self._stall_after
        return min(self._stall_after, max(self._silent_after, usual))

    def _run(self) -> None:
        try:
            self.facts = self._source.open()
        except BaseException as error:
            self._error = error
            self._close_source()
            return
        finally:
            self._opened.set()
        try:
            while not self._halt.is_set():
                if self._ended or not self._running.is_set():
                    self._wake.wait(0.5)
                    self._wake.clear()
                    continue
                self._step()
        finally:
            self._close_source()

    def _step(self) -> None:
        session = self._session
        self._busy_since = self._now()
        try:
            if not self._fresh:
                # Frames that the device buffered are old, and would be stamped now.
                self._source.discard()
                self._fresh = True
            frame = self._source.grab(self._grab_timeout)
            self._busy_since = None
            if frame is not None:
                self._take(frame, session)
                return
            now = self._now()
            with self._lock:
                stalled = self._monitor.stalled(now)
                silent = self._monitor.silent_for(now)
            if stalled and self._reopen_silent:
                self._reopen(f'no frame for {silent:.1f} s')
        except SourceEndedError as error:
            with self._lock:
                self._ended, self._problem = True, str(error)
            self._log(str(error))
        except CameraError as error:
            self._reopen(str(error))
        except Exception as error:
            # Raised by a driver, or a frame that could not be delivered.
            self._reopen(f'{type(error).__name__}: {error}')
        finally:
            self._busy_since = None

    def _take(self, frame: Frame, session: int) -> None:
        assert self.facts is not None
        height, width = frame.color.shape[:2]
        if (width, height) != (self.facts.width, self.facts.height):
            raise DeviceLostError(
                f'a frame of {width} x {height}, '
                f'the camera was opened with {self.facts.width} x {self.facts.height}'
            )
        # Held while delivering, so that nothing is delivered after pause().
        with self._gate:
            if session != self._session or self._halt.is_set():
                return
            wrong = self._order.reject(frame.stamp_ns, time.time_ns())
            if wrong:
                # Subscribers take the stamp as the sequence. One that does not advance is neither
                # a new frame nor a heartbeat: if that continues, it is a stall.
                with self._lock:
                    self._repeated += 1
                    self._repeated_running += 1
                    repeated = wrong == STAMP_REPEATED
                    self._rejected = 'a time that does not advance' if repeated else wrong
                return
            self._deliver(frame, self.facts)
            # Only a delivered frame is a heartbeat.
            with self._lock:
                self._monitor.frame(frame.color, self._now())
                self._problem = ''
                self._repeated_running = 0
                self._delay = 1e-9 * (time.time_ns() - frame.stamp_ns)
            self._backoff.succeed()

    def _close_source(self) -> None:
        try:
            self._source.close()
        except Exception as error:
            self._log(f'closing the camera: {type(error).__name__}: {error}')

    def _reopen(self, why: str) -> None:
        """Close, wait, open, until it works or the grabber is stopped."""
        with self._lock:
            self._problem = why
        self._log(f'camera lost: {why}')
        while not self._halt.is_set():
            self._close_source()
            wait = self._backoff.fail()
            if self._halt.wait(wait):
                return
            try:
                self.facts = self._source.open()
            except Exception as error:  # a driver may raise anything
                with self._lock:
                    self._problem = f'{why}; opening again: {error}'
                self._log(f'camera still lost: {error}')
                continue
            self._fresh = True
            with self._lock:
                self._reopened += 1
                self._monitor.begin(self._now())
            self._log(f'camera opened again: {self.facts.device}')
            return
