# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One inference step: observe, call the policy or take its answer, and the chunk or the reason why
there is none.

A call is pending over several steps: one begins it, a later one takes the answer. Failures, each
visible in the status: an observation that cannot be trusted gives BLOCKED and no chunk (the filter
brakes when the last chunk ends). `fallback_after` policy errors in a row, a call pending for longer
than `policy_timeout`, or lost confidence give FALLBACK: the next policy of the chain, at its end a
hold of `fallback_duration`. After the hold, or when BLOCKED lasts `blocked_timeout`, the
instruction ends as aborted and the robot is in READY. The chain does not return to the policy
within an instruction.

Before an instruction may move the robot, a policy that can refuse it is called as well, and its
chunks are dropped: see `task_monitor.py`.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np

from vla_common.states import InferenceState, Mode
from vla_inference.blender import UNKNOWN, Joined, Playback
from vla_inference.fallback import FallbackChain, PolicySlot
from vla_inference.observation import NEVER_NS, ObservationAssembler, ObservationResult
from vla_inference.policy_worker import PolicyAnswer
from vla_inference.session import InstructionOutcome, Running, Session
from vla_inference.task_monitor import TaskMonitor
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
    """Origin of a chunk. slot: index in the chain. call, model: s, 0 where not known."""

    slot: int
    source: str
    joined: Joined | None
    call: float
    model: float


@dataclass(frozen=True)
class StepResult:
    """Result of one step. Times in s; -1 where there is none. called: a call was begun."""

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
    called: bool = False
    origin: Origin | None = None


@dataclass(frozen=True)
class _Step:
    """The inputs of one step. began: s. running: also an instruction that is being judged."""

    began: float
    running: Running | None
    observed: ObservationResult

    @property
    def observation(self) -> Observation:
        assert self.observed.observation is not None
        return self.observed.observation


