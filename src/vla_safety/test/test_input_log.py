# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The log of the ticks' inputs: replayed exactly, and a change is found at its own tick."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_common.states import FilterState, Mode
from vla_safety.coupled.limits import Infeasible
from vla_safety.filter import SafetyFilter
from vla_safety.filter_runtime import FilterRuntime, Timeouts
from vla_safety.input_log import LONGEST_WAIT, FilterReplay, InputLog, checksum
from vla_safety.supervisor_command import SupervisorCommand
from vla_safety.testing.synthetic import SyntheticRobot
from vla_safety.violations import ViolationKind, violation

NS = 1_000_000_000
NAMES = ['joint_0', 'joint_1']


class Budget:
    """Coupled limits that fail where the clock reports more than 1 s of work."""

    on_path, findings = False, ()

    def __init__(self, clock) -> None:
        self._clock = clock

    def reset(self) -> None: ...

    def set_contacts(self, left, right) -> None: ...

    def set_range(self, frame, distance, age) -> None: ...

    def restrict(self, wanted, low, high, state):
        begin = self._clock()
        if self._clock() - begin > 1.0:
            raise Infeasible('time budget')
        return wanted


def runtime(parameters, clock):
    budget = Budget(clock)
    core = SafetyFilter(SyntheticRobot.uniform(), parameters, (budget,))
    return FilterRuntime(core, Timeouts(0.05, 0.1, 0.1, 0.1, 0.1), 0.3, budget)


class LoggedFilter:
    """The filter as its node drives it, with a log; joints follow the command."""

    def __init__(self, parameters, slow=()) -> None:
        self.log = InputLog(2)
        self.log.enabled = True
        self.times = 0
        self.slow = slow
        self.subject = runtime(parameters, self.clock)
        self.now, self.sequence = 50.0, 0
        self.q = np.full(2, 0.2)
        self.messages, self.reports = [], []
        self.subject.restart()
        self.log.restart()

    def clock(self):
        """Every second call ends a piece of work, which takes 2 s in the ticks of `slow`."""
        self.times += 1
        late = self.times % 2 == 0 and len(self.reports) in self.slow
        self.log._clocks.append(now := self.times + 2.0 * late)
        return now

    def step(self, mode, silent=(), chunk=None, broken=False, late=0.0):
        self.now += 0.01 + late
        stamp = round(self.now * NS)
        self.sequence += 1
        if 'supervisor' not in silent:
            command = SupervisorCommand(mode, 1 + mode, 1.0, stamp, self.sequence)
            self.log.supervisor(command, self.now)
            self.subject.on_supervisor(command, self.now)
        for reference in (False, True):
            if ('reference' if reference else 'joints') not in silent:
                readings = self.subject.reference if reference else self.subject.measured
                reading = self.q, np.zeros(2), stamp, self.now, stamp
                self.log.joints(reference, *reading)
                readings.update(*reading)
        self.log.imu((1.0, 0.0, 0.0, 0.0), stamp, self.now, stamp)
        self.subject.on_imu((1.0, 0.0, 0.0, 0.0), stamp, self.now, stamp)
        self.log.contacts(True, False, self.sequence, self.now)
        self.subject.on_contacts(True, False, self.sequence, self.now)
        self.log.range('hand', 0.4, stamp, self.now, stamp)
        self.subject.on_range('hand', 0.4, stamp, self.now, stamp)
        if chunk is not None:
            times = 0.1 * np.arange(1.0, 9.0)
            positions = self.q + np.linspace(0.1, 1.0, 8)[:, None] * chunk
            taken = NAMES, times, positions, None, stamp, 0.0, self.now
            self.log.chunk(*taken)
            self.subject.on_chunk(*taken)
        if broken:
            why = violation(ViolationKind.TOO_LONG, 'bytes', 9.0, 1.0)
            self.log.rejected(why, self.now)
            self.subject.reject_chunk(why, self.now)
        report = self.subject.tick(self.now)
        self.log.tick(self.now, stamp, report)
        if report.command is not None and mode is Mode.RUNNING:
            self.q = report.command.position
        self.reports.append(report)
        if self.log.due:
            self.messages.append(self.log.take())


def replayed(parameters, messages):
    replay = FilterReplay(lambda clock: runtime(parameters, clock), 2)
    return [tick for data in messages for tick in replay.feed(data)], replay


def session(parameters, slow=()):
    """A second of READY, then motion by chunks, a stop, motion again."""
    made = LoggedFilter(parameters, slow)
    for i in range(400):
        made.step(*at(i))
    return made


