# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One inference attempt: observe, ask the policy, take its answer, or say why there is none.

A call is out while others go on: an attempt asks, a later one takes the answer. The chain when
things go wrong, each step visible in the status: an observation that cannot be trusted gives
BLOCKED and no chunk (the filter brakes when the last chunk runs out). `fallback_after` policy
errors in a row, a call that is out for longer than `policy_timeout`, or lost confidence give
FALLBACK: the next link of the chain, at its end a hold that lasts `fallback_duration`. Then, or
when BLOCKED lasts `blocked_timeout`, the instruction ends as aborted and the robot is back in
READY. Nothing goes from the fallback back to the policy by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np

from vla_common.states import InferenceState
from vla_inference.blending.blender import Joined
from vla_inference.fallback import FallbackChain, PolicySlot
from vla_inference.observation import ObservationAssembler, ObservationResult
from vla_inference.policy_worker import PolicyAnswer
from vla_inference.session import InstructionOutcome, Running, Session
from vla_policy.types import ActionChunk, ChunkCheck, Observation, Policy, PolicyError


@dataclass(frozen=True)
class StepLimits:
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
class Origin:
    """Where a chunk comes from. link: place in the chain. call, model: s, 0 where not known."""

    link: int
    source: str
    joined: Joined | None
    call: float
    model: float


@dataclass(frozen=True)
class StepResult:
    """What one attempt came to. Times in s; -1 where there is none. asked: a call was begun."""

    state: InferenceState
    reason: str
    running: Running | None
    chunk: ActionChunk | None
    stamp_ns: int
    confidence: float
    age: float
    skew: float
    inference: float
    duration: float
    asked: bool = False
    origin: Origin | None = None


