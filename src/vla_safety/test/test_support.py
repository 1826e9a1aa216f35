# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The support polygon, also without one."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_common.polygon import convex_hull
from vla_robot import load_robot
from vla_robot.collision import CollisionModel
from vla_safety.coupled.constraint_rows import RowSet
from vla_safety.coupled.support import Support, inner_half_planes

points = st.lists(
    st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=0, max_size=12
).map(lambda ps: [(x / 50.0, y / 50.0) for x, y in ps])


@given(points)
def test_every_point_is_inside_its_hull(ps):
    normals, offsets = inner_half_planes(convex_hull(ps))
    for p in ps:
        assert (normals @ p >= offsets - 1e-9).all()
    assert np.allclose(np.hypot(*normals.T), 1.0)


@pytest.mark.parametrize(
    'corners',
    [
        [],
        [(0.1, 0.2)],
        [(0.0, 0.0), (1.0, 0.0)],
        [(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)],
        [(0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)],
        [(0.0, 0.0), (1e-3, 0.0), (0.0, 1e-3)],
        [(0.0, 0.0), (math.nan, 0.0), (1.0, 1.0)],
        [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0)],
    ],
    ids=['none', 'one', 'two', 'a line', 'the same', 'a crumb', 'nan', 'clockwise'],
)
def test_a_degenerate_polygon_has_no_edges(corners):
    normals, offsets = inner_half_planes(corners)
    assert normals.shape == (0, 2)
    assert offsets.shape == (0,)


@pytest.mark.parametrize(
    ('feet', 'width'), [((True, True), 0.29), ((True, False), 0.10), ((False, False), None)]
)
def test_the_polygon_is_of_the_feet_on_the_ground(feet, width):
    robot = load_robot('humanoid32')
    model, q = CollisionModel(robot), robot.poses['standing']
    support = Support(robot, model, 0.0)
    support.set_contacts(*feet)
    model.place(q, mass=True)
    rows = RowSet(model)
    least = support.measure(0, q, rows, 100.0)
    rows.close(0.0)
    if width is None:
        assert len(rows) == 0
        assert least == math.inf
        return
    # Sideways the two opposite edges are as far apart as the feet are wide.
    clearances = sorted(rows.clearance)
    assert len(rows) >= 4
    across = [
        a + b
        for i, a in enumerate(clearances)
        for b in clearances[i + 1 :]
        if abs(a + b - width) < 0.01
    ]
    assert across
    assert least == pytest.approx(min(clearances))
    assert np.isfinite(rows.gradient).all()


def test_rows_are_the_slopes_of_the_clearance():
    robot = load_robot('humanoid32')
    model = CollisionModel(robot)
    support = Support(robot, model, 0.01)
    rng = np.random.default_rng(2)
    q = robot.poses['ready'] + rng.normal(0.0, 0.05, robot.n)
    direction = rng.normal(0.0, 1.0, robot.n)
    direction[robot.groups['right_leg']] = 0.0  # it would deform the polygon, which rows leave out

    def clearances(posture):
        rows = RowSet(model)
        model.place(posture, mass=True)
        support.measure(0, posture, rows, 100.0)
        rows.close(0.0)
        return np.array(rows.clearance), rows.gradient

    support.set_contacts(True, False)
    _, gradient = clearances(q)
    step = 1e-6
    numeric = (clearances(q + step * direction)[0] - clearances(q - step * direction)[0]) / (
        2 * step
    )
    assert np.allclose(gradient @ direction, numeric, atol=1e-5)