class InferenceStep:
    """Runs in one thread at a time; `lock` guards assembler and session, which others change.

    The lock is not held during a policy call: a hung policy blocks nothing else. playback: the
    filter's status.
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
        playback: Callable[[], Playback] = lambda: UNKNOWN,
        task: TaskMonitor | None = None,
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
        self._playback = playback
        self._task = task or TaskMonitor()
        self._id = 0
        self._holding_since: float | None = None
        self._blocked_since: float | None = None
        self._settled_since: float | None = None
        self._used_ns: int | None = None
        self._first_ns: int | None = None
        self._called = False
        self._confidence = -1.0
        self.policy_errors = 0
        self.observations_rejected = 0
        self.late_chunks = 0
        self.chunks_not_followed = 0
        self.cannot_follow = ''
        self.starvation = 0.0
        self.last_inference = 0.0

    @property
    def calling_since(self) -> float | None:
        """When the oldest pending call began."""
        since = [slot.worker.since for slot in self._chain.slots]
        return min((s for s in since if s is not None), default=None)

    def run(self, may_call: bool = True) -> StepResult:
        """may_call: whether a new call may begin; answers are taken in any case."""
        began = self._now()
        self._called = False
        with self._lock:
            self._session.update_report(self._id, self._task.report)
            self._session.tick(began)
            running = self._session.running(began) or self._session.judging()
            text = running.text if running else ''
            elapsed = running.elapsed if running else 0.0
            # A history is of this instruction: before its first observation there is none.
            known = running is not None and running.id == self._id and self._first_ns is not None
            first_ns = self._first_ns if known else NEVER_NS
            observed = self._assembler.assemble(began, self._now_ns(), text, elapsed, first_ns)
        step = _Step(began, running, observed)
        if running is None:
            return self._result(step, InferenceState.IDLE)
        if running.id != self._id:
            self._begin(running)
        if observed.observation is None:
            return self._blocked(step)
        self._blocked_since = None
        while (slot := self._chain.slot) is not None:
            at = self._chain.at
            result = self._call(slot, step, may_call)
            if result is not None or self._chain.at == at:
                return result or self._result(step)
        return self._hold(step)

    def _begin(self, running: Running) -> None:
        self._id = running.id
        self._used_ns = self._first_ns = None
        self._holding_since = self._blocked_since = self._settled_since = None
        self._confidence = -1.0
        self.late_chunks, self.starvation, self.cannot_follow = 0, 0.0, ''
        self._chain.begin()
        self._task.begin()
        self._hold_policy.reset()

    def _blocked(self, step: _Step) -> StepResult:
        reason = step.observed.reason
        self.observations_rejected += 1
        self._settled_since = None
        if self._blocked_since is None:
            self._blocked_since = step.began
        elif step.began - self._blocked_since >= self._limits.blocked_timeout:
            self._end(step, InstructionOutcome.ABORTED, f'observation: {reason}')
        return self._result(step, InferenceState.BLOCKED, reason)

    def _call(self, slot: PolicySlot, step: _Step, may_call: bool) -> StepResult | None:
        """Take the slot's answer, or begin a call. None: look at the chain again."""
        answer = slot.worker.take()
        if answer is None and slot.worker.since is not None:
            pending = self._now() - slot.worker.since
            if pending > self._limits.policy_timeout:
                self.policy_errors += 1
                self._advance(step, f'no answer for {pending:.3f} s')
            return None
        if answer is None:
            waiting = self._waiting(step)
            if waiting is not None or not may_call:
                return self._result(step, reason=self._chain.reason or waiting or '')
            self._submit(slot, step.observation)
            answer = slot.worker.take()
            if answer is None:
                return None
        return self._answered(slot, answer, step)

    def _waiting(self, step: _Step) -> str | None:
        """None: the policy can be called with this observation. Otherwise the reason; empty for an
        observation that was used already."""
        assert step.running is not None
        stamp_ns = step.observation.stamp_ns
        if stamp_ns < step.running.began_ns:
            return 'waiting for an observation since the start'
        # The same image again gives the same chunk, which the filter rejects as replayed.
        return '' if stamp_ns == self._used_ns else None

    def _submit(self, slot: PolicySlot, observation: Observation) -> None:
        self._used_ns = observation.stamp_ns
        self._first_ns = self._first_ns or observation.stamp_ns
        if slot.policy.takes_prefix:
            prefix = slot.blender.prefix(observation.stamp_ns, self._playback())
            observation = replace(observation, prefix=prefix)
        self._called = True
        reset, slot.begins = slot.begins, False
        slot.worker.submit(observation, reset)

    def _answered(self, slot: PolicySlot, answer: PolicyAnswer, step: _Step) -> StepResult | None:
        assert step.running is not None
        self.last_inference = answer.duration
        stamp_ns = answer.observation.stamp_ns
        if stamp_ns < step.running.began_ns:
            return None  # asked before the robot could move, answered after
        try:
            chunk = self._checked(answer)
        except PolicyError as error:
            return self._failed(slot, str(error), step)
        if not step.running.moves:
            return self._judge(slot, chunk, step)
        joined = slot.blender.join(
            chunk,
            stamp_ns,
            self._now_ns(),
            self._playback(),
            lambda disagreement: slot.monitor.update(chunk.confidence, disagreement, chunk.spread),
        )
        if joined.chunk is None:
            self.late_chunks += 1
            horizon, delay = chunk.times[-1], joined.delay
            late = f'chunk of {horizon:.2f} s came {delay:.2f} s after its observation'
            return self._failed(slot, late, step)
        slot.errors = 0
        self.starvation += joined.starved
        self._confidence = slot.monitor.confidence
        if slot.monitor.lost:
            self._advance(step, f'confidence {self._confidence:.2f}')
            # The next policy may use the observation of the rejected answer.
            self._used_ns = None
            return None
        self.cannot_follow = chunk.cannot_follow
        self.chunks_not_followed += bool(chunk.cannot_follow)
        self._update_done(step, slot, chunk, answer.observation)
        origin = Origin(self._chain.at, slot.title, joined, answer.duration, slot.policy.run_s)
        return self._result(step, chunk=joined.chunk, stamp_ns=stamp_ns, origin=origin)

    def _judge(self, slot: PolicySlot, chunk: ActionChunk, step: _Step) -> StepResult:
        """The chunk is dropped: nothing moves before the instruction is admitted."""
        assert step.running is not None
        slot.errors = 0
        ruling = self._task.judge(chunk, slot.policy.bundle, step.running, self._now())
        with self._lock:
            self._session.update_report(self._id, self._task.report)
            if ruling is not None and not ruling.refusal:
                self._session.admit(self._id, self._now())
        if ruling is not None and ruling.refusal:
            self._end(step, InstructionOutcome.REFUSED, ruling.refusal)
        return self._result(step)

    def _checked(self, answer: PolicyAnswer) -> ActionChunk:
        limit = self._limits.policy_timeout
        if not answer.duration <= limit:
            raise PolicyError(f'answered after {answer.duration:.3f} s, limit {limit}')
        if answer.chunk is None:
            raise PolicyError(answer.error)
        self._check(answer.chunk)
        return answer.chunk

    def _failed(self, slot: PolicySlot, why: str, step: _Step) -> StepResult | None:
        self.policy_errors += 1
        slot.errors += 1
        self._settled_since = None
        if slot.errors < self._limits.fallback_after:
            return self._result(step, InferenceState.BLOCKED, why)
        self._advance(step, why)
        self._used_ns = None
        return None

    def _advance(self, step: _Step, why: str) -> None:
        """To the next policy of the chain."""
        assert step.running is not None
        self._settled_since = None
        self._confidence = -1.0
        self._chain.advance(why, step.running.text)
        if self._chain.slot is None:
            self._holding_since = self._now()

    def _update_done(
        self, step: _Step, slot: PolicySlot, chunk: ActionChunk, observation: Observation
    ) -> None:
        """End the instruction when it is done or cannot be, or the robot has settled."""
        assert step.running is not None
        bundle, now = slot.policy.bundle, self._now()
        end = self._task.update(chunk, observation, bundle, self._index, step.running, now)
        with self._lock:
            self._session.update_report(self._id, self._task.report)
        if end is not None:
            self._end(step, *end)
            return
        limits, elapsed = self._limits, step.running.elapsed
        if not (bundle.goal_like and limits.settle_time > 0.0):
            return
        joints = [self._index[name] for name in chunk.joints]
        off = np.abs(chunk.positions - observation.position[joints]).max()
        speed = np.abs(observation.velocity[joints]).max()
        settled = off <= limits.settle_epsilon and speed <= limits.settle_velocity
        if not settled or chunk.cannot_follow:
            self._settled_since = None
        elif self._settled_since is None:
            self._settled_since = elapsed
        elif elapsed - self._settled_since >= limits.settle_time:
            self._end(step, InstructionOutcome.DONE, 'done')

    def _hold(self, step: _Step) -> StepResult:
        assert self._holding_since is not None and step.running is not None
        if not step.running.moves:
            self._end(step, InstructionOutcome.ABORTED, self._chain.reason)
            return self._result(step)
        if self._now() - self._holding_since >= self._limits.fallback_duration:
            self._end(step, InstructionOutcome.ABORTED, self._chain.reason)
        if self._waiting(step) is not None:
            return self._result(step)
        self._used_ns = step.observation.stamp_ns
        chunk = self._hold_policy.predict(step.observation)
        origin = Origin(len(self._chain.slots), self._hold_policy.bundle.title, None, 0.0, 0.0)
        return self._result(step, chunk=chunk, stamp_ns=self._used_ns, origin=origin)

    def _end(self, step: _Step, outcome: InstructionOutcome, reason: str) -> None:
        assert step.running is not None
        with self._lock:
            self._session.end(step.running.id, outcome, reason, self._now())

    def _result(
        self,
        step: _Step,
        state: InferenceState | None = None,
        reason: str | None = None,
        chunk: ActionChunk | None = None,
        stamp_ns: int = 0,
        origin: Origin | None = None,
    ) -> StepResult:
        """state, reason: by default those of the chain."""
        if state is None:
            state = InferenceState.FALLBACK if self._chain.at else InferenceState.ACTIVE
            reason = self._chain.reason if reason is None else reason
        running, observed = step.running, step.observed
        with self._lock:
            # The instruction may have ended meanwhile: its answer is dropped.
            now_running = self._session.running(self._now())
            if running is not None and (now_running is None or now_running.id != running.id):
                running, chunk, origin = None, None, None
                # With a start granted to the instruction before: idle would end this RUNNING.
                waits = self._session.mode is Mode.RUNNING and self._session.judging() is not None
                state, reason = (InferenceState.ACTIVE if waits else InferenceState.IDLE), ''
        seen_ns = observed.observation.stamp_ns if observed.observation else 0
        return StepResult(
            state=state,
            reason=reason or '',
            running=running,
            chunk=chunk,
            stamp_ns=stamp_ns or seen_ns,
            confidence=self._confidence if running is not None else -1.0,
            age=observed.age,
            skew=observed.skew,
            inference=self.last_inference,
            duration=self._now() - step.began,
            called=self._called,
            origin=origin,
        )
