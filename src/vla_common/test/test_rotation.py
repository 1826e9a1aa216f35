# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from vla_common.rotation import integrated, product, rotation_between, rotation_matrix

RNG = np.random.default_rng(5)


def random_orientation():
    q = RNG.normal(size=4)
    return q / np.linalg.norm(q)


@pytest.mark.parametrize('size', [0.0, 1e-9, 0.01, 1.0, 3.0])
def test_a_turn_that_is_integrated_is_the_rotation_between(size):
    for _ in range(20):
        before, axis = random_orientation(), RNG.normal(size=3)
        turn = size * axis / np.linalg.norm(axis)
        after = integrated(before, turn)
        assert rotation_between(before, after) == pytest.approx(turn, abs=1e-7)
        # The same orientation has two quaternions.
        assert rotation_between(before, -after) == pytest.approx(turn, abs=1e-7)


def test_the_product_of_quaternions_is_that_of_their_matrices():
    a, b = random_orientation(), random_orientation()
    assert rotation_matrix(product(a, b)) == pytest.approx(rotation_matrix(a) @ rotation_matrix(b))
