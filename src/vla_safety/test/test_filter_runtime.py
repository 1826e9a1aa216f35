# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Motion under a supervisor: when it is allowed, what a stop flushes, where it starts again."""

import dataclasses

import numpy as np
import pytest

from vla_common.states import FilterState, Level, Mode
from vla_safety.filter import SafetyFilter
from vla_safety.filter_runtime import FilterRuntime, Timeouts
from vla_safety.supervisor_command import SupervisorCommand
from vla_safety.testing.synthetic import SyntheticRobot
from vla_safety.violations import ViolationKind

NS = 1_000_000_000


class Plant:
    """Supervisor, driver and joints that follow, moved by hand; each part may be silenced."""

    def __init__(self, parameters, start=0.2) -> None:
        robot = SyntheticRobot.uniform()
        self.subject = FilterRuntime(
            SafetyFilter(robot, parameters), Timeouts(0.05, 0.1, 0.1, 0.1, 0.1), level_hold=0.3
        )
        self.now = 50.0
        self.q, self.v = np.full(2, start), np.zeros(2)
        self.reference = self.q.copy()
        self.mode, self.epoch, self.scale = Mode.READY, 1, 1.0
        self.sequence = 0
        self.silent: set[str] = set()
        self.reports = []

    @property
    def stamp(self) -> int:
        return round(self.now * NS)

    def order(self, **changes) -> None:
        self.sequence += 1
        order = SupervisorCommand(self.mode, self.epoch, self.scale, self.stamp, self.sequence)
        self.subject.on_supervisor(dataclasses.replace(order, **changes), self.now)

    def step(self, dt=0.01):
        self.now += dt
        if 'supervisor' not in self.silent:
            self.order()
        if 'joints' not in self.silent:
            self.subject.measured.update(self.q, self.v, self.stamp, self.now)
        if 'reference' not in self.silent:
            self.subject.reference.update(self.reference, np.zeros(2), self.stamp, self.now)
        report = self.subject.tick(self.now)
        if report.command is not None and self.mode is Mode.RUNNING:
            self.q, self.v = report.command.position, report.command.velocity
            self.reference = self.q
        self.reports.append(report)
        return report

    def run(self, seconds):
        return [self.step() for _ in range(round(seconds / 0.01))]

    def start(self) -> None:
        self.run(0.05)
        self.mode = Mode.RUNNING
        self.run(0.02)

    def track(self, seconds=0.2) -> None:
        self.start()
        self.send()
        self.run(seconds)

    def send(self, positions=None, names=('joint_0', 'joint_1'), stamp=None, times=None):
        if positions is None:
            positions = self.q + np.linspace(0.05, 0.6, 16)[:, None]
        times = (np.arange(16) + 1) * 0.1 if times is None else times
        stamp = self.stamp if stamp is None else stamp
        age = self.now - stamp / NS
        return self.subject.on_chunk(list(names), times, positions, None, stamp, age, self.now)


@pytest.fixture
def plant(parameters) -> Plant:
    return Plant(parameters)


def test_before_the_first_message_nothing_is_commanded(plant):
    plant.silent = {'supervisor', 'joints', 'reference'}
    report = plant.step()
    assert report.command is None
    assert report.state is FilterState.GATED
    assert report.reason == 'supervisor silent'


@pytest.mark.parametrize('mode', [Mode.INACTIVE, Mode.READY, Mode.SAFE_STOP, Mode.ESTOP])
def test_outside_running_the_command_is_the_drivers_reference_and_chunks_are_dropped(plant, mode):
    plant.mode = mode
    plant.reference = np.array([0.3, -0.4])
    plant.run(0.05)
    assert plant.send() == []
    report = plant.step()
    assert report.state is FilterState.GATED
    assert report.reason == f'mode {mode.name}'
    assert report.command.position.tolist() == [0.3, -0.4]
    assert not report.command.velocity.any()
    assert plant.subject.chunks_accepted == 0


def test_running_begins_where_the_servos_are_and_without_a_jump(plant):
    plant.reference = np.array([0.25, 0.15])
    plant.run(0.05)
    plant.mode = Mode.RUNNING
    report = plant.step()
    assert report.state is FilterState.NO_CHUNK
    assert report.command.position.tolist() == [0.25, 0.15]
    plant.send()
    before = plant.q
    report = plant.step()
    assert report.state is FilterState.TRACKING
    assert np.abs(report.command.position - before).max() <= 10.0 * 0.01**2 + 1e-9


