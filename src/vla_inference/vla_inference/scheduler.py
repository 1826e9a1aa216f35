# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Scheduling of inference steps over threads.

One step at a time, in the thread that has new data, so that nothing waits for a period or for
another thread: the executor's thread with an image, the policy's with its answer. The scheduler's
own worker runs the steps that are due by time: the status (the heartbeat) and the deadline of the
policy call. The executor's thread never waits: if a step is in progress, the worker runs the next.
"""

import threading
from collections.abc import Callable

from vla_common.clock import steady_now
from vla_common.states import InferenceState
from vla_inference.inference_step import StepResult

JOIN_TIMEOUT = 1.0


class Scheduler:
    """Calls the policy at most, and publishes at least, `frequency` times a second.

    Args:
        step: runs one step; True: it may call the policy.
        publish: called with a chunk, another state or reason, or the next heartbeat.
        failed: called in the except clause of a step that raised. Nothing is published: the status
            is missing then.
        frequency: Hz.
    """

    def __init__(
        self,
        step: Callable[[bool], StepResult],
        publish: Callable[[StepResult], None],
        failed: Callable[[], None],
        frequency: float,
        now: Callable[[], float] = steady_now,
    ) -> None:
        self._step = step
        self._publish = publish
        self._failed = failed
        self._period = 1.0 / frequency
        self._now = now
        self._running = threading.Lock()
        self._wake = threading.Event()
        self._halt = threading.Event()
        self._worker: threading.Thread | None = None
        self._published: tuple[InferenceState, str] | None = None
        self._call_due = self._beat_due = 0.0
        # For the worker: a step now; a step as soon as the next call may begin.
        self._again = self._early = False

    def start(self) -> None:
        """Begin; the first step publishes at once."""
        self._halt = threading.Event()
        self._published = None
        self._call_due = self._beat_due = self._now()
        self._worker = threading.Thread(
            target=self._work, args=(self._halt,), name='inference worker', daemon=True
        )
        self._worker.start()

    def stop(self) -> None:
        """Nothing is published afterwards, unless a step hangs for longer than JOIN_TIMEOUT."""
        self._halt.set()
        self._wake.set()
        if self._worker is not None:
            self._worker.join(JOIN_TIMEOUT)
        self._worker = None
        # A step in progress ends first; the next one sees the halt.
        if self._running.acquire(timeout=JOIN_TIMEOUT):
            self._running.release()

    def run_step(self, wait: bool) -> None:
        """Run one step in this thread.

        wait: for the step in progress; else the worker runs the next.
        """
        if not self._running.acquire(blocking=wait):
            self._again = True
            self._wake.set()
            return
        try:
            if not self._halt.is_set():
                self._once()
        except Exception:
            self._failed()
            self._beat_due = self._now() + self._period
        finally:
            self._running.release()

    def _work(self, halt: threading.Event) -> None:
        """Runs the steps that are due, and those that another thread left to it."""
        while not halt.is_set():
            due = min(self._beat_due, self._call_due) if self._early else self._beat_due
            if not self._again and self._wake.wait(max(0.0, due - self._now())):
                self._wake.clear()
                continue
            self._again = False
            self.run_step(wait=True)

    def _once(self) -> None:
        now = self._now()
        may_call = now >= self._call_due
        result = self._step(may_call)
        if not may_call:
            self._wake.set()  # the worker may sleep for longer than until the next call is due
        self._early = not may_call
        if self._halt.is_set():
            return
        if result.called:
            due = self._call_due + self._period
            self._call_due = due if due > now else now + self._period
        state = (result.state, result.reason)
        if result.chunk is not None or now >= self._beat_due or state != self._published:
            self._publish(result)
            self._published, self._beat_due = state, now + self._period
