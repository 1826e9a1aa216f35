# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which cube a reference means."""

import random

import pytest

from vla_models.references import (
    AMBIGUOUS,
    Reference,
    by_colour,
    natural_hand,
    relations_to,
    sample_relation,
)

# From left to right: red, green, blue, yellow; green is the nearest, yellow the farthest.
CUBES = {'blue': (0.42, -0.05), 'red': (0.40, 0.2), 'yellow': (0.46, -0.2), 'green': (0.36, 0.06)}


@pytest.mark.parametrize(
    ('reference', 'meant'),
    [
        (by_colour('red'), 'red'),
        (by_colour('purple'), None),
        (Reference('leftmost'), 'red'),
        (Reference('rightmost'), 'yellow'),
        (Reference('from_left', (), 2), 'green'),
        (Reference('from_right', (), 2), 'blue'),
        (Reference('from_left', (), 5), None),
        (Reference('middle'), None),
        (Reference('nearest'), 'green'),
        (Reference('farthest'), 'yellow'),
        (Reference('left_of', ('green',)), 'red'),
        (Reference('left_of', ('red',)), None),
        (Reference('right_of', ('green',)), 'blue'),
        (Reference('right_of', ('orange',)), None),
        (Reference('between', ('red', 'blue')), 'green'),
        (Reference('between', ('blue', 'red')), 'green'),
        (Reference('between', ('red', 'green')), None),
        (Reference('between', ('red', 'yellow')), AMBIGUOUS),
    ],
)
def test_a_reference_means_one_cube_or_none(reference, meant):
    assert reference.resolve(CUBES) == meant


def test_an_order_that_is_not_clear_is_ambiguous():
    close = {**CUBES, 'green': (0.36, 0.195)}
    assert Reference('leftmost').resolve(close) == AMBIGUOUS
    assert by_colour('green').resolve(close) == 'green'
    assert Reference('middle').resolve({c: CUBES[c] for c in ('red', 'blue', 'green')}) == 'green'
    assert Reference('nearest').resolve({**CUBES, 'blue': (0.36, 0.0)}) == AMBIGUOUS


def test_all_relations_to_a_cube_mean_it_and_most_that_are_drawn_mean_some():
    for colour in CUBES:
        found = relations_to(colour, CUBES)
        assert found and {reference.resolve(CUBES) for reference in found} == {colour}
    rng = random.Random(0)
    meant = [sample_relation(rng).resolve(CUBES) for _ in range(500)]
    assert set(meant) >= {*CUBES, None}


def test_the_hand_that_is_not_named_is_that_of_the_side():
    assert (natural_hand(0.1), natural_hand(-0.1), natural_hand(0.01)) == ('left', 'right', None)
