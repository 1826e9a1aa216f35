# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Where one chunk takes over from another.

before    o---o---o---o---o---o
new               o---o---o---o---o---o      its first points are past when it comes
                  |     ^ now
             observation
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_inference.blender import (
    Blender,
    Blending,
    BlendingParameters,
    Plan,
    Playback,
    chosen,
    soft_mask,
)
from vla_policy.guided_sampling import sample
from vla_policy.types import ActionChunk
from vla_safety.parameters import load_parameters
from vla_safety.pipeline import Chunk, SafetyPipeline
from vla_validation.blending.closed_loop import ARM, DT, run
from vla_validation.blending.flow_expert import MixtureField

JOINTS = ('a', 'b')
STEP, HORIZON = 0.1, 16
TIMES = STEP * np.arange(1, HORIZON + 1)


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


def chunk_of(motion, stamp: float) -> ActionChunk:
    return ActionChunk(JOINTS, motion(stamp + TIMES), TIMES)


def smooth(t):
    t = np.asarray(t, float)
    return np.stack([0.3 * np.sin(t), 0.2 * np.cos(0.7 * t)], axis=-1)


@pytest.fixture(scope='module')
def filter_parameters():
    return load_parameters()


@pytest.mark.parametrize(
    ('parameter', 'bundle', 'guided', 'mode'),
    [
        ('ensemble', 'rtc', True, 'ensemble'),
        ('', 'rtc', False, 'rtc'),
        ('', 'replace', True, 'replace'),
        ('', '', True, 'rtc'),
        ('', '', False, 'replace'),
    ],
)
def test_mode_is_the_operators_the_bundles_or_what_suits_the_head(parameter, bundle, guided, mode):
    assert chosen(parameter, bundle, guided).value == mode


@pytest.mark.parametrize('mode', list(Blending))
def test_chunks_that_agree_are_published_as_they_are(mode):
    blender = Blender(BlendingParameters(mode))
    for k in range(12):
        stamp = 0.2 * k
        chunk = chunk_of(smooth, stamp)
        joined = blender.join(chunk, ns(stamp), ns(stamp + 0.15))
        np.testing.assert_allclose(joined.chunk.positions, chunk.positions, atol=2e-3)
        assert joined.jump.position < 2e-3
        assert joined.starved == 0.0


@given(
    st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=8),
    st.floats(0.1, 0.4),
    st.floats(0.02, 0.3),
)
@settings(deadline=None, max_examples=40)
def test_rtc_leaves_no_step_in_position_whatever_the_chunks(offsets, delay, gap):
    blender = Blender(BlendingParameters(Blending.RTC))
    stamp = 0.0
    for k, offset in enumerate(offsets):
        joined = blender.join(
            ActionChunk(JOINTS, smooth(stamp + TIMES) + offset, TIMES), ns(stamp), ns(stamp + delay)
        )
        if k:
            # Only that plans are read between their points, on grids that do not meet.
            assert joined.jump.position < 0.03
        stamp += delay + gap


def test_rtc_on_the_same_grid_is_continuous_in_position_velocity_and_acceleration():
    blender = Blender(BlendingParameters(Blending.RTC))
    blender.join(chunk_of(smooth, 0.0), 0, ns(0.25))
    other = ActionChunk(JOINTS, smooth(0.3 + TIMES) + 0.4, TIMES)
    joined = blender.join(other, ns(0.3), ns(0.55))
    assert joined.jump.position < 1e-9
    assert joined.jump.velocity < 1e-9
    assert joined.jump.acceleration < 1e-9
    assert joined.disagreement == pytest.approx(0.4, abs=1e-6)
    np.testing.assert_allclose(joined.chunk.positions[-1], other.positions[-1])


def test_replace_shows_the_whole_step():
    blender = Blender(BlendingParameters(Blending.REPLACE))
    blender.join(chunk_of(smooth, 0.0), 0, ns(0.25))
    joined = blender.join(ActionChunk(JOINTS, smooth(0.3 + TIMES) + 0.4, TIMES), ns(0.3), ns(0.5))
    assert joined.jump.position == pytest.approx(0.4, abs=1e-3)


