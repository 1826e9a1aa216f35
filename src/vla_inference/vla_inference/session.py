# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Instructions: their text, their life, and the one in the parameter `instruction`. Pure, with the
time as an argument.

    accept -> WAITING (for mode READY) -> JUDGING -> STARTING (start requested) -> RUNNING -> ended

JUDGING: the policy looks at the scene, and nothing moves; only with a policy that can refuse an
instruction. One at a time: a new instruction ends the one before it. When the supervisor leaves
RUNNING, the instruction ends, and an ended one is never resumed: the next motion needs the next
instruction.

An instruction that is to end while the start request is pending waits for its answer: the
supervisor would otherwise begin RUNNING without an instruction.
"""

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum

from vla_common.states import Mode
from vla_policy.types import NO_ASSESSMENT, Assessment

LONGEST = 1000
"""Characters. A text of 1 MB kept the node from its images until the robot was stopped."""
LONGEST_TIME = 3600.0
"""s; as for the parameter time_limit."""


def instruction_text(text: str) -> str:
    """`text` on one line, as policies and logs take it; empty where there are no words.

    Raises ValueError: too long, or with characters that cannot be printed.
    """
    if len(text) > LONGEST:
        raise ValueError(f'the instruction has {len(text)} characters, wanted at most {LONGEST}')
    words = ' '.join(text.split())
    if not words.isprintable():
        raise ValueError('the instruction has characters that cannot be printed')
    return words


def check_time_limit(seconds: float) -> None:
    """Raise ValueError unless it is 0, for the node's default, or in the range of a time limit."""
    if not (math.isfinite(seconds) and 0.0 <= seconds <= LONGEST_TIME):
        raise ValueError(f'time_limit is {seconds:g} s, wanted 0 to {LONGEST_TIME:g}')


class Phase(Enum):
    """Where an instruction stands; the value is published in the status."""

    IDLE = 'idle'
    WAITING = 'waiting for mode READY'
    JUDGING = 'the policy judges it'
    STARTING = 'waiting for start'
    RUNNING = 'running'


class InstructionOutcome(Enum):
    """How an instruction ended."""

    DONE = 'done'
    CANCELLED = 'cancelled'
    TIME_LIMIT = 'time limit'
    ABORTED = 'aborted'
    REFUSED = 'refused'


@dataclass(frozen=True)
class TaskReport:
    """What is known of an instruction.

    assessment: the policy's newest view of it. holding: limits by which the safety filter holds the
    motion back now. held_by, held_s: those since its start, the longest first, and for how long.
    at_limit: how it ends at its time limit.
    """

    assessment: Assessment = NO_ASSESSMENT
    holding: tuple[str, ...] = ()
    held_by: tuple[str, ...] = ()
    held_s: float = 0.0
    at_limit: tuple[InstructionOutcome, str] = (InstructionOutcome.TIME_LIMIT, 'time limit')


@dataclass(frozen=True)
class Result:
    """How an instruction ended. duration: s of RUNNING."""

    id: int
    outcome: InstructionOutcome
    reason: str
    duration: float
    report: TaskReport = TaskReport()

    @property
    def success(self) -> bool:
        return self.outcome is InstructionOutcome.DONE


@dataclass(frozen=True)
class Running:
    """The instruction in RUNNING, or (`moves` is false) in JUDGING. began_ns: stamp of the first
    state of the supervisor in that phase; observations from before it are of another motion."""

    id: int
    text: str
    elapsed: float
    began_ns: int
    moves: bool = True


