# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The curve through a chunk's points."""

import numpy as np
import pytest

from vla_common.chunk_curve import ChunkCurve, Interpolation, segment_coefficients

TIMES = np.cumsum([0.1, 0.05, 0.2, 0.1])
POINTS = np.array([[0.0], [0.4], [-0.3], [0.1]])
SLOPES = np.array([[1.0], [0.0], [-2.0], [0.5]])

every_kind = pytest.mark.parametrize('kind', list(Interpolation))


@every_kind
def test_each_segment_begins_and_ends_at_its_points(kind):
    coefficients = segment_coefficients(TIMES, POINTS, SLOPES, kind)
    for segment, h in enumerate(np.diff(TIMES)):
        powers = h ** np.arange(coefficients.shape[1])
        assert coefficients[segment, 0, 0] == pytest.approx(POINTS[segment, 0])
        assert powers @ coefficients[segment, :, 0] == pytest.approx(POINTS[segment + 1, 0])


@every_kind
def test_positions_and_states_agree_before_between_and_after_the_points(kind):
    curve = ChunkCurve(TIMES, POINTS, SLOPES, kind)
    times = np.linspace(-0.2, 0.7, 91)
    states = [curve.state(time)[0] for time in times]
    assert curve.sample(times) == pytest.approx(np.array(states), abs=1e-12)
    assert curve.state(-0.2)[0] == pytest.approx(POINTS[0] - 0.3), 'first velocity, backwards'
    assert curve.state(0.7)[0] == POINTS[-1]
    assert curve.state(0.7)[1] == 0.0


@every_kind
def test_velocity_and_acceleration_are_the_derivatives_of_the_position(kind):
    curve = ChunkCurve(TIMES, POINTS, SLOPES, kind)
    for time in (0.05, 0.12, 0.2, 0.4):
        low, high = curve.state(time - 1e-5), curve.state(time + 1e-5)
        _, velocity, acceleration = curve.state(time)
        assert velocity == pytest.approx((high[0] - low[0]) / 2e-5, abs=1e-4)
        assert acceleration == pytest.approx((high[1] - low[1]) / 2e-5, abs=1e-2)


@every_kind
@pytest.mark.parametrize('time', [0.0, 0.1])
def test_a_single_point_is_a_constant(kind, time):
    curve = ChunkCurve(np.array([time]), np.array([[0.3]]), interpolation=kind)
    assert curve.sample(np.array([-1.0, 0.0, 0.05, 2.0])) == pytest.approx(0.3)
    assert curve.state(0.05)[0] == 0.3
