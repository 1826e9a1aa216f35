# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Subject `supervisor`: odd reports of the nodes for the supervisor's health monitor and core."""

import random
from collections.abc import Callable

from vla_common.states import Behaviour, FilterState, InferenceState, Level, Mode
from vla_supervisor.core import DriverReport, OperatorStep, Supervisor
from vla_supervisor.endpoints import Endpoints
from vla_supervisor.health_monitor import HealthMonitor
from vla_supervisor.messages import StateMessages
from vla_validation.fuzz.odd import BYTES, FINITE, NAMES, NOT_FINITE, Clock, odd_stamp
from vla_validation.fuzz.outcome import (
    CaseResult,
    Outcome,
    SilentlyAccepted,
    UnexpectedMotion,
    assess,
)
from vla_validation.what_if.configuration import configuration, shipped_file

TICKS = 150
PERIOD = 0.02  # s
ODD = 0.08  # share of odd reports
SEQUENCES = (0, -1, 1, 2**32, 2**62)


class SupervisorSubject:
    """See the module."""

    def __init__(self) -> None:
        self._settings = configuration([shipped_file()], None).settings

    def run(self, seed: int) -> CaseResult:
        case = _Case(self._settings, seed)
        result = assess(case.play, 'reports')
        outcome = Outcome.REFUSED if result.outcome is Outcome.WORKS else result.outcome
        return CaseResult(outcome, case.text, result.detail)


class _ActiveNodes:
    """A lifecycle manager whose nodes are all active."""

    all_active = True

    def restarted(self) -> list[str]:
        return []

    def is_active(self, name: str) -> bool:
        return True

    is_present = was_up = is_active

    def why_not(self, name: str) -> str:
        return ''

    def doubt(self, now: float, name: str) -> None:
        pass


class _Case:
    def __init__(self, settings, seed: int) -> None:
        self._chance, self._clock = random.Random(seed), Clock()
        endpoints = Endpoints(False, 10.0)
        self._health = HealthMonitor(settings.limits, endpoints, _ActiveNodes())
        self._core = Supervisor(settings.core)
        self._core.forbid_auto_arm()
        self._messages = StateMessages()
        self._n = 1000
        self._behaviour = Behaviour.HOLD
        self._must_stop = ''
        self.text = ''

    def play(self) -> None:
        """Raises SilentlyAccepted, UnexpectedMotion, and whatever the cores raise."""
        for _ in range(10):
            self._report(0.0)
            self._decide()
        for step in (OperatorStep.ARM, OperatorStep.START):
            inputs = self._health.inputs(self._clock.now)
            decision, answer = self._core.request(self._clock.now, step, inputs)
            if not answer.success:
                raise SilentlyAccepted(f'{step.value} is refused to a good robot: {answer.message}')
            self._health.on_mode(decision.mode)
        self._behaviour = Behaviour.TRACK
        stopped = False
        for _ in range(TICKS):
            self._report(ODD)
            decision = self._decide()
            if decision.mode is Mode.RUNNING and stopped:
                raise UnexpectedMotion('RUNNING again, and no operator requested it')
            if decision.mode is Mode.RUNNING and self._must_stop:
                raise SilentlyAccepted(f'RUNNING after {self._must_stop}')
            stopped = stopped or decision.mode is not Mode.RUNNING
            self._behaviour = decision.behaviour

    def _decide(self):
        clock = self._clock
        decision = self._core.update(clock.now, self._health.inputs(clock.now))
        self._health.on_mode(decision.mode)
        missing = self._health.missing(clock.now)
        self._messages.create(decision, ('inference',), missing, clock.ns, clock.now)
        return decision

    def _report(self, odd: float) -> None:
        """One period: every node reports once, some oddly."""
        chance, clock = self._chance, self._clock
        clock.advance(PERIOD)
        ways: tuple[Callable[[bool], None], ...] = (
            self._driver, self._balance, self._filter, self._camera, self._inference,
        )  # fmt: skip
        for way in ways:
            self._n += 1
            if chance.random() < odd:
                self.text = f'odd {way.__name__.strip("_")} report'
                way(True)
            else:
                way(False)

    def _sequence(self, odd: bool) -> tuple[int, bool]:
        """A sequence, and whether the report counts."""
        if odd and self._chance.random() < 0.2:
            # Only old ones: one far ahead is a restarted node's, and ends the motion.
            return self._chance.choice([s for s in SEQUENCES if s < 1000]), False
        return self._n, True

    def _word(self) -> str:
        return self._chance.choice(NAMES)

    def _driver(self, odd: bool) -> None:
        chance = self._chance
        sequence, counts = self._sequence(odd)
        report = DriverReport(int(self._behaviour), True, True, True, 0.01)
        fault, sensors = None, ('', '', False)
        if odd:
            behaviour = chance.choice((int(self._behaviour), *BYTES))
            speed = chance.choice((0.01, *NOT_FINITE, *FINITE))
            report = DriverReport(behaviour, *(chance.random() < 0.5 for _ in range(3)), speed)
            fault = chance.choice((None, None, '', self._word()))
            sensors = chance.choice((sensors, (self._word(), self._word(), True)))
        if fault is not None and counts:
            self._must_stop = 'a fault of the driver'
        now = self._clock.now
        self._health.on_driver(now, sequence, report, self._word(), fault, sensors)

    def _balance(self, odd: bool) -> None:
        chance = self._chance
        sequence, counts = self._sequence(odd)
        level, fallen = int(Level.SAFE), False
        if odd:
            level, fallen = chance.choice(BYTES), chance.random() < 0.2
        if fallen and counts:
            self._must_stop = 'a fall'
        elif level >= Level.EMERGENCY and counts:
            self._must_stop = f'balance level {level}'
        self._health.on_balance(self._clock.now, sequence, level, self._word(), fallen)

    def _filter(self, odd: bool) -> None:
        chance = self._chance
        sequence, counts = self._sequence(odd)
        state, level = int(FilterState.TRACKING), int(Level.SAFE)
        if odd:
            state, level = chance.choice(BYTES), chance.choice(BYTES)
        if level >= Level.EMERGENCY and counts:
            self._must_stop = f'filter level {level}'
        self._health.on_filter(self._clock.now, sequence, state, level, self._word())

    def _camera(self, odd: bool) -> None:
        clock = self._clock
        stamp = odd_stamp(self._chance, clock) if odd else clock.ns
        self._health.on_camera(clock.now, stamp, clock.ns)

    def _inference(self, odd: bool) -> None:
        chance = self._chance
        sequence, _ = self._sequence(odd)
        state, finished, frozen = int(InferenceState.ACTIVE), 0, False
        if odd:
            state = chance.choice(BYTES)
            finished, frozen = chance.choice((0, 1, 2**32 - 1)), chance.random() < 0.1
        self._health.on_inference(self._clock.now, sequence, state, self._word(), finished, frozen)
