# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The filter knows at configure whether a tick of this robot fits into its period."""

import re

import coal
import numpy as np
import pytest
import trimesh

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_robot import load_robot
from vla_robot.synthetic import LENGTH, synthetic_robot, write_synthetic_robot
from vla_safety.tick_cost import check_tick, measure


def notched_link(path):
    """A concave solid of 5120 triangles around a link, as makers' collision meshes are."""
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.03)
    vertices = ball.vertices * [1.0, 1.0, LENGTH / 0.08]
    vertices *= 1.0 - 0.25 * np.sin(200.0 * vertices[:, 2:3]) ** 2  # grooves
    vertices[:, 2] -= LENGTH / 2
    trimesh.Trimesh(vertices, ball.faces).export(path)


@pytest.fixture(scope='module')
def meshed(tmp_path_factory):
    """29 joints, every link a concave mesh."""
    directory = tmp_path_factory.mktemp('meshed')
    write_synthetic_robot(directory, 29)
    notched_link(directory / 'link.stl')
    urdf = directory / 'robot.urdf'
    capsule = f'<capsule radius="0.03" length="{LENGTH - 0.06}"/>'
    text = urdf.read_text()
    assert text.count(capsule) == 29
    shape = f'<origin xyz="0 0 {-LENGTH / 2}"/><geometry>{capsule}'
    urdf.write_text(text.replace(shape, '<geometry><mesh filename="link.stl"/>'))
    return load_robot(directory)


def test_concave_meshes_cost_what_their_hulls_cost(meshed, parameters):
    shapes = [shape.geometry for shape in meshed.pinocchio_geometry.geometryObjects]
    hulls = [shape for shape in shapes if isinstance(shape, coal.Convex)]
    assert len(hulls) == 29
    assert hulls[0].num_points < 2000  # of 2562: the grooves are filled
    capsules = synthetic_robot(29)
    assert len(meshed.collision_pairs) == len(capsules.collision_pairs) > 300
    # As triangles: several times the period. As hulls: a small part of it.
    assert check_tick(meshed, parameters, 100.0) < 8.0


def test_a_tick_longer_than_the_period_is_refused_with_the_remedy(meshed, parameters):
    with pytest.raises(ConfigError) as caught:
        check_tick(meshed, parameters, 1e5)
    error = caught.value
    assert error.key == 'control_frequency'
    assert f'{len(meshed.collision_pairs)} pairs of links' in error.found
    for remedy in ('at most 0.0 ms', 'collision shapes', 'allowed_collisions', 'check'):
        assert remedy in error.wanted
    measured = re.compile(r'(?<![\w.])\d[\d.]*(?= (ms|%))')
    documented('Robot directories', 'meshes that cost more than a tick', error, measured)


def test_the_measurement_ends_when_its_time_is_over(parameters):
    times = measure(synthetic_robot(7), parameters, 10**6, longest=0.05)
    assert 1 <= len(times.cpu) < 10**5
    assert len(times.wall) == len(times.cpu)
