# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Who makes the next inference attempt, and when; without ROS.

One attempt at a time, made by whoever has something new, so that nothing waits for a period or for
another thread: the executor's thread with an image, the policy's with its answer. The worker makes
one where time alone brings something new: the status, which is the heartbeat of all but the policy
call, and the deadline of that call, after which the next of the fallback chain is asked. The
executor's thread never waits: if an attempt is under way, the worker makes the next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from vla_common.clock import steady_now
from vla_common.states import InferenceState
from vla_inference.inference_step import StepResult

JOIN_TIMEOUT = 1.0


class Scheduler:
    """Asks at most `frequency` times a second, and tells at least so often.

    Args:
        attempt: makes one attempt; True: it may ask the policy.
        tell: told of what is new: a chunk, another state or reason, or the next heartbeat.
        failed: called in the except clause of an attempt that raised. Nothing is told of it:
            whoever listens sees the status missing.
        frequency: Hz.
    """

    def __init__(
        self,
        attempt: Callable[[bool], StepResult],
        tell: Callable[[StepResult], None],
        failed: Callable[[], None],
        frequency: float,
        now: Callable[[], float] = steady_now,
    ) -> None:
        self._attempt = attempt
        self._tell = tell
        self._failed = failed
        self._period = 1.0 / frequency
        self._now = now
        self._turn = threading.Lock()
        self._wake = threading.Event()
        self._halt = threading.Event()
        self._worker: threading.Thread | None = None
        self._said: tuple[InferenceState, str] | None = None
        self._ask_due = self._beat_due = 0.0
        # Left to the worker: an attempt now; one as soon as the next call may begin.
        self._again = self._early = False

    def start(self) -> None:
        """Begin; the first attempt tells at once."""
        self._halt = threading.Event()
        self._said = None
        self._ask_due = self._beat_due = self._now()
        self._worker = threading.Thread(
            target=self._work, args=(self._halt,), name='inference worker', daemon=True
        )
        self._worker.start()

    def stop(self) -> None:
        """Nothing is told from here on, unless an attempt hangs for longer than JOIN_TIMEOUT."""
        self._halt.set()
        self._wake.set()
        if self._worker is not None:
            self._worker.join(JOIN_TIMEOUT)
        self._worker = None
        # Whoever is in an attempt now has finished it; the next one sees the halt.
        if self._turn.acquire(timeout=JOIN_TIMEOUT):
            self._turn.release()

    def take(self, wait: bool) -> None:
        """Make one attempt, here and now.

        wait: for the attempt that is under way; else the worker makes the next.
        """
        if not self._turn.acquire(blocking=wait):
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
            self._turn.release()

    def _work(self, halt: threading.Event) -> None:
        """Makes the attempts that time brings, and those that another thread left to it."""
        while not halt.is_set():
            due = min(self._beat_due, self._ask_due) if self._early else self._beat_due
            if not self._again and self._wake.wait(max(0.0, due - self._now())):
                self._wake.clear()
                continue
            self._again = False
            self.take(wait=True)

    def _once(self) -> None:
        now = self._now()
        may_ask = now >= self._ask_due
        attempt = self._attempt(may_ask)
        if not may_ask:
            self._wake.set()  # the worker may be asleep for longer than until then
        self._early = not may_ask
        if self._halt.is_set():
            return
        if attempt.asked:
            due = self._ask_due + self._period
            self._ask_due = due if due > now else now + self._period
        saying = (attempt.state, attempt.reason)
        if attempt.chunk is not None or now >= self._beat_due or saying != self._said:
            self._tell(attempt)
            self._said, self._beat_due = saying, now + self._period
