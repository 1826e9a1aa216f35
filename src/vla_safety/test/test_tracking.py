# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Playing chunks: interpolation, hand-over, the end, speed scale, gaps in time."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_common.chunk_curve import ChunkCurve, Interpolation
from vla_common.states import FilterState
from vla_safety.chunk import Chunk, ChunkTracker
from vla_safety.coupled import Infeasible
from vla_safety.pipeline import SafetyPipeline
from vla_safety.testing.synthetic import SyntheticRobot
from vla_safety.violations import ViolationKind, violation


def sample(tracker: ChunkTracker, scale: float = 1.0, n: int = 1):
    target = np.zeros((2, n))
    tracker.sample(scale, target)
    return target


def chunk_of(function, stamp=0.0, h=16, step=0.1) -> Chunk:
    times = (np.arange(h) + 1) * step
    return Chunk(np.array([0]), times, function(times)[:, None], stamp)


@pytest.mark.parametrize('kind', list(Interpolation))
def test_interpolation_passes_through_the_points_and_is_exact_for_a_straight_line(kind):
    tracker = ChunkTracker(1, kind, cross_fade=0.1)
    tracker.take(chunk_of(lambda t: 0.5 * t - 0.1), now=0.0, scale=1.0)
    for step in range(150):
        position, velocity = sample(tracker)
        assert position[0] == pytest.approx(0.5 * step * 0.01 - 0.1, abs=1e-9)
        assert velocity[0] == pytest.approx(0.5, abs=1e-9)
        tracker.advance(0.01, 1.0)


@given(
    points=st.lists(st.floats(-1, 1), min_size=1, max_size=8),
    kind=st.sampled_from(list(Interpolation)),
    at=st.floats(0.0, 0.79),
    scale=st.floats(0.1, 1.0),
)
def test_the_compiled_playback_evaluates_the_shared_curve(points, kind, at, scale):
    chunk = chunk_of(lambda t: np.resize(points, len(t)), h=8)
    tracker = ChunkTracker(1, kind, cross_fade=0.1)
    tracker.take(chunk, now=0.0, scale=scale)
    tracker.advance(at, 1.0)
    curve = ChunkCurve(chunk.times, chunk.positions, interpolation=kind)
    position, velocity, _ = curve.state(tracker.playback_time)
    assert sample(tracker, scale)[0] == pytest.approx(position, abs=1e-12)
    assert sample(tracker, scale)[1] == pytest.approx(scale * velocity, abs=1e-9)


@pytest.mark.parametrize('kind', [Interpolation.CUBIC, Interpolation.MINIMUM_JERK])
def test_a_smooth_motion_is_reproduced_closely(kind):
    tracker = ChunkTracker(1, kind, cross_fade=0.1)
    tracker.take(chunk_of(lambda t: np.sin(2 * t)), now=0.2, scale=1.0)
    for step in range(130):
        position, velocity = sample(tracker)
        t = 0.2 + step * 0.01
        assert position[0] == pytest.approx(np.sin(2 * t), abs=0.004)
        assert velocity[0] == pytest.approx(2 * np.cos(2 * t), abs=0.15)
        tracker.advance(0.01, 1.0)


def test_given_velocities_are_used():
    tracker = ChunkTracker(1, Interpolation.CUBIC, cross_fade=0.1)
    chunk = dataclasses.replace(chunk_of(np.sin), velocities=np.full((16, 1), 0.25))
    tracker.take(chunk, now=0.3, scale=1.0)
    assert sample(tracker)[1][0] == pytest.approx(0.25)


def test_a_late_chunk_starts_at_the_point_that_is_due():
    tracker = ChunkTracker(1, Interpolation.LINEAR, cross_fade=0.1)
    tracker.take(chunk_of(lambda t: t), now=0.35, scale=1.0)
    assert sample(tracker)[0][0] == pytest.approx(0.35)
    assert tracker.horizon_left == pytest.approx(1.25)


@given(
    points=st.lists(st.floats(-1, 1), min_size=2, max_size=8),
    others=st.lists(st.floats(-1, 1), min_size=2, max_size=8),
    kind=st.sampled_from(list(Interpolation)),
    fade=st.floats(0.02, 0.5),
    at=st.floats(0.0, 0.19),
    third=st.booleans(),
)
def test_the_target_is_continuous_in_position_and_velocity_across_chunks(
    points, others, kind, fade, at, third
):
    #      old ───╮           wanted: leaves the old chunk with its position and velocity,
    #             ╰──── new   arrives on the new one after cross_fade seconds
    tracker = ChunkTracker(1, kind, fade)
    tracker.take(chunk_of(lambda t: np.resize(points, len(t))), now=0.0, scale=1.0)
    tracker.advance(at, 1.0)
    times = [at]
    if third:  # a chunk that comes while the fade before is still going on
        times.append(at + fade / 3)
    for now in times:
        before = sample(tracker)
        chunk = chunk_of(lambda t: np.resize(others, len(t)), stamp=now - 0.05)
        tracker.take(chunk, now=now, scale=1.0)
        after = sample(tracker)
        assert after[0][0] == pytest.approx(before[0][0], abs=1e-9)
        assert after[1][0] == pytest.approx(before[1][0], abs=1e-6)
        if now != times[-1]:
            tracker.advance(fade / 3, 1.0)
    tracker.advance(fade, 1.0)
    alone = ChunkTracker(1, kind, fade)
    alone.take(chunk, now=now, scale=1.0)
    alone.advance(fade, 1.0)
    assert sample(tracker)[0][0] == pytest.approx(sample(alone)[0][0], abs=1e-9)