class Session:
    """time_limit: s, for instructions without one. start_timeout: s for READY, then for RUNNING.
    judges: whether the policy can refuse an instruction, once it has seen the scene."""

    def __init__(self, time_limit: float, start_timeout: float, judges: bool = False) -> None:
        self._time_limit = time_limit
        self._start_timeout = start_timeout
        self._judges = judges
        self._mode: Mode | None = None
        self._phase = Phase.IDLE
        self._id = 0
        self._text = ''
        self._limit = 0.0
        self._patient = False
        self._since = 0.0
        self._requested = False
        self._granted = False
        self._start_id = 0
        self._began_ns: int | None = None
        self._ids = 0
        self._report = TaskReport()
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
        """Of the last accepted instruction; 0 before the first."""
        return self._id

    @property
    def mode(self) -> Mode | None:
        return self._mode

    @property
    def report(self) -> TaskReport:
        """Of the current or, when idle, the last instruction."""
        return self._report

    def update_report(self, id_: int, report: TaskReport) -> None:
        """Of the instruction with this id; another one is not affected."""
        if id_ == self._id and self._phase is not Phase.IDLE:
            self._report = report

    def running(self, now: float) -> Running | None:
        if self._phase is not Phase.RUNNING or self._began_ns is None:
            return None
        return Running(self._id, self._text, now - self._since, self._began_ns)

    def judging(self) -> Running | None:
        """The instruction that the policy is to judge."""
        if self._phase is not Phase.JUDGING or self._ending or self._began_ns is None:
            return None
        return Running(self._id, self._text, 0.0, self._began_ns, moves=False)

    def elapsed(self, now: float) -> float:
        return now - self._since if self._phase is Phase.RUNNING else 0.0

    def starting_for(self, now: float) -> float:
        """s since a start could be requested; 0 in another phase."""
        return now - self._since if self._phase is Phase.STARTING else 0.0

    def accept(self, text: str, now: float, time_limit: float = 0.0, patient: bool = False) -> int:
        """Take an instruction and return its id; the current one ends as cancelled.

        time_limit: s, 0 takes the default. patient: wait for READY without a time limit.
        """
        # The answer to a pending request is then for the new instruction.
        inherits = self._phase in (Phase.JUDGING, Phase.STARTING) and self._requested
        since = self._since if inherits else now
        if self._phase is not Phase.IDLE:
            replaced = (InstructionOutcome.CANCELLED, 'replaced by a newer instruction')
            self._end(*(self._ending or replaced), now)
        self._id = self._next_id()
        self._phase = self._after_ready() if inherits else Phase.WAITING
        self._text = text
        self._report = TaskReport()
        self._began_ns = None
        self._limit = time_limit if time_limit > 0.0 else self._time_limit
        self._patient = patient
        self._since = since
        if not inherits:
            self._requested = self._granted = False
        return self._id

    def _next_id(self) -> int:
        self._ids += 1
        return self._ids

    def _after_ready(self) -> Phase:
        return Phase.JUDGING if self._judges else Phase.STARTING

    def admit(self, id_: int, now: float) -> None:
        """The policy has judged the instruction and can carry it out."""
        if id_ != self._id or self._phase is not Phase.JUDGING:
            return
        self._phase, self._since = Phase.STARTING, now
        if self._requested and self._mode is Mode.RUNNING:
            self._phase = Phase.RUNNING

    def stop(self, text: str, now: float) -> int:
        """Carry out an instruction to stop and return its id: the current one ends, and the robot
        comes to rest and holds."""
        id_, stopped = self._next_id(), self._text
        self.cancel(self._id, now, f'stopped by "{text}"')
        reason = f'stopped "{stopped}"' if stopped else 'nothing was running'
        self._add(Result(id_, InstructionOutcome.DONE, f'{reason}; this is no e-stop', 0.0))
        return id_

    def wants_start(self) -> int | None:
        """The id to request a start for, once, when the mode allows it."""
        if self._phase is Phase.STARTING and not self._requested:
            self._requested = True
            self._start_id = self._id
            return self._id
        return None

    def on_mode(self, mode: Mode, why: str, stamp_ns: int, now: float) -> None:
        """One supervisor state. why: its causes, for the result."""
        before, self._mode = self._mode, mode
        if self._phase is Phase.WAITING and mode is Mode.READY:
            self._phase, self._since, self._began_ns = self._after_ready(), now, stamp_ns
        elif self._phase is Phase.JUDGING and mode in self._allowed():
            self._while_judging(before, mode, stamp_ns, now)
        elif self._phase is Phase.STARTING and mode is Mode.RUNNING and self._requested:
            # May arrive before the service's answer.
            self._phase, self._since, self._began_ns = Phase.RUNNING, now, stamp_ns
            if self._ending is not None:
                self._end(*self._ending, now)
        elif mode not in self._allowed():
            self._end(InstructionOutcome.ABORTED, f'mode {mode.name}{_because(why)}', now)

    def _while_judging(self, before: Mode | None, mode: Mode, stamp_ns: int, now: float) -> None:
        """The start may have been requested for the instruction before it."""
        if self._began_ns is None or mode is not before:
            self._began_ns = stamp_ns
        if self._requested and mode is Mode.RUNNING and self._ending is not None:
            self._end(*self._ending, now)
        elif mode is Mode.READY and before is Mode.RUNNING:
            self._requested = self._granted = False

    def _allowed(self) -> tuple[Mode, ...]:
        """Modes in which the phase continues."""
        if self._phase in (Phase.JUDGING, Phase.STARTING):
            return (Mode.READY, Mode.RUNNING)
        if self._phase is Phase.RUNNING:
            return (Mode.RUNNING,)
        if self._phase is Phase.WAITING:
            # Not through a stop: an operator's resume or arm must not start motion by itself.
            return (Mode.INACTIVE, Mode.READY, Mode.RUNNING)
        return tuple(Mode)

    def start_answered(self, id_: int, granted: bool, message: str, now: float) -> None:
        if id_ != self._start_id or self._phase not in (Phase.JUDGING, Phase.STARTING):
            return
        if granted:
            self._granted = True
            return
        if self._phase is Phase.JUDGING and self._ending is None:
            self._requested = False
            return
        outcome, reason = self._ending or (InstructionOutcome.ABORTED, f'start refused: {message}')
        self._end(outcome, reason, now)

    def on_filter(self, motion_ended: str, stamp_ns: int, now: float) -> None:
        """One status of the safety filter: why it ended the motion, if it did. An older one is of
        another motion."""
        if motion_ended and self._phase is Phase.RUNNING and stamp_ns > (self._began_ns or 0):
            self._end(InstructionOutcome.ABORTED, motion_ended, now)

    def tick(self, now: float) -> None:
        """Apply the time limits."""
        if self._phase is Phase.RUNNING and now - self._since >= self._limit:
            self._end(*self._report.at_limit, now)
        late = now - self._since >= self._start_timeout
        if self._phase is Phase.WAITING and late and not self._patient:
            mode = 'unknown' if self._mode is None else self._mode.name
            self._end(InstructionOutcome.ABORTED, f'supervisor not READY: mode {mode}', now)
        elif self._phase is Phase.JUDGING and late:
            slow = (InstructionOutcome.ABORTED, 'the policy did not judge the instruction')
            self._end(*(self._ending or slow), now)
        elif self._phase is Phase.STARTING and late:
            what = 'did not begin RUNNING' if self._granted else 'did not answer the start'
            outcome, reason = self._ending or (InstructionOutcome.ABORTED, f'supervisor {what}')
            self._end(outcome, reason, now)

    def cancel(self, id_: int, now: float, reason: str = 'cancelled') -> None:
        self.end(id_, InstructionOutcome.CANCELLED, reason, now)

    def end(self, id_: int, outcome: InstructionOutcome, reason: str, now: float) -> None:
        """End the instruction with this id; another one is not affected."""
        if id_ != self._id or self._phase is Phase.IDLE:
            return
        if self._phase in (Phase.JUDGING, Phase.STARTING) and self._requested:
            if not (self._phase is Phase.JUDGING and self._mode is Mode.RUNNING):
                self._ending = self._ending or (outcome, reason)
                return
        self._end(outcome, reason, now)

    def abandon(self, reason: str, now: float) -> None:
        """The node is being deactivated: end at once, also with a request pending."""
        if self._phase is not Phase.IDLE:
            self._end(InstructionOutcome.ABORTED, reason, now)
        self._mode = None

    def _end(self, outcome: InstructionOutcome, reason: str, now: float) -> None:
        self._add(Result(self._id, outcome, reason, self.elapsed(now), self._report))
        self._phase = Phase.IDLE
        self._text = ''
        self._ending = None

    def _add(self, result: Result) -> None:
        self.results.append(result)
        self.finished += 1
        named = result.outcome in (InstructionOutcome.ABORTED, InstructionOutcome.REFUSED)
        self.last_result = f'{result.outcome.value}: {result.reason}' if named else result.reason


