# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A fault campaign: injects one fault after the other and assesses each outcome."""

import fnmatch
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from vla_common.messages import stamp_to_ns
from vla_common.states import Behaviour, Mode
from vla_validation.faults.fault import ALONE, STOPS, Fault, FaultOutcome, UnexpectedError
from vla_validation.faults.harness import FaultHarness
from vla_validation.faults.observer import Observer
from vla_validation.system_harness.robot import HarnessError

EXCESS = 0.03
"""rad beyond a joint's limit that a compliant servo under load may show."""

_STOP_LATEST = 12.0  # s until a stop that has to follow
_PROOF_LATEST = 2.5  # s for the proof that the fault was injected
_AFTER = 0.7  # s in which nothing may move by itself once the fault is over


def _tracks(harness: FaultHarness, since: int) -> bool:
    """Whether the driver reports, after ``since`` (ns), that it follows commands.

    The driver, because the supervisor may be dead; the stamp, because the last message of a driver
    that was frozen is from before that.
    """
    driver = harness.driver
    return (
        driver is not None
        and Behaviour(driver.behaviour) is Behaviour.TRACK
        and stamp_to_ns(driver.header.stamp) >= since
    )


def _wrong_stop(observer: Observer, fault: Fault, observed: str, injected: int) -> list[str]:
    """What is wrong with a stop in an expected mode: its cause, or its time."""
    found = []
    by_driver = observed == ALONE
    why = observer.why_alone(injected) if by_driver else observer.why(injected, observed)
    if not any(fnmatch.fnmatchcase(name, pattern) for name in why for pattern in fault.causes):
        stopped_by, wanted = ', '.join(why) or 'no cause', ' or '.join(fault.causes)
        found.append(f'stopped by {stopped_by}, wanted {wanted}')
    took = observer.detection_ms(injected)
    if took is not None and not took <= 1e3 * fault.within:
        found.append(f'stopped after {took:.0f} ms, limit {1e3 * fault.within:.0f}')
    return found


class Campaign:
    """One robot for many faults; a new one where the robot does not recover.

    Args:
        arguments: of the robot's launch file.
        log: for what the processes print.
        tries: of each fault, until it ends as expected. On a crowded machine the robot may stop
            for want of processor time while another fault is injected.
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
        self._harness: FaultHarness | None = None

    def run(self, faults: Sequence[Fault], report: Callable[[str], None]) -> Iterator[FaultOutcome]:
        """Outcomes, one by one, by relayed topic: each takes a robot of its own.

        Raises HarnessError where no robot comes up at all.
        """
        try:
            for fault in sorted(faults, key=lambda f: f.relayed.name if f.relayed else ''):
                yield self._tried(fault, report)
        finally:
            self.close()

    def _tried(self, fault: Fault, report: Callable[[str], None]) -> FaultOutcome:
        before: list[str] = []
        while True:
            report(fault.name if not before else f'{fault.name}, once more')
            outcome = self._one(fault)
            tries = len(before) + 1
            if outcome.ok or tries >= self._tries:
                return replace(outcome, tries=tries, before=tuple(before))
            before.append(outcome.note)

    def close(self) -> None:
        """Take the robot down."""
        if self._harness is not None:
            self._harness.close()
            self._harness = None

    def _prepared(self, fault: Fault) -> FaultHarness:
        for last in (False, True):
            try:
                if self._harness is not None and self._harness.relayed != fault.relayed:
                    self.close()
                if self._harness is None:
                    self._harness = FaultHarness(self._arguments, self._log, fault.relayed)
                    self._harness.wait_mode(Mode.READY)
                self._harness.prepare(fault.moving)
                return self._harness
            except HarnessError:
                self.close()
                if last:
                    raise
        raise AssertionError('not reached')

    def _one(self, fault: Fault) -> FaultOutcome:
        harness = self._prepared(fault)
        harness.mark()
        note = ''
        observed = ''
        try:
            with fault.inject(harness):
                self._observe(harness, fault)
                observed = self._observed(harness)
                if not harness.poll_until(lambda: harness.proof, _PROOF_LATEST):
                    note = 'nothing proves that it was injected'
            over = time.time_ns()
            if observed in STOPS and harness.poll_until(lambda: _tracks(harness, over), _AFTER):
                note = 'moves again by itself'
        except UnexpectedError as wrong:
            note = str(wrong)
        except HarnessError as wrong:
            note = str(wrong).splitlines()[0]
        return self._assess(harness, fault, observed or self._observed(harness), note)

    def _observe(self, harness: FaultHarness, fault: Fault) -> None:
        stop_is_optional = not set(fault.expected) <= set(STOPS)
        latest = fault.observed_for if stop_is_optional else _STOP_LATEST
        stopped = harness.poll_until(lambda: self._observed(harness) in STOPS, latest)
        if stopped and set(fault.expected) & set(STOPS):
            harness.poll_until(lambda: self._settled(harness), self._rest_latest)

    @staticmethod
    def _settled(harness: FaultHarness) -> bool:
        """Whether the behaviour of the stop has begun and ended, as far as the driver reports."""
        driver = harness.driver
        if driver is None or Behaviour(driver.behaviour) is Behaviour.TRACK:
            return False
        return driver.behaviour_done and harness.observer.rest_ms(harness.injected) is not None

    @staticmethod
    def _observed(harness: FaultHarness) -> str:
        states, behaviours = harness.observer.states, harness.observer.behaviours
        mode = states[-1][1] if states else harness.mode
        name = mode.name if mode is not None else 'no supervisor'
        alone = [ns for ns, b in behaviours if b is Behaviour.STAND and ns >= harness.injected]
        stops = [ns for ns, m in states if m in (Mode.SAFE_STOP, Mode.ESTOP)]
        if alone and not any(ns >= harness.injected for ns in stops) and mode is not Mode.READY:
            return ALONE
        return name

    @staticmethod
    def _assess(harness: FaultHarness, fault: Fault, observed: str, note: str) -> FaultOutcome:
        observer = harness.observer
        stopped = observed in STOPS
        detection_ms = observer.detection_ms(harness.injected)
        complaints = [note] if note else []
        if observed not in fault.expected:
            causes = ', '.join(sorted(observer.causes)) or 'no cause'
            complaints.append(f'ended in {observed} ({causes})')
        elif stopped and fault.causes:
            complaints += _wrong_stop(observer, fault, observed, harness.injected)
        if observer.fell:
            complaints.append('the robot fell')
        if observer.worst_excess > EXCESS:
            complaints.append(f'a joint went {observer.worst_excess:.3f} rad beyond its limit')
        if stopped and detection_ms is None:
            complaints.append('it had stopped before')
        behaviour = harness.behaviour
        return FaultOutcome(
            name=fault.name,
            expected=' or '.join(fault.expected),
            observed=observed,
            behaviour=behaviour.name if behaviour is not None else '',
            ok=not complaints,
            detection_ms=detection_ms if stopped else None,
            rest_ms=observer.rest_ms(harness.injected) if stopped else None,
            worst_excess_rad=round(observer.worst_excess, 4),
            fell=observer.fell,
            sank=observer.sank,
            causes=tuple(sorted(observer.causes)),
            note='; '.join(complaints),
        )