def test_ensemble_is_the_weighted_mean_of_the_chunks_that_know_the_moment():
    blender = Blender(BlendingParameters(Blending.ENSEMBLE, decay=0.5))
    for k, value in enumerate((0.0, 1.0)):
        flat = ActionChunk(JOINTS, np.full((HORIZON, 2), value), TIMES)
        joined = blender.join(flat, ns(0.2 * k), ns(0.2 * k + 0.05))
    w = np.exp(-0.5)
    both = TIMES[-1] + 1e-9 >= TIMES + 0.2
    np.testing.assert_allclose(joined.chunk.positions[both], w / (1.0 + w))
    np.testing.assert_allclose(joined.chunk.positions[~both], 1.0)


def test_chunk_that_is_wholly_past_is_dropped():
    joined = Blender().join(chunk_of(smooth, 0.0), 0, ns(TIMES[-1] + 0.01))
    assert joined.chunk is None


def test_time_without_anything_to_play_is_starvation():
    blender = Blender()
    blender.join(chunk_of(smooth, 0.0), 0, ns(0.1))
    joined = blender.join(chunk_of(smooth, 2.0), ns(2.0), ns(2.1))
    assert joined.starved == pytest.approx(2.1 - TIMES[-1])


def test_at_a_quarter_of_the_speed_plans_are_aligned_by_what_was_really_played():
    blender = Blender(BlendingParameters(Blending.RTC))
    blender.join(chunk_of(smooth, 0.0), 0, ns(0.2), Playback(0.25))
    # 0.8 s later the robot is 0.2 s further in the motion.
    joined = blender.join(chunk_of(smooth, 0.2), ns(0.8), ns(1.0), Playback(0.25))
    assert joined.jump.position < 1e-3
    assert joined.disagreement < 1e-3


def test_low_confidence_stretches_the_rest_of_the_chunk():
    blender = Blender(BlendingParameters(Blending.REPLACE))
    joined = blender.join(chunk_of(smooth, 0.0), 0, ns(0.2), speed=lambda _: 0.5)
    np.testing.assert_allclose(joined.chunk.times[:2], TIMES[:2])
    np.testing.assert_allclose(joined.chunk.times[2:], 0.2 + (TIMES[2:] - 0.2) / 0.5)
    # What is played slowly is not taken for disagreement.
    again = blender.join(chunk_of(smooth, 0.4), ns(0.6), ns(0.6), speed=lambda _: 1.0)
    assert again.disagreement < 1e-3
    np.testing.assert_allclose(again.chunk.times, TIMES)


@given(st.floats(0.0, 2.0), st.floats(0.0, 2.0))
def test_mask_falls_from_one_to_nothing(frozen, end):
    weights = soft_mask(TIMES, frozen, end)
    assert ((weights >= 0.0) & (weights <= 1.0)).all()
    assert (np.diff(weights) <= 1e-12).all()
    assert (weights[max(frozen, end) < TIMES] == 0.0).all()
    assert (weights[(frozen >= TIMES) & (end >= TIMES)] == 1.0).all()


def test_plan_goes_through_its_points_and_rests_beyond_its_end():
    plan = Plan(chunk_of(smooth, 0.0), 0)
    np.testing.assert_allclose(plan.positions(TIMES), smooth(TIMES))
    position, velocity, _ = plan.state(9.0)
    np.testing.assert_array_equal(position, smooth(TIMES)[-1])
    assert not velocity.any()
    # Velocity and acceleration are those of the position.
    e = 1e-5
    before, here, after = (plan.state(0.43 + k * e) for k in (-1, 0, 1))
    np.testing.assert_allclose(here[1], (after[0] - before[0]) / (2 * e), atol=1e-6)
    np.testing.assert_allclose(here[2], (after[1] - before[1]) / (2 * e), atol=1e-6)


