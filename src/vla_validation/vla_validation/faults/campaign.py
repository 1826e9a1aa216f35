# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Carries out one fault after the other and judges each."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from vla_common.messages import stamp_to_ns
from vla_common.states import Behaviour, Mode
from vla_validation.faults.fault import ALONE, STOPS, Fault, FaultOutcome, WentWrongError
from vla_validation.faults.harness import FaultHarness
from vla_validation.system_harness.robot import HarnessError

EXCESS = 0.03
"""rad beyond a joint's limit that a compliant servo under load may show."""

_STOP_LATEST = 12.0  # s until a stop that has to follow
_AFTER = 0.7  # s in which nothing may move by itself once the fault is over


def _tracks(stage: FaultHarness, since: int) -> bool:
    """By the driver's own word, given after ``since`` (ns): a supervisor may be dead by now, and
    the last word of a driver that was frozen is from before that."""
    driver = stage.robot.driver
    return (
        driver is not None
        and Behaviour(driver.behaviour) is Behaviour.TRACK
        and stamp_to_ns(driver.header.stamp) >= since
    )


class Campaign:
    """One stage for many faults; a new one where the robot does not come back.

    Args:
        arguments: of the robot's launch file.
        log: for what the processes print.
        tries: of each fault, until it ends as expected. On a crowded machine the robot may stop
            for want of processor time while something else is tried.
        rest_latest: s that rest is waited for after a stop; a damped robot sinks for up to 10 s.
    """

    def __init__(
        self,
        arguments: Mapping[str, str],
        log: pathlib.Path,
        tries: int = 2,
        rest_latest: float = 15.0,
    ) -> None:
        self._arguments, self._log, self._tries = arguments, log, tries
        self._rest_latest = rest_latest
        self._stage: FaultHarness | None = None

    def run(self, faults: Sequence[Fault], tell: Callable[[str], None]) -> Iterator[FaultOutcome]:
        """Outcomes, as they come. Raises RehearsalError where no robot comes up at all."""
        try:
            for fault in faults:
                yield self._tried(fault, tell)
        finally:
            self.close()

    def _tried(self, fault: Fault, tell: Callable[[str], None]) -> FaultOutcome:
        before: list[str] = []
        while True:
            tell(fault.name if not before else f'{fault.name}, once more')
            outcome = self._one(fault)
            tries = len(before) + 1
            if outcome.ok or tries >= self._tries:
                return replace(outcome, tries=tries, before=tuple(before))
            before.append(outcome.note)

    def close(self) -> None:
        """Take the robot down."""
        if self._stage is not None:
            self._stage.close()
            self._stage = None

    def _ready_stage(self, fault: Fault) -> FaultHarness:
        for last in (False, True):
            try:
                if self._stage is not None and self._stage.relayed is not fault.relayed:
                    self.close()
                if self._stage is None:
                    self._stage = FaultHarness(self._arguments, self._log, fault.relayed)
                    self._stage.up()
                self._stage.prepare(fault.moving)
                return self._stage
            except HarnessError:
                self.close()
                if last:
                    raise
        raise AssertionError('not reached')

    def _one(self, fault: Fault) -> FaultOutcome:
        stage = self._ready_stage(fault)
        stage.mark()
        note = ''
        observed = ''
        try:
            with fault.do(stage):
                self._watch(stage, fault)
                observed = self._observed(stage)
            over = time.time_ns()
            if observed in STOPS and stage.robot.holds(lambda: _tracks(stage, over), _AFTER):
                note = 'moves again by itself'
        except WentWrongError as wrong:
            note = str(wrong)
        except HarnessError as wrong:
            note = str(wrong).splitlines()[0]
        return self._judge(stage, fault, observed or self._observed(stage), note)

    # -- watching ---------------------------------------------------------------------------------

    def _watch(self, stage: FaultHarness, fault: Fault) -> None:
        robot = stage.robot
        if not set(fault.expected) & set(STOPS):
            robot.holds(lambda: self._observed(stage) in STOPS, fault.watched)
            return
        may_go_on = not set(fault.expected) <= set(STOPS)
        latest = fault.watched if may_go_on else _STOP_LATEST
        robot.holds(lambda: self._observed(stage) in STOPS, latest)
        if self._observed(stage) in STOPS:
            robot.holds(lambda: self._settled(stage), self._rest_latest)

    @staticmethod
    def _settled(stage: FaultHarness) -> bool:
        """The behaviour of the stop is in force, and has ended, as far as the driver can say."""
        driver = stage.robot.driver
        if driver is None or Behaviour(driver.behaviour) is Behaviour.TRACK:
            return False
        return driver.behaviour_done and stage.witness.rest_ms(stage.injected) is not None

    @staticmethod
    def _observed(stage: FaultHarness) -> str:
        states, behaviours = stage.witness.states, stage.witness.behaviours
        mode = states[-1][1] if states else stage.robot.mode
        name = mode.name if mode is not None else 'no supervisor'
        alone = [ns for ns, b in behaviours if b is Behaviour.STAND and ns >= stage.injected]
        stops = [ns for ns, m in states if m in (Mode.SAFE_STOP, Mode.ESTOP)]
        if alone and not any(ns >= stage.injected for ns in stops) and mode is not Mode.READY:
            return ALONE
        return name

    # -- judging ----------------------------------------------------------------------------------

    @staticmethod
    def _judge(stage: FaultHarness, fault: Fault, observed: str, note: str) -> FaultOutcome:
        witness = stage.witness
        complaints = [note] if note else []
        if observed not in fault.expected:
            causes = ', '.join(sorted(witness.causes)) or 'no cause'
            complaints.append(f'ended in {observed} ({causes})')
        if witness.fell:
            complaints.append('the robot fell')
        if witness.worst_excess > EXCESS:
            complaints.append(f'a joint went {witness.worst_excess:.3f} rad beyond its limit')
        stopped = observed in STOPS
        if stopped and witness.detection_ms(stage.injected) is None:
            complaints.append('it had stopped before')
        behaviour = stage.robot.behaviour
        return FaultOutcome(
            name=fault.name,
            expected=' or '.join(fault.expected),
            observed=observed,
            behaviour=behaviour.name if behaviour is not None else '',
            ok=not complaints,
            detection_ms=witness.detection_ms(stage.injected) if stopped else None,
            rest_ms=witness.rest_ms(stage.injected) if stopped else None,
            worst_excess_rad=round(witness.worst_excess, 4),
            fell=witness.fell,
            sank=witness.sank,
            causes=tuple(sorted(witness.causes)),
            note='; '.join(complaints),
        )
