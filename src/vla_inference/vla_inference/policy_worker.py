# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Policy calls without waiting: one at a time, its answer taken when it has arrived."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vla_policy.types import ActionChunk, Observation, Policy, PolicyError


@dataclass(frozen=True)
class PolicyAnswer:
    """chunk, or the error instead of it. began, duration: s, of the call."""

    observation: Observation
    chunk: ActionChunk | None
    error: str
    began: float
    duration: float


class PolicyWorker(Protocol):
    """Used by one thread."""

    @property
    def since(self) -> float | None:
        """Start of the pending call, also an abandoned one; None without one."""
        ...

    def submit(self, observation: Observation, reset: bool = False) -> None:
        """Begin a call; none may be pending. reset: a new instruction begins with it."""
        ...

    def take(self) -> PolicyAnswer | None:
        """The answer of the call, once."""
        ...

    def abandon(self) -> None:
        """Drop the answer of the pending call when it arrives."""
        ...

    def close(self) -> None:
        """Close the policy, unless a call is pending: then the process's end releases it."""
        ...


def call(
    policy: Policy, observation: Observation, reset: bool, now: Callable[[], float]
) -> PolicyAnswer:
    """One call; an exception becomes the error of its answer."""
    began = now()
    chunk, error = None, ''
    try:
        if reset:
            policy.reset()
        chunk = policy.predict(observation)
    except PolicyError as problem:
        error = str(problem) or 'PolicyError'
    except Exception as problem:  # a policy may be third-party code
        error = f'{type(problem).__name__}: {problem}'
    return PolicyAnswer(observation, chunk, error, began, now() - began)


class InlineWorker:
    """Calls in `submit`: for policies that are always fast, and for tests with a clock."""

    def __init__(self, policy: Policy, now: Callable[[], float]) -> None:
        self._policy = policy
        self._now = now
        self._answer: PolicyAnswer | None = None
        self.since: float | None = None

    def submit(self, observation: Observation, reset: bool = False) -> None:
        self.since = self._now()
        self._answer = call(self._policy, observation, reset, self._now)
        self.since = None

    def take(self) -> PolicyAnswer | None:
        answer, self._answer = self._answer, None
        return answer

    def abandon(self) -> None:
        self._answer = None

    def close(self) -> None:
        if self.since is None:
            self._policy.close()


class ThreadWorker:
    """Calls in its own thread. on_answer: called in that thread for each answer."""

    def __init__(
        self, policy: Policy, now: Callable[[], float], on_answer: Callable[[], None]
    ) -> None:
        self._policy = policy
        self._now = now
        self._on_answer = on_answer
        self._lock = threading.Lock()
        self._calls: queue.SimpleQueue[tuple[Observation, bool] | None] = queue.SimpleQueue()
        self._answer: PolicyAnswer | None = None
        self._since: float | None = None
        self._wanted = False
        self._thread = threading.Thread(target=self._work, name='policy call', daemon=True)
        self._thread.start()

    @property
    def since(self) -> float | None:
        return self._since

    def submit(self, observation: Observation, reset: bool = False) -> None:
        with self._lock:
            if self._since is not None:
                raise RuntimeError('a policy call is pending')
            self._since = self._now()
            self._answer, self._wanted = None, True
        self._calls.put((observation, reset))

    def take(self) -> PolicyAnswer | None:
        with self._lock:
            answer, self._answer = self._answer, None
        return answer

    def abandon(self) -> None:
        with self._lock:
            self._answer, self._wanted = None, False

    def close(self) -> None:
        self.abandon()
        idle = self._since is None
        self._calls.put(None)
        if idle:
            self._thread.join(1.0)
            if not self._thread.is_alive():
                self._policy.close()

    def _work(self) -> None:
        while (pending := self._calls.get()) is not None:
            answer = call(self._policy, *pending, self._now)
            with self._lock:
                self._since = None
                if self._wanted:
                    self._answer = answer
            self._on_answer()
