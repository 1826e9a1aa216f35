# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One inference attempt: observe, ask the policy, check its answer, or say why not.

The chain when things go wrong, each step visible in the status: an observation that cannot be
trusted gives BLOCKED and no chunk (the filter brakes when the last chunk runs out);
`fallback_after` policy errors in a row give FALLBACK, a hold that lasts `fallback_duration`; then,
or when BLOCKED lasts `blocked_timeout`, the instruction ends as aborted and the robot is back in
READY. Nothing goes from the fallback back to the policy by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from vla_inference.observation import ObservationAssembler, Seen
from vla_inference.policy import ActionChunk, Observation, Policy, PolicyError, check_chunk
from vla_inference.session import Outcome, Running, Session


class State(IntEnum):
    """InferenceStatus's states."""

    IDLE = 0
    ACTIVE = 1
    FALLBACK = 2
    BLOCKED = 3
    UNLOADED = 4


@dataclass(frozen=True)
class Limits:
    """s, except fallback_after: policy errors in a row; settle_epsilon rad, settle_velocity rad/s.

    A settle_time of 0, or a bundle that is not `goal_like`, never settles."""

    policy_timeout: float = 0.5
    fallback_after: int = 3
    fallback_duration: float = 1.0
    blocked_timeout: float = 1.0
    settle_time: float = 1.0
    settle_epsilon: float = 0.1
    settle_velocity: float = 0.05


@dataclass(frozen=True)
class Attempt:
    """What one attempt came to. Times in s; -1 where there is none."""

    state: State
    reason: str
    running: Running | None
    chunk: ActionChunk | None
    stamp_ns: int
    confidence: float
    age: float
    skew: float
    inference: float
    duration: float


