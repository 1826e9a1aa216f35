# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The life of an instruction; pure, with the time as an argument.

    accept -> WAITING (for mode READY) -> STARTING (the supervisor is asked) -> RUNNING -> ended

One at a time: a new instruction ends the one before it. Whatever takes the supervisor out of
RUNNING ends the instruction too, and an ended one is never taken up again: the next motion needs
the next instruction.

An instruction that is to end while the supervisor's answer to the start is still out waits for
that answer, because the supervisor would otherwise begin RUNNING for nobody.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from vla_common.states import Mode


class Phase(Enum):
    """Where an instruction stands; the value is what the status says, for a person."""

    IDLE = 'idle'
    WAITING = 'waiting for mode READY'
    STARTING = 'waiting for start'
    RUNNING = 'running'


class InstructionOutcome(Enum):
    """How an instruction ended."""

    DONE = 'done'
    CANCELLED = 'cancelled'
    TIME_LIMIT = 'time limit'
    ABORTED = 'aborted'


@dataclass(frozen=True)
class Result:
    """How an instruction ended. duration: s of RUNNING."""

    id: int
    outcome: InstructionOutcome
    reason: str
    duration: float

    @property
    def success(self) -> bool:
        return self.outcome is InstructionOutcome.DONE


@dataclass(frozen=True)
class Running:
    """The instruction that may be acted on now. began_ns: stamp of the first RUNNING state; what
    was seen before it says nothing about this motion."""

    id: int
    text: str
    elapsed: float
    began_ns: int


class Session:
    """time_limit: s, for instructions without one. start_timeout: s for READY, then for RUNNING."""

    def __init__(self, time_limit: float, start_timeout: float) -> None:
        self._time_limit = time_limit
        self._start_timeout = start_timeout
        self._mode: Mode | None = None
        self._phase = Phase.IDLE
        self._id = 0
        self._text = ''
        self._limit = 0.0
        self._patient = False
        self._since = 0.0
        self._asked = False
        self._granted = False
        self._start_id = 0
        self._began_ns = 0
        self._ending: tuple[InstructionOutcome, str] | None = None
        self.finished = 0
        self.last_result = ''
        self.results: deque[Result] = deque()

    @property
    def phase(self) -> Phase:
        return self._phase

    @property
    def instruction(self) -> str:
        """The current one; empty when idle."""
        return self._text

    @property
    def id(self) -> int:
        """Of the instruction accepted last; 0 before the first."""
        return self._id

    @property
    def mode(self) -> Mode | None:
        return self._mode

    def running(self, now: float) -> Running | None:
        if self._phase is not Phase.RUNNING:
            return None
        return Running(self._id, self._text, now - self._since, self._began_ns)

    def elapsed(self, now: float) -> float:
        return now - self._since if self._phase is Phase.RUNNING else 0.0

    def starting_for(self, now: float) -> float:
        """Seconds in which the supervisor could be asked for a start; 0 if it need not be."""
        return now - self._since if self._phase is Phase.STARTING else 0.0

    def accept(self, text: str, now: float, time_limit: float = 0.0, patient: bool = False) -> int:
        """Take an instruction and return its id; the current one ends as cancelled.

        time_limit: s, 0 takes the default. patient: wait for READY without a time limit.
        """
        # An answer that is still out will be for whoever is next in line.
        inherits = self._phase is Phase.STARTING and self._asked
        since = self._since if inherits else now
        if self._phase is not Phase.IDLE:
            replaced = (InstructionOutcome.CANCELLED, 'replaced by a newer instruction')
            self._end(*(self._ending or replaced), now)
        self._id += 1
        self._phase = Phase.STARTING if inherits else Phase.WAITING
        self._text = text
        self._limit = time_limit if time_limit > 0.0 else self._time_limit
        self._patient = patient
        self._since = since
        if not inherits:
            self._asked = self._granted = False
        return self._id

    def wants_start(self) -> int | None:
        """The id to ask the supervisor for, once, when the mode allows it."""
        if self._phase is Phase.STARTING and not self._asked:
            self._asked = True
            self._start_id = self._id
            return self._id
        return None

    def on_mode(self, mode: Mode, why: str, stamp_ns: int, now: float) -> None:
        """One supervisor state. why: its causes, for the result."""
        self._mode = mode
        if self._phase is Phase.WAITING and mode is Mode.READY:
            self._phase, self._since = Phase.STARTING, now
        elif self._phase is Phase.STARTING and mode is Mode.RUNNING and self._asked:
            # May come before the service's answer.
            self._phase, self._since, self._began_ns = Phase.RUNNING, now, stamp_ns
            if self._ending is not None:
                self._end(*self._ending, now)
        elif mode not in self._allowed():
            self._end(InstructionOutcome.ABORTED, f'mode {mode.name}{_because(why)}', now)

    def _allowed(self) -> tuple[Mode, ...]:
        """The modes that the phase can live in."""
        if self._phase is Phase.STARTING:
            return (Mode.READY, Mode.RUNNING)
        if self._phase is Phase.RUNNING:
            return (Mode.RUNNING,)
        if self._phase is Phase.WAITING:
            # Not through a stop: an operator's resume or arm must not start motion by itself.
            return (Mode.INACTIVE, Mode.READY, Mode.RUNNING)
        return tuple(Mode)

    def start_answered(self, id_: int, granted: bool, message: str, now: float) -> None:
        if id_ != self._start_id or self._phase is not Phase.STARTING:
            return
        if granted:
            self._granted = True
            return
        outcome, reason = self._ending or (InstructionOutcome.ABORTED, f'start refused: {message}')
        self._end(outcome, reason, now)

    def tick(self, now: float) -> None:
        """Time limits."""
        if self._phase is Phase.RUNNING and now - self._since >= self._limit:
            self._end(InstructionOutcome.TIME_LIMIT, 'time limit', now)
        late = now - self._since >= self._start_timeout
        if self._phase is Phase.WAITING and late and not self._patient:
            mode = 'unknown' if self._mode is None else self._mode.name
            self._end(InstructionOutcome.ABORTED, f'supervisor not READY: mode {mode}', now)
        elif self._phase is Phase.STARTING and late:
            what = 'did not begin RUNNING' if self._granted else 'did not answer the start'
            outcome, reason = self._ending or (InstructionOutcome.ABORTED, f'supervisor {what}')
            self._end(outcome, reason, now)

    def cancel(self, id_: int, now: float, reason: str = 'cancelled') -> None:
        self.end(id_, InstructionOutcome.CANCELLED, reason, now)

    def end(self, id_: int, outcome: InstructionOutcome, reason: str, now: float) -> None:
        """End the instruction with this id; another one stays untouched."""
        if id_ != self._id or self._phase is Phase.IDLE:
            return
        if self._phase is Phase.STARTING and self._asked:
            self._ending = self._ending or (outcome, reason)
            return
        self._end(outcome, reason, now)

    def abandon(self, reason: str, now: float) -> None:
        """The node goes out of service: end at once, whatever is pending."""
        if self._phase is not Phase.IDLE:
            self._end(InstructionOutcome.ABORTED, reason, now)
        self._mode = None

    def _end(self, outcome: InstructionOutcome, reason: str, now: float) -> None:
        result = Result(self._id, outcome, reason, self.elapsed(now))
        self.results.append(result)
        self.finished += 1
        self.last_result = (
            reason if outcome is not InstructionOutcome.ABORTED else f'aborted: {reason}'
        )
        self._phase = Phase.IDLE
        self._text = ''
        self._ending = None


def _because(why: str) -> str:
    return f': {why}' if why else ''