@pytest.fixture
def field():
    rng = np.random.default_rng(1)
    gaps = TIMES[:, None] - TIMES[None, :]
    covariance = 0.05 * np.exp(-0.5 * (gaps / 0.3) ** 2) + 1e-6 * np.eye(HORIZON)
    means = np.stack([smooth(TIMES), -smooth(TIMES)]) + 0.1 * rng.standard_normal((2, 1, 2))
    return MixtureField(means, np.log([0.5, 0.5]), covariance)


@pytest.mark.parametrize('t', [0.0, 0.3, 0.7])
def test_derivative_of_the_flow_is_the_derivative(field, t):
    rng = np.random.default_rng(2)
    x, u, direction = (rng.standard_normal((HORIZON, 2)) for _ in range(3))
    e = 1e-5
    numeric = (field.end(x + e * direction, t) - field.end(x - e * direction, t)) / (2 * e)
    assert np.sum(u * numeric) == pytest.approx(
        np.sum(field.pull_back(x, t, u) * direction), rel=1e-5, abs=1e-7
    )


def test_unguided_samples_are_of_both_modes_and_guided_ones_of_the_committed_one(field):
    rng = np.random.default_rng(3)
    mode = field._means[0]
    weights = soft_mask(TIMES, 0.3, 1.0)
    plain, guided = [], []
    for _ in range(40):
        noise = rng.standard_normal((HORIZON, 2))
        plain.append(np.sign(np.sum(mode * sample(field, noise, 10))))
        end = sample(field, noise, 10, mode, weights)
        guided.append(np.abs(end - mode)[TIMES <= 0.3].max())
    assert 5 <= plain.count(1.0) <= 35
    assert np.median(guided) < 0.15


@pytest.mark.parametrize('delay', [0.1, 0.2, 0.3, 0.4])
def test_late_rtc_tracks_better_and_smoother_than_replace(robot, filter_parameters, delay):
    def outcome(mode, guided):
        return run(robot, filter_parameters, BlendingParameters(mode), delay, 6.0, 1, guided)

    replaced, guided = outcome(Blending.REPLACE, False), outcome(Blending.RTC, True)
    assert guided.error < replaced.error
    assert guided.jerk < replaced.jerk
    assert np.percentile(guided.jumps[:, 0], 95) < np.percentile(replaced.jumps[:, 0], 95)
    assert guided.beyond == replaced.beyond == 0.0


@given(st.integers(0, 10**6), st.sampled_from(list(Blending)))
@settings(deadline=None, max_examples=8)
def test_no_border_moves_a_joint_more_than_the_filter_allows(robot, filter_parameters, seed, mode):
    """Chunks that contradict each other as they like, 0 to 0.4 s late."""
    rng = np.random.default_rng(seed)
    indices = np.array([robot.index[name] for name in ARM])
    position = robot.poses['ready'].copy()
    pipeline = SafetyPipeline(robot, filter_parameters, DT)
    pipeline.reset(position)
    blender = Blender(BlendingParameters(mode))
    velocity = np.zeros(robot.n)
    taken = 0
    for tick in range(80):
        now = tick * DT
        if tick % 8 == 0:
            stamp = now - rng.uniform(0.0, 0.07) - (0.0 if tick < 40 else 0.3)
            wanted = position[indices] + rng.uniform(-0.4, 0.4, (1, len(ARM)))
            chunk = ActionChunk(ARM, wanted + 0.1 * rng.standard_normal((HORIZON, 4)), TIMES)
            joined = blender.join(chunk, ns(stamp), ns(now))
            if joined.chunk is not None:
                sent = Chunk(indices, joined.chunk.times, joined.chunk.positions, stamp)
                taken += not pipeline.accept(sent, now)
        output = pipeline.tick(now, DT, position, velocity)
        change = np.abs(output.velocity - velocity) / DT
        assert (change <= robot.limits.acceleration + 1e-9).all()
        assert (np.abs(output.velocity) <= robot.limits.velocity + 1e-12).all()
        position, velocity = output.position, output.velocity
    assert taken > 2