class InferenceCycle:
    """Runs in one thread; `lock` guards assembler and session, which others change.

    The lock is never held while the policy runs: a hung policy blocks nobody but this thread.
    """

    def __init__(
        self,
        policy: Policy,
        fallback: Policy,
        assembler: ObservationAssembler,
        session: Session,
        limits: Limits,
        joint_names: tuple[str, ...],
        lock: AbstractContextManager,
        now: Callable[[], float],
        now_ns: Callable[[], int],
    ) -> None:
        self._policy = policy
        self._fallback = fallback
        self._assembler = assembler
        self._session = session
        self._limits = limits
        self._known = frozenset(joint_names)
        self._index = {name: i for i, name in enumerate(joint_names)}
        self._lock = lock
        self._now = now
        self._now_ns = now_ns
        self._id = 0
        self._errors = 0
        self._error = ''
        self._fallback_since: float | None = None
        self._blocked_since: float | None = None
        self._settled_since: float | None = None
        self._used_ns: int | None = None
        self.policy_errors = 0
        self.observations_rejected = 0
        self.calling_since: float | None = None
        self.last_inference = 0.0

    def attempt(self) -> Attempt:
        began = self._now()
        with self._lock:
            self._session.tick(began)
            running = self._session.running(began)
            text = running.text if running else ''
            elapsed = running.elapsed if running else 0.0
            seen = self._assembler.assemble(began, self._now_ns(), text, elapsed)
        if running is None:
            return self._report(State.IDLE, '', None, seen, began)
        if running.id != self._id:
            self._begin(running)
        if seen.observation is None:
            return self._blocked(running, seen, began)
        self._blocked_since = None
        if seen.observation.stamp_ns < running.began_ns:
            return self._report(
                State.ACTIVE, 'waiting for an observation since the start', running, seen, began
            )
        if seen.observation.stamp_ns == self._used_ns:
            # The same picture again gives the same chunk, which the filter refuses as replayed.
            return self._report(State.ACTIVE, 'waiting for a new observation', running, seen, began)
        self._used_ns = seen.observation.stamp_ns
        if self._fallback_since is None:
            try:
                chunk = self._ask(seen.observation)
            except PolicyError as error:
                self.policy_errors += 1
                self._errors += 1
                self._error = str(error)
                self._settled_since = None
                if self._errors < self._limits.fallback_after:
                    return self._report(State.BLOCKED, self._error, running, seen, began)
                self._fallback_since = self._now()
            else:
                self._errors = 0
                self._judge(running, chunk, seen.observation)
                return self._report(State.ACTIVE, '', running, seen, began, chunk)
        return self._hold(running, seen, began)

    def _begin(self, running: Running) -> None:
        self._id = running.id
        self._errors = 0
        self._used_ns = None
        self._fallback_since = self._blocked_since = self._settled_since = None
        self._policy.reset()
        self._fallback.reset()

    def _blocked(self, running: Running, seen: Seen, began: float) -> Attempt:
        self.observations_rejected += 1
        self._settled_since = None
        if self._blocked_since is None:
            self._blocked_since = began
        elif began - self._blocked_since >= self._limits.blocked_timeout:
            self._end(running, Outcome.ABORTED, f'observation: {seen.reason}')
        return self._report(State.BLOCKED, seen.reason, running, seen, began)

    def _ask(self, observation: Observation) -> ActionChunk:
        began = self._now()
        self.calling_since = began
        try:
            chunk = self._policy.predict(observation)
        except PolicyError:
            raise
        except Exception as error:  # a policy may be anybody's code
            raise PolicyError(f'{type(error).__name__}: {error}') from error
        finally:
            self.calling_since = None
            self.last_inference = self._now() - began
        if not self.last_inference <= self._limits.policy_timeout:
            raise PolicyError(
                f'answered after {self.last_inference:.3f} s, limit {self._limits.policy_timeout}'
            )
        check_chunk(chunk, self._known)
        return chunk

    def _judge(self, running: Running, chunk: ActionChunk, observation: Observation) -> None:
        """Is the instruction carried out?"""
        if chunk.done:
            self._end(running, Outcome.DONE, 'done')
            return
        limits = self._limits
        if not (self._policy.bundle.goal_like and limits.settle_time > 0.0):
            return
        joints = [self._index[name] for name in chunk.joints]
        off = np.abs(chunk.positions - observation.position[joints]).max()
        speed = np.abs(observation.velocity[joints]).max()
        if not (off <= limits.settle_epsilon and speed <= limits.settle_velocity):
            self._settled_since = None
        elif self._settled_since is None:
            self._settled_since = running.elapsed
        elif running.elapsed - self._settled_since >= limits.settle_time:
            self._end(running, Outcome.DONE, 'done')

    def _hold(self, running: Running, seen: Seen, began: float) -> Attempt:
        assert seen.observation is not None
        assert self._fallback_since is not None
        reason = f'policy failed: {self._error}'
        chunk = self._fallback.predict(seen.observation)
        if self._now() - self._fallback_since >= self._limits.fallback_duration:
            self._end(running, Outcome.ABORTED, reason)
        return self._report(State.FALLBACK, reason, running, seen, began, chunk)

    def _end(self, running: Running, outcome: Outcome, reason: str) -> None:
        with self._lock:
            self._session.end(running.id, outcome, reason, self._now())

    def _report(
        self,
        state: State,
        reason: str,
        running: Running | None,
        seen: Seen,
        began: float,
        chunk: ActionChunk | None = None,
    ) -> Attempt:
        with self._lock:
            # The answer of an instruction that ended meanwhile is nobody's.
            now_running = self._session.running(self._now())
            if running is not None and (now_running is None or now_running.id != running.id):
                state, reason, running, chunk = State.IDLE, '', None, None
        return Attempt(
            state=state,
            reason=reason,
            running=running,
            chunk=chunk,
            stamp_ns=seen.observation.stamp_ns if seen.observation else 0,
            confidence=chunk.confidence if chunk else -1.0,
            age=seen.age,
            skew=seen.skew,
            inference=self.last_inference,
            duration=self._now() - began,
        )