def test_commands_follow_a_feasible_chunk_and_do_not_jump_when_chunks_follow_each_other(bench):
    outputs = []
    for _ in range(20):  # 10 Hz chunks with 50 ms latency, over 2 s
        t = bench.now - 10.0 - 0.05 + (np.arange(16) + 1) * 0.1
        assert bench.accept(bench.chunk(0.4 * (1 - np.cos(2 * t)), age=0.05)) == []
        outputs += bench.track(0.1)
    positions = np.array([output.position for output in outputs])
    t = (np.arange(len(outputs)) + 1) * 0.01
    expected = 0.4 * (1 - np.cos(2 * t))
    assert np.abs(positions[50:, 0] - expected[50:]).max() < 0.01
    assert not any(output.counts for output in outputs[50:]), 'nothing to clamp'


def test_a_step_is_reached_at_the_limits_without_overshoot(bench):
    #      ,------ 0.6
    #     /
    #  __/          v: up to the limit and down again, a trapezoid
    for _ in range(15):
        bench.accept(bench.chunk(np.full(16, 0.6), age=0.05))
        for output in bench.track(0.1):
            assert (output.position <= 0.6 + 1e-6).all()
    assert output.position == pytest.approx(0.6, abs=1e-4)


def test_a_step_is_reached_without_overshoot_where_jerk_is_limited(make_bench):
    bench = make_bench(SyntheticRobot.uniform(jerk=200.0))
    accelerations = [0.0]
    for _ in range(20):
        bench.accept(bench.chunk(np.full(16, 0.6), age=0.05))
        for _ in range(10):
            before = bench.v[0]
            output = bench.tick()
            accelerations.append((output.velocity[0] - before) / 0.01)
            assert (output.position <= 0.6 + 1e-3).all()
    assert output.position == pytest.approx(0.6, abs=1e-3)
    assert np.abs(np.diff(accelerations)).max() <= 200.0 * 0.01 + 1e-6


def test_chunks_that_stop_coming_end_in_a_brake_along_the_limits_and_rest(bench):
    bench.accept(bench.chunk(np.linspace(0.1, 0.6, 4)))
    outputs = bench.track(0.39)
    assert all(output.state is FilterState.TRACKING for output in outputs)
    speed = float(outputs[-1].velocity[0])
    outputs = bench.track(0.5)
    braking = [output for output in outputs if output.state is FilterState.BRAKING]
    assert braking[0].reason == 'chunk horizon ended'
    assert outputs[-1].state is FilterState.NO_CHUNK
    assert outputs[-1].reason == 'chunk horizon ended'
    # At 10 rad/s²: speed/10 seconds, one tick more or less.
    assert len(braking) * 0.01 == pytest.approx(speed / 10.0, abs=0.025)
    assert outputs[-1].chunk_age == outputs[-1].playback_time == -1.0
    assert outputs[-1].playback_rate == 0.0


def test_a_chunk_is_not_followed_beyond_its_age_however_slow_the_playback(make_bench):
    bench = make_bench(max_playback_age=0.3)
    bench.accept(bench.chunk(np.linspace(0.01, 0.1, 16)))
    outputs = bench.track(0.6, speed_scale=0.5)
    assert outputs[10].state is FilterState.TRACKING
    assert outputs[-1].state is FilterState.NO_CHUNK
    assert outputs[-1].reason == 'chunk too old'


def test_joints_that_no_chunk_covers_stay_where_they_are(bench):
    bench.accept(bench.chunk(np.linspace(0.05, 0.5, 16), joints=[1]))
    outputs = bench.track(1.0)
    assert all(output.position[0] == 0.0 for output in outputs)
    assert outputs[-1].position[1] > 0.2