def at(i):
    """Mode, silent sources and chunk of tick i of `session`."""
    running = 100 <= i < 250 or i >= 300
    chunk = (1.2 if i % 40 else -1.2) if running and i % 20 == 0 else None
    return Mode.RUNNING if running else Mode.READY, (), chunk


steps = st.tuples(
    st.sampled_from([Mode.READY, Mode.RUNNING, Mode.RUNNING, Mode.SAFE_STOP]),
    st.sets(st.sampled_from(['supervisor', 'joints', 'reference'])),
    st.none() | st.floats(-3.0, 3.0) | st.just(math.nan),
    st.booleans(),
    st.sampled_from([0.0, 0.0, 0.0, 0.02, 0.3]),
    st.integers(1, 30),
)


@given(st.lists(steps, min_size=1, max_size=12), st.sets(st.integers(0, 100)))
def test_any_session_is_replayed_bit_for_bit(parameters, sequence, slow):
    made = LoggedFilter(parameters, slow)
    for mode, silent, chunk, broken, late, times in sequence:
        made.step(mode, silent, chunk, broken, late)
        for _ in range(times):
            made.step(mode, silent)
    made.messages.append(made.log.take())
    ticks, replay = replayed(parameters, made.messages)
    assert len(ticks) == len(made.reports)
    assert all(tick.settled and tick.same for tick in ticks)
    assert replay.gaps == 0
    for tick, report in zip(ticks, made.reports, strict=True):
        assert checksum(tick.report) == checksum(report)
        assert tick.report.reason == report.reason


def test_a_session_moves_and_a_budget_that_ended_ends_again(parameters):
    made = session(parameters, slow={150})
    states = [report.state for report in made.reports]
    assert states[150] is FilterState.INFEASIBLE
    assert states.count(FilterState.TRACKING) > 100
    ticks, _ = replayed(parameters, made.messages)
    assert all(tick.same for tick in ticks)


@pytest.mark.parametrize('name', ['velocity_fraction', 'acceleration_fraction', 'cross_fade'])
def test_a_changed_parameter_is_found_at_the_tick_where_it_first_matters(parameters, name):
    made = session(parameters)
    changed = dataclasses.replace(parameters, **{name: 0.5 * getattr(parameters, name)})
    ticks, _ = replayed(changed, made.messages)
    first = next(i for i, tick in enumerate(ticks) if not tick.same)
    # The same inputs, given to a filter with the changed parameter without any log.
    other = LoggedFilter(changed)
    for i in range(first + 1):
        other.q = made.reports[i - 1].command.position if i > 100 else other.q
        other.step(*at(i))
        same = checksum(other.reports[i]) == checksum(made.reports[i])
        assert same == (i < first), i
    assert first >= 100


def test_a_replay_that_begins_late_or_has_a_gap_counts_from_a_tick_at_rest(parameters):
    made = session(parameters)
    ticks, replay = replayed(parameters, made.messages[2:])
    assert replay.gaps == 0
    assert not ticks[0].settled
    assert all(tick.same for tick in ticks if tick.settled)
    settled = [i for i, tick in enumerate(ticks) if tick.settled]
    assert settled == list(range(len(ticks) - len(settled), len(ticks)))
    assert len(settled) > 100
    ticks, replay = replayed(parameters, made.messages[:15] + made.messages[16:])
    assert replay.gaps == 1
    assert not ticks[150].settled, 'in motion: what was before is not known'
    assert all(tick.same for tick in ticks if tick.settled)


def test_without_a_recorder_nothing_is_kept(parameters):
    made = LoggedFilter(parameters)
    made.log.enabled = False
    made.log.take()
    for _ in range(50):
        made.step(Mode.READY)
    assert made.messages == []
    assert not made.log.due


def test_entries_without_a_tick_do_not_pile_up():
    """Inputs are received while the filter is inactive too, for hours."""
    log = InputLog(2)
    log.enabled = True
    for number in range(200):
        log.joints(False, np.zeros(2), np.zeros(2), number, 0.01 * number, number)
    one = len(log.take()) // 200
    for number in range(3 * LONGEST_WAIT // one):
        log.joints(False, np.zeros(2), np.zeros(2), number, 0.01 * number, number)
        assert log._size <= LONGEST_WAIT
    # What was dropped is missing in the numbers.
    assert int.from_bytes(log.take()[1:9], 'little') > 1


def test_a_log_of_another_version_or_robot_is_refused(parameters):
    made = session(parameters)
    with pytest.raises(ValueError, match='version 7, wanted 1'):
        replayed(parameters, [b'\x07' + made.messages[0][1:]])
    replay = FilterReplay(lambda clock: runtime(parameters, clock), 3)
    with pytest.raises(ValueError, match='2 joints, wanted 3'):
        list(replay.feed(made.messages[0]))