def test_without_a_driver_reference_it_begins_where_the_joints_are(plant):
    plant.silent = {'reference'}
    plant.reference = np.array([0.9, 0.9])
    plant.start()
    assert plant.reports[-1].command.position.tolist() == [0.2, 0.2]


def test_a_chunk_of_an_observation_from_before_running_is_dropped_and_not_counted_as_rejected(
    plant,
):
    plant.run(0.05)
    stamp = plant.stamp
    plant.mode = Mode.RUNNING
    plant.run(0.02)
    assert plant.send(stamp=stamp) == []
    assert plant.step().state is FilterState.NO_CHUNK
    assert plant.subject.chunks_rejected == 0
    plant.send()
    assert plant.step().state is FilterState.TRACKING


def test_a_new_epoch_within_running_flushes_the_chunk_and_wants_a_new_observation(plant):
    plant.track()
    old = plant.stamp
    plant.epoch += 1
    plant.step()
    assert plant.send(stamp=old) == []
    reports = plant.run(0.3)
    assert all(report.state is not FilterState.TRACKING for report in reports)
    assert not reports[-1].command.velocity.any()
    plant.send()
    assert plant.step().state is FilterState.TRACKING


def test_a_stop_and_start_does_not_resume_the_old_motion(plant):
    plant.track()
    plant.mode = Mode.SAFE_STOP
    assert plant.step().state is FilterState.GATED
    plant.mode = Mode.RUNNING
    rest = plant.q.copy()
    reports = plant.run(0.5)
    assert all(report.state is FilterState.NO_CHUNK for report in reports)
    assert plant.q == pytest.approx(rest)


def test_a_filter_that_comes_up_in_the_middle_of_running_waits_for_the_next_beginning(plant):
    plant.track()
    plant.subject.restart()
    report = plant.step()
    assert report.state is FilterState.GATED
    assert report.reason == 'mode RUNNING began before the filter was active'
    plant.send()
    # A command at rest would halt at once what the driver is still moving; without one it brakes.
    assert all(report.command is None for report in plant.run(0.3))
    assert plant.subject.chunks_accepted == 1
    plant.mode = Mode.READY
    plant.start()
    plant.send()
    assert plant.step().state is FilterState.TRACKING


def test_a_silent_supervisor_brakes_to_rest_and_then_gates(plant):
    plant.track(0.4)
    assert plant.v.min() > 0.1
    plant.silent = {'supervisor'}
    reports = plant.run(0.5)
    states = [report.state for report in reports]
    first = states.index(FilterState.BRAKING)
    assert 9 <= first <= 11, 'after 100 ms'
    assert reports[first].reason.startswith('supervisor_silent')
    assert reports[first].level == Level.DANGER
    gated = states.index(FilterState.GATED)
    assert set(states[first:gated]) <= {FilterState.BRAKING, FilterState.NO_CHUNK}
    speeds = [np.abs(report.command.velocity).max() for report in reports[first:]]
    assert np.diff(speeds).max() <= 0.0
    assert speeds[0] - speeds[1] == pytest.approx(0.1, abs=0.01), 'along the acceleration limit'
    assert reports[-1].reason == 'supervisor silent'


def test_a_chunk_that_arrives_while_the_supervisor_is_silent_moves_nothing(plant):
    plant.start()
    plant.silent = {'supervisor'}
    plant.run(0.2)
    rest = plant.q.copy()
    plant.send()
    plant.run(0.2)
    assert plant.q == pytest.approx(rest)


@pytest.mark.parametrize('fresh_stamp', [False, True])
@pytest.mark.parametrize('older', [0, 3])
def test_a_replayed_order_does_not_keep_the_supervisor_alive(plant, fresh_stamp, older):
    plant.start()
    plant.send()
    plant.silent = {'supervisor'}
    last = plant.subject.gate.command
    for _ in range(30):
        plant.step()
        stamp = plant.stamp if fresh_stamp else last.stamp
        replay = dataclasses.replace(last, stamp=stamp, sequence=last.sequence - older)
        plant.subject.on_supervisor(replay, plant.now)
    assert plant.reports[-1].state is FilterState.GATED
    assert plant.reports[-1].reason == 'supervisor silent'


