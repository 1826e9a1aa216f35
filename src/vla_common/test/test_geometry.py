# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Rotations and polygons."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_common.polygon import convex_hull, signed_margin
from vla_common.rotation import level_rotation, quaternion_xyzw, rotation_matrix

SQUARE = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
COORDINATE = st.floats(-1.0, 1.0)
QUATERNIONS = (
    st.lists(COORDINATE, min_size=4, max_size=4)
    .map(np.array)
    .filter(lambda q: np.linalg.norm(q) >= 0.1)
    .map(lambda q: q / np.linalg.norm(q))
)


def yaw(angle):
    return np.array([math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)])


@given(QUATERNIONS)
def test_a_quaternion_is_found_for_every_rotation(wxyz):
    x, y, z, w = quaternion_xyzw(rotation_matrix(wxyz))
    assert abs(wxyz @ [w, x, y, z]) == pytest.approx(1.0, abs=1e-6)


@given(QUATERNIONS, st.floats(-3.0, 3.0))
def test_the_level_frame_keeps_vertical_and_heading(wxyz, angle):
    R, level = rotation_matrix(wxyz), level_rotation(2.0 * wxyz)
    assert np.allclose(level @ level.T, np.eye(3))
    assert np.allclose(level[2], R[2])
    assert level[1, 0] == pytest.approx(0.0, abs=1e-9)
    if math.hypot(R[0, 0], R[1, 0]) > 1e-6:
        assert level[0, 0] > 0.0
        turned = rotation_matrix(yaw(angle)) @ R
        x, y, z, w = quaternion_xyzw(turned)
        assert np.allclose(level_rotation(np.array([w, x, y, z])), level, atol=1e-5)


def test_margin_inside_on_the_border_and_outside():
    assert signed_margin(SQUARE, np.array([0.0, 0.0])) == pytest.approx(1.0)
    assert signed_margin(SQUARE, np.array([0.75, 0.0])) == pytest.approx(0.25)
    assert signed_margin(SQUARE, np.array([1.0, 0.0])) == pytest.approx(0.0)
    assert signed_margin(SQUARE, np.array([2.0, 2.0])) == pytest.approx(-np.sqrt(2.0))
    assert signed_margin(np.zeros((0, 2)), np.zeros(2)) == -np.inf
    assert signed_margin(SQUARE[:2], np.zeros(2)) == pytest.approx(-1.0)


@given(points=st.lists(st.tuples(COORDINATE, COORDINATE), min_size=1, max_size=12))
def test_hull_holds_every_point_and_turns_left(points):
    hull = convex_hull(np.array(points))
    for p in points:
        assert signed_margin(hull, np.array(p)) >= -1e-4
    if len(hull) >= 3:
        a, b = np.roll(hull, -1, axis=0) - hull, np.roll(hull, -2, axis=0) - hull
        assert (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] > 0).all()