class InferenceStep:
    """Runs in one thread; `lock` guards assembler and session, which others change.

    The lock is never held while a policy runs: a hung policy blocks nobody. scale: the speed scale
    in force in the filter, 0..1.
    """

    def __init__(
        self,
        chain: FallbackChain,
        hold: Policy,
        assembler: ObservationAssembler,
        session: Session,
        limits: StepLimits,
        joint_names: tuple[str, ...],
        lock: AbstractContextManager,
        now: Callable[[], float],
        now_ns: Callable[[], int],
        scale: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self._chain = chain
        self._hold_policy = hold
        self._assembler = assembler
        self._session = session
        self._limits = limits
        self._check = ChunkCheck(joint_names)
        self._index = {name: i for i, name in enumerate(joint_names)}
        self._lock = lock
        self._now = now
        self._now_ns = now_ns
        self._scale = scale
        self._id = 0
        self._holding_since: float | None = None
        self._blocked_since: float | None = None
        self._settled_since: float | None = None
        self._used_ns: int | None = None
        self._asked = False
        self._confidence = -1.0
        self.policy_errors = 0
        self.observations_rejected = 0
        self.late_chunks = 0
        self.starvation = 0.0
        self.last_inference = 0.0

    @property
    def calling_since(self) -> float | None:
        """When the oldest call that is out began."""
        since = [link.caller.since for link in self._chain.links]
        return min((s for s in since if s is not None), default=None)

    def attempt(self, may_ask: bool = True) -> StepResult:
        """may_ask: whether a new call may begin; answers are taken in any case."""
        began = self._now()
        self._asked = False
        with self._lock:
            self._session.tick(began)
            running = self._session.running(began)
            text = running.text if running else ''
            elapsed = running.elapsed if running else 0.0
            seen = self._assembler.assemble(began, self._now_ns(), text, elapsed)
        if running is None:
            return self._report(InferenceState.IDLE, '', None, seen, began)
        if running.id != self._id:
            self._begin(running)
        if seen.observation is None:
            return self._blocked(running, seen, began)
        self._blocked_since = None
        while (link := self._chain.link) is not None:
            at = self._chain.at
            attempt = self._ask(link, running, seen, began, may_ask)
            if attempt is not None or self._chain.at == at:
                return attempt or self._report(
                    self._state, self._chain.reason, running, seen, began
                )
        return self._hold(running, seen, began)

    @property
    def _state(self) -> InferenceState:
        return InferenceState.FALLBACK if self._chain.at else InferenceState.ACTIVE

    def _begin(self, running: Running) -> None:
        self._id = running.id
        self._used_ns = None
        self._holding_since = self._blocked_since = self._settled_since = None
        self._confidence = -1.0
        self.late_chunks, self.starvation = 0, 0.0
        self._chain.begin()
        self._hold_policy.reset()

    def _blocked(self, running: Running, seen: ObservationResult, began: float) -> StepResult:
        self.observations_rejected += 1
        self._settled_since = None
        if self._blocked_since is None:
            self._blocked_since = began
        elif began - self._blocked_since >= self._limits.blocked_timeout:
            self._end(running, InstructionOutcome.ABORTED, f'observation: {seen.reason}')
        return self._report(InferenceState.BLOCKED, seen.reason, running, seen, began)

    def _ask(
        self,
        link: PolicySlot,
        running: Running,
        seen: ObservationResult,
        began: float,
        may_ask: bool,
    ) -> StepResult | None:
        """Take the link's answer or give it the next observation. None: look at the chain again."""
        answer = link.caller.take()
        if answer is None and link.caller.since is not None:
            out = self._now() - link.caller.since
            if out > self._limits.policy_timeout:
                self.policy_errors += 1
                self._fall(f'no answer for {out:.3f} s', running)
            return None
        if answer is None:
            waiting = self._waiting(running, seen)
            if waiting is not None or not may_ask:
                reason = self._chain.reason or waiting or ''
                return self._report(self._state, reason, running, seen, began)
            self._submit(link, seen.observation)
            answer = link.caller.take()
            if answer is None:
                return None
        return self._answered(link, answer, running, seen, began)

    def _waiting(self, running: Running, seen: ObservationResult) -> str | None:
        """None: this observation may be asked about. Else why not, empty for what is usual: it was
        asked about already."""
        assert seen.observation is not None
        if seen.observation.stamp_ns < running.began_ns:
            return 'waiting for an observation since the start'
        if seen.observation.stamp_ns == self._used_ns:
            # The same picture again gives the same chunk, which the filter refuses as replayed.
            return ''
        return None

    def _submit(self, link: PolicySlot, observation: Observation) -> None:
        self._used_ns = observation.stamp_ns
        if link.leads:
            prefix = link.blender.prefix(observation.stamp_ns, self._scale())
            observation = replace(observation, prefix=prefix)
        self._asked = True
        reset, link.begins = link.begins, False
        link.caller.submit(observation, reset)

    def _answered(
        self,
        link: PolicySlot,
        answer: PolicyAnswer,
        running: Running,
        seen: ObservationResult,
        began: float,
    ) -> StepResult | None:
        self.last_inference = answer.duration
        try:
            chunk = self._checked(answer)
        except PolicyError as error:
            return self._failed(link, str(error), running, seen, began)
        joined = link.blender.join(
            chunk,
            answer.observation.stamp_ns,
            self._now_ns(),
            self._scale(),
            lambda disagreement: link.judge.update(chunk.confidence, disagreement, chunk.spread),
        )
        if joined.chunk is None:
            self.late_chunks += 1
            why = (
                f'chunk of {chunk.times[-1]:.2f} s came {joined.delay:.2f} s after its observation'
            )
            return self._failed(link, why, running, seen, began)
        link.errors = 0
        self.starvation += joined.starved
        self._confidence = link.judge.confidence
        if link.judge.lost:
            self._fall(f'confidence {self._confidence:.2f}', running)
            # The observation was used up by the answer that nobody believes.
            self._used_ns = None
            return None
        self._judge(running, link, chunk, answer.observation)
        model = link.policy.run_s
        origin = Origin(self._chain.at, link.title, joined, answer.duration, model)
        return self._report(
            self._state,
            self._chain.reason,
            running,
            seen,
            began,
            joined.chunk,
            answer.observation.stamp_ns,
            origin,
        )

    def _checked(self, answer: PolicyAnswer) -> ActionChunk:
        if not answer.duration <= self._limits.policy_timeout:
            raise PolicyError(
                f'answered after {answer.duration:.3f} s, limit {self._limits.policy_timeout}'
            )
        if answer.chunk is None:
            raise PolicyError(answer.error)
        self._check(answer.chunk)
        return answer.chunk

    def _failed(
        self, link: PolicySlot, why: str, running: Running, seen: ObservationResult, began: float
    ) -> StepResult | None:
        self.policy_errors += 1
        link.errors += 1
        self._settled_since = None
        if link.errors < self._limits.fallback_after:
            return self._report(InferenceState.BLOCKED, why, running, seen, began)
        self._fall(why, running)
        self._used_ns = None
        return None

    def _fall(self, why: str, running: Running) -> None:
        self._settled_since = None
        self._confidence = -1.0
        self._chain.fall(why, running.text)
        if self._chain.link is None:
            self._holding_since = self._now()

    def _judge(
        self, running: Running, link: PolicySlot, chunk: ActionChunk, observation: Observation
    ) -> None:
        """Is the instruction carried out?"""
        if chunk.done:
            self._end(running, InstructionOutcome.DONE, 'done')
            return
        limits = self._limits
        if not (link.policy.bundle.goal_like and limits.settle_time > 0.0):
            return
        joints = [self._index[name] for name in chunk.joints]
        off = np.abs(chunk.positions - observation.position[joints]).max()
        speed = np.abs(observation.velocity[joints]).max()
        if not (off <= limits.settle_epsilon and speed <= limits.settle_velocity):
            self._settled_since = None
        elif self._settled_since is None:
            self._settled_since = running.elapsed
        elif running.elapsed - self._settled_since >= limits.settle_time:
            self._end(running, InstructionOutcome.DONE, 'done')

    def _hold(self, running: Running, seen: ObservationResult, began: float) -> StepResult:
        assert seen.observation is not None
        assert self._holding_since is not None
        reason = self._chain.reason
        if self._now() - self._holding_since >= self._limits.fallback_duration:
            self._end(running, InstructionOutcome.ABORTED, reason)
        if self._waiting(running, seen) is not None:
            return self._report(InferenceState.FALLBACK, reason, running, seen, began)
        self._used_ns = seen.observation.stamp_ns
        chunk = self._hold_policy.predict(seen.observation)
        origin = Origin(len(self._chain.links), self._hold_policy.bundle.title, None, 0.0, 0.0)
        return self._report(
            InferenceState.FALLBACK,
            reason,
            running,
            seen,
            began,
            chunk,
            seen.observation.stamp_ns,
            origin,
        )

    def _end(self, running: Running, outcome: InstructionOutcome, reason: str) -> None:
        with self._lock:
            self._session.end(running.id, outcome, reason, self._now())

    def _report(
        self,
        state: InferenceState,
        reason: str,
        running: Running | None,
        seen: ObservationResult,
        began: float,
        chunk: ActionChunk | None = None,
        stamp_ns: int = 0,
        origin: Origin | None = None,
    ) -> StepResult:
        with self._lock:
            # The answer of an instruction that ended meanwhile is nobody's.
            now_running = self._session.running(self._now())
            if running is not None and (now_running is None or now_running.id != running.id):
                state, reason, running, chunk, origin = InferenceState.IDLE, '', None, None, None
        return StepResult(
            state=state,
            reason=reason,
            running=running,
            chunk=chunk,
            stamp_ns=stamp_ns or (seen.observation.stamp_ns if seen.observation else 0),
            confidence=self._confidence if running is not None else -1.0,
            age=seen.age,
            skew=seen.skew,
            inference=self.last_inference,
            duration=self._now() - began,
            asked=self._asked,
            origin=origin,
        )