def test_half_speed_plays_the_same_path_in_twice_the_time(make_bench):
    path = 0.2 * np.linspace(0.1, 1.6, 16)
    full, half = make_bench(), make_bench()
    half.filter.reset(half.q, speed_scale=0.5)
    for bench, scale in ((full, 1.0), (half, 0.5)):
        bench.accept(bench.chunk(path))
        bench.outputs = bench.track(1.4 / scale, speed_scale=scale)
        assert bench.outputs[-1].playback_rate == scale
        assert bench.outputs[-1].playback_time == pytest.approx(1.4)
    fast = np.array([output.position[0] for output in full.outputs])
    slow = np.array([output.position[0] for output in half.outputs])
    assert slow[-1] == pytest.approx(fast[-1], abs=0.005)
    assert slow[len(slow) // 2] == pytest.approx(fast[len(fast) // 2], abs=0.005)
    assert np.diff(slow).max() / 0.01 <= 0.5 * 2.0 + 1e-9


def test_a_change_of_speed_scale_while_moving_stays_inside_the_acceleration_limit(bench):
    bench.accept(bench.chunk(1.6 * np.linspace(0.1, 1.6, 16) - 1.0 + 1.0, step=0.1))
    velocities, scales = [np.zeros(2)], []
    for tick in range(60):
        output = bench.tick(speed_scale=1.0 if tick < 25 else 0.25)
        velocities.append(output.velocity)
        scales.append(output.speed_scale)
    changes = np.abs(np.diff(velocities, axis=0))
    assert changes.max() <= 10.0 * 0.01 + 1e-9
    assert velocities[25][0] > 1.4
    assert scales[30] == pytest.approx(1.0 - 6 * 0.01 * 2.0), 'ramped at speed_scale_rate'
    assert scales[-1] == pytest.approx(0.3)


@pytest.mark.parametrize('stage', ['sim', 'slow', 'fast'])
def test_the_stage_bounds_the_speed(make_bench, stage):
    bench = make_bench(stage=stage)
    bench.accept(bench.chunk(np.full(16, 0.9)))
    fastest = max(np.abs(output.velocity).max() for output in bench.track(1.0))
    expected = {'sim': 2.0, 'slow': 0.5, 'fast': 2.0}[stage]
    assert fastest == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize('scale', [np.nan, np.inf, -1.0, 1.5])
def test_an_invalid_speed_scale_stops(bench, scale):
    bench.accept(bench.chunk(np.linspace(0.05, 0.8, 16)))
    bench.track(0.2)
    outputs = bench.track(1.0, speed_scale=scale)
    assert outputs[-1].velocity == pytest.approx(0.0, abs=1e-6), outputs[-1]


@pytest.mark.parametrize('dt', [0.05, 0.2, 10.0, np.inf])
def test_a_huge_gap_moves_the_command_no_further_than_the_longest_period(bench, dt):
    bench.accept(bench.chunk(np.linspace(0.1, 0.9, 8)))
    bench.track(0.3)
    before = bench.q
    assert np.abs(bench.v[0]) > 0.5
    output = bench.filter.tick(bench.now + min(dt, 10.0), dt, bench.q, bench.v)
    assert np.abs(output.position - before).max() <= 2.0 * bench.parameters.max_period
    assert ViolationKind.LATE_TICK in output.counts or not np.isfinite(dt)


@pytest.mark.parametrize('dt', [0.0, -0.01, np.nan, 5e-5])
def test_no_time_means_no_motion_the_command_is_repeated(bench, dt):
    bench.accept(bench.chunk(np.linspace(0.1, 0.9, 8)))
    last = bench.track(0.2)[-1]
    assert bench.filter.tick(bench.now, dt, bench.q, bench.v) is last


def test_a_measured_state_that_is_not_finite_brakes_with_a_reason(bench):
    bench.accept(bench.chunk(np.linspace(0.05, 0.8, 16)))
    bench.track(0.2)
    bench.now += 0.01
    output = bench.filter.tick(bench.now, 0.01, np.array([np.nan, 0.0]), bench.v)
    assert ViolationKind.STATE_STALE in output.counts
    assert output.state is FilterState.BRAKING
    assert np.isfinite(output.position).all()


def test_a_stop_brakes_at_the_full_acceleration_and_drops_the_chunk(bench):
    bench.accept(bench.chunk(np.linspace(0.05, 0.8, 16)))
    bench.track(0.3)
    speed = bench.v[0]
    output = bench.tick(stop=violation(ViolationKind.SUPERVISOR_SILENT, '', 0.12, 0.1))
    assert output.velocity[0] == pytest.approx(speed - 0.1)
    assert bench.tick().state is FilterState.BRAKING


def test_torque_stops_a_command_from_winding_up_against_a_blocked_joint(make_bench):
    robot = SyntheticRobot.uniform(effort=20.0, kp=100.0)
    bench = make_bench(robot)
    bench.accept(bench.chunk(np.linspace(0.05, 0.9, 16)))
    blocked = np.zeros(2)
    kinds = set()
    for _ in range(100):
        bench.now += 0.01
        output = bench.filter.tick(bench.now, 0.01, blocked, blocked)
        kinds |= set(output.counts)
    # 20 Nm · effort_fraction / 100 Nm/rad
    reach = 20.0 * bench.parameters.effort_fraction / 100.0
    assert output.position[0] == pytest.approx(reach, abs=0.01)
    assert ViolationKind.TORQUE in kinds


def test_gravity_takes_its_share_of_the_torque(make_bench):
    # A pendulum of 30 Nm·sin(q) held out at 0.8 rad: its weight is fed forward, and the window
    # around the measured joint is narrower upwards.
    robot = SyntheticRobot.uniform(effort=40.0, kp=100.0, weight=30.0)
    bench = make_bench(robot)
    bench.q = np.full(2, 0.8)
    bench.filter.reset(bench.q)
    bench.accept(bench.chunk(np.full(16, 0.95)))
    blocked, still = np.full(2, 0.8), np.zeros(2)
    for _ in range(100):
        bench.now += 0.01
        output = bench.filter.tick(bench.now, 0.01, blocked, still)
    assert output.effort[0] == pytest.approx(30.0 * np.sin(output.position[0]))
    torque = 100.0 * (output.position[0] - 0.8) + output.effort[0]
    assert torque <= 40.0 * bench.parameters.effort_fraction + 1.0


class Wall:
    """Coupled limits that allow no more than a speed."""

    findings = ()

    def __init__(self, speed):
        self.speed = speed

    def restrict(self, wanted, low, high, state):
        assert state.period > 0
        return np.clip(wanted, -self.speed, self.speed)


class Impossible:
    findings = ()

    def restrict(self, wanted, low, high, state):
        raise Infeasible('hand against head')


class Broken:
    findings = ()

    def __init__(self, answer):
        self.answer = answer

    def restrict(self, wanted, low, high, state):
        return self.answer


def test_the_answer_of_the_coupled_limits_is_sent(make_bench):
    bench = make_bench(coupled=(Wall(0.3),))
    bench.accept(bench.chunk(np.full(16, 0.8)))
    outputs = bench.track(0.3)
    assert max(np.abs(o.velocity).max() for o in outputs) == pytest.approx(0.3, abs=1e-9)
    assert outputs[-1].changed


@pytest.mark.parametrize(
    'limits',
    [Impossible(), Broken(np.full(2, np.nan)), Broken(np.full(2, 1e3)), Broken(np.zeros(3))],
    ids=['infeasible', 'nan', 'outside the box', 'wrong size'],
)
def test_without_an_answer_of_the_coupled_limits_the_brake_is_sent(make_bench, limits):
    bench = make_bench(coupled=())
    bench.accept(bench.chunk(np.linspace(0.05, 0.8, 16)))
    bench.track(0.3)
    speed = bench.v[0]
    bench.filter._coupled = (limits,)
    output = bench.tick()
    assert output.state is FilterState.INFEASIBLE
    assert ViolationKind.INFEASIBLE in output.counts
    assert output.velocity[0] == pytest.approx(speed - 0.1)
    assert (bench.track(0.5)[-1].velocity == 0.0).all()


def test_a_target_beyond_the_limit_is_reported_and_not_followed(bench):
    bench.accept(bench.chunk(np.full(16, 1.3)))
    outputs = bench.track(1.2)
    named = [item for output in outputs for item in output.violations]
    assert any(
        v.kind is ViolationKind.POSITION and v.subject == 'joint_0' and v.limit == 1.0
        for v in named
    )
    assert max(output.position.max() for output in outputs) <= 1.0
    assert all(len(output.violations) <= 8 for output in outputs)


@pytest.mark.parametrize('bad', [np.array([np.nan, 0.0]), np.zeros(3)])
def test_reset_to_an_invalid_position_is_rejected(bench, bad):
    with pytest.raises(ValueError, match='finite position'):
        bench.filter.reset(bad)


def test_the_pipeline_runs_an_episode_without_ros_and_may_begin_its_clock_anew(parameters):
    robot = SyntheticRobot.uniform()
    pipeline = SafetyPipeline(robot, parameters, dt=0.01, coupled=())
    for _ in range(2):
        q = np.array([0.1, -0.1])
        pipeline.reset(q)
        times = (np.arange(16) + 1) * 0.1
        positions = np.array([0.1, -0.1]) + 0.3 * times[:, None]
        assert pipeline.accept(Chunk(np.arange(2), times, positions, 0.0), 0.0) == []
        for tick in range(1, 101):
            output = pipeline.tick(tick * 0.01, 0.01, q, np.zeros(2))
            q = output.position
        assert q == pytest.approx(np.array([0.4, 0.2]), abs=0.01)