def _because(why: str) -> str:
    return f': {why}' if why else ''


class Offer(Enum):
    """Whether to carry out the parameter `instruction`, after a state of the supervisor."""

    NOW = 'carry it out'
    TOO_LATE = 'the first READY, but the robot has moved before'
    NOT_NOW = 'before or after the first READY'


class StartupInstruction:
    """The parameter `instruction`: carried out once, at the first READY, on a robot that has not
    moved. One per process: a new configuration or activation does not offer it again.

    The supervisor's motion epoch is above 0 after RUNNING or a stop: a node that is restarted after
    a crash never resumes motion.
    """

    def __init__(self) -> None:
        self._offered = False
        self._moved = False

    def offer(self, mode: Mode, motion_epoch: int) -> Offer:
        """NOW or TOO_LATE is returned once."""
        self._moved = self._moved or motion_epoch > 0
        if self._offered or mode is not Mode.READY:
            return Offer.NOT_NOW
        self._offered = True
        return Offer.TOO_LATE if self._moved else Offer.NOW


class ClientPresence:
    """Whether the clients of an action have left since its last goal was accepted.

    A client whose terminal is closed ends without cancelling its goal; nobody watches that motion.

    gone_after: s without any client; longer than discovery needs to list again what a stall of
    this process made it drop.
    """

    def __init__(self, gone_after: float) -> None:
        self._gone_after = gone_after
        self.begin()

    def begin(self) -> None:
        """A goal is accepted. Its client may not be listed yet."""
        self._listed = False
        self._none_since: float | None = None

    def gone(self, clients: int, now: float) -> bool:
        """clients: the number on the graph."""
        if clients:
            self._listed, self._none_since = True, None
        elif self._none_since is None:
            self._none_since = now
        return self._listed and not clients and now - self._none_since >= self._gone_after
