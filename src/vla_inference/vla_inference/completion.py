# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How an instruction in motion ends: done and held, lost again, or impossible. Pure, with the time
as an argument."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_inference.admission import not_possible
from vla_inference.session import InstructionOutcome
from vla_policy.bundle.judged_outputs import Acceptance
from vla_policy.types import ActionChunk, Observation

End = tuple[InstructionOutcome, str]


@dataclass(frozen=True)
class CompletionLimits:
    """hold: s for which `done` is to last. tolerance: rad, of a joint from where its chunk wants
    it. give_up: s for which the instruction is to be impossible. losses: number of times that it
    was done and is not any more, after which it is given up."""

    hold: float = 0.5
    tolerance: float = 0.15
    give_up: float = 1.0
    losses: int = 3


class Completion:
    """Call `begin` for each instruction, then `update` with each chunk.

    A chunk's flag `done` ends it at once, a probability once it has lasted. Neither counts while a
    joint is short of its target.
    """

    def __init__(self, limits: CompletionLimits) -> None:
        self._limits = limits
        self.begin()

    def begin(self) -> None:
        self._done_since: float | None = None
        self._was_done = False
        self._impossible_since: float | None = None
        self._losses = 0
        self._short = ''

    def update(
        self, chunk: ActionChunk, acceptance: Acceptance, text: str, short: str, now: float
    ) -> End | None:
        """short: why `done` does not count, empty if it does; see Arrival."""
        found = chunk.assessment
        if acceptance.done is not None:
            done = found.done >= acceptance.done
            # The threshold is crossed several times on the way: a loss is a clear one.
            if self._was_done and found.done < 0.5 * acceptance.done:
                self._was_done = False
                self._losses += 1
        else:
            done = bool(chunk.done)
        self._was_done = self._was_done or (done and acceptance.done is not None)
        self._short = short if done else ''
        done = done and not short
        if not done:
            self._done_since = None
        elif self._done_since is None:
            self._done_since = now
        if done and (acceptance.done is None or now - self._done_since >= self._limits.hold - 1e-9):
            return InstructionOutcome.DONE, 'done'
        if self._losses >= self._limits.losses:
            return InstructionOutcome.ABORTED, self._lost
        impossible = acceptance.possible is not None and not found.possible >= acceptance.possible
        # The hand may hide what it touches.
        if not impossible or self._was_done:
            self._impossible_since = None
            return None
        if self._impossible_since is None:
            self._impossible_since = now
        if now - self._impossible_since >= self._limits.give_up - 1e-9:
            return InstructionOutcome.ABORTED, not_possible(found, acceptance, text)
        return None

    @property
    def _lost(self) -> str:
        times = f'{self._losses} times' if self._losses > 1 else 'once'
        return f'lost again: it was done, and then not any more, {times}'

    @property
    def at_limit(self) -> End:
        """How the instruction ends when its time is over."""
        if self._short:
            return InstructionOutcome.TIME_LIMIT, f'time limit: not done, {self._short}'
        if self._losses and not self._was_done:
            return InstructionOutcome.ABORTED, self._lost
        return InstructionOutcome.TIME_LIMIT, 'time limit'


STILL_RAD, STILL_S = 0.02, 0.3
"""A joint that moves less than this for so long is at rest."""


class Arrival:
    """Whether the joints are where the policy wants them.

    A joint is short of its target where no point of the chunk is near it: the policy plays a motion
    by time, and the joint did not follow. It is held back where it rests, the chunk leads on, and
    the safety filter applies a limit.
    """

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._rest: np.ndarray | None = None
        self._since = np.zeros(0)

    def begin(self) -> None:
        self._rest = None

    def update(
        self,
        chunk: ActionChunk,
        observation: Observation,
        indices: Sequence[int],
        holding: Sequence[str],
        now: float,
    ) -> str:
        """Why the motion has not arrived, for the operator; empty if it has. indices: of the
        chunk's joints among the robot's. holding: limits that the filter applies now."""
        measured = observation.position
        if self._rest is None or self._rest.shape != measured.shape:
            self._rest, self._since = measured.copy(), np.full(measured.shape, now)
        moved = np.abs(measured - self._rest) > STILL_RAD
        self._rest[moved], self._since[moved] = measured[moved], now
        at = np.asarray(indices)
        away = np.abs(chunk.positions - measured[at])
        short = away.min(axis=0)
        if holding:
            resting = now - self._since[at] >= STILL_S - 1e-9
            short = np.where(resting, np.maximum(short, away[-1]), short)
        worst = int(np.argmax(short))
        if short[worst] <= self._tolerance:
            return ''
        by = f', held by the safety filter ({", ".join(holding)})' if holding else ''
        return f'{chunk.joints[worst]} is {short[worst]:.2f} rad short of its target{by}'