def test_a_restarted_supervisor_is_accepted_again(plant):
    plant.start()
    plant.silent = {'supervisor'}
    plant.run(0.3)
    plant.silent, plant.sequence, plant.mode = set(), 0, Mode.READY
    assert plant.step().reason == 'mode READY'


def test_silent_joint_states_brake_with_a_reason_and_only_a_new_chunk_moves_again(plant):
    plant.track(0.4)
    plant.silent = {'joints'}
    reports = plant.run(0.4)
    braking = [r for r in reports if r.state is FilterState.BRAKING]
    assert braking[0].reason.startswith('state_stale joint_states')
    assert braking[0].level == Level.DANGER
    assert not reports[-1].command.velocity.any()
    assert [item.kind for item in plant.send()] == [ViolationKind.STATE_STALE]
    plant.silent = set()
    assert plant.run(0.2)[-1].state is FilterState.NO_CHUNK
    plant.send()
    assert plant.step().state is FilterState.TRACKING


def test_readings_that_are_not_finite_or_replayed_count_as_silence(plant):
    readings = plant.subject.measured
    assert readings.update(np.zeros(2), np.zeros(2), 5, 1.0)
    assert not readings.update(np.array([np.nan, 0.0]), np.zeros(2), 6, 2.0)
    assert not readings.update(np.ones(2), np.zeros(2), 5, 2.0)
    assert readings.age(2.0) == pytest.approx(1.0)
    assert readings.position.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ('change', 'kind'),
    [
        ({'names': ('joint_0', 'tail')}, ViolationKind.UNKNOWN_JOINT),
        ({'names': ('joint_0', 'joint_0')}, ViolationKind.DUPLICATE_JOINT),
        ({'names': ('joint_0',)}, ViolationKind.WRONG_SHAPE),
        ({'positions': np.full((16, 2), np.nan)}, ViolationKind.NOT_FINITE),
        ({'times': np.zeros(16)}, ViolationKind.WRONG_TIMES),
    ],
)
def test_a_malformed_chunk_is_named_in_the_report_brakes_and_lifts_the_level_for_a_while(
    plant, change, kind
):
    plant.track()
    plant.now += 1e-3
    assert plant.send(**change)[0].kind is kind
    report = plant.step()
    assert report.violations[0].kind is kind
    assert report.level == Level.DANGER
    assert plant.subject.counts[kind] >= 1
    assert plant.subject.chunks_rejected == 1
    report = plant.run(0.2)[-1]
    assert report.reason.startswith(f'chunk rejected: {kind.value}')
    assert report.level == Level.DANGER, 'held, so that a supervisor at any rate sees it'
    report = plant.run(0.4)[-1]
    assert report.level == Level.SAFE
    assert not report.command.velocity.any()


def test_the_supervisors_speed_scale_is_in_force(plant):
    plant.scale = 0.5
    plant.start()
    plant.send(positions=np.full((16, 2), 0.7))
    reports = plant.run(0.6)
    assert max(np.abs(r.command.velocity).max() for r in reports) == pytest.approx(1.0, rel=0.02)
    assert reports[-1].command.speed_scale == pytest.approx(0.5)


def test_gravity_follows_the_base_and_falls_back_to_upright(parameters):
    robot = SyntheticRobot.uniform(weight=10.0)
    subject = FilterRuntime(
        SafetyFilter(robot, parameters), Timeouts(0.05, 0.1, 0.1, 0.1, 0.1), level_hold=0.0
    )

    def effort(now):
        subject.measured.update(np.full(2, 0.5), np.zeros(2), round(now * NS), now)
        return subject.tick(now).command.effort[0]

    upright = 10.0 * np.sin(0.5)
    assert effort(1.0) == pytest.approx(upright)
    half = np.cos(np.pi / 6), np.sin(np.pi / 6), 0.0, 0.0  # rolled by 60°
    subject.on_imu(half, 1, 1.01)
    assert effort(1.02) == pytest.approx(0.5 * upright)
    for bad in ((np.nan, 0, 0, 0), (0, 0, 0, 0), (2, 0, 0, 0)):
        subject.on_imu(bad, 2, 1.03)
    assert subject.orientations_rejected == 3
    assert effort(1.04) == pytest.approx(0.5 * upright)
    assert effort(1.2) == pytest.approx(upright), 'an old orientation is stale'
