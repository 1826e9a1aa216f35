# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Intervals against published values, and over ranges of their arguments."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_common.intervals import difference_of_shares, rate, rates_differ, wilson


@pytest.mark.parametrize(('good', 'count'), [(0, 10), (5, 10), (10, 10), (97, 100)])
def test_the_interval_holds_the_share_and_stays_in_0_to_1(good, count):
    low, high = wilson(good, count)
    assert 0.0 <= low <= good / count <= high <= 1.0
    assert high - low < 0.7


def test_the_interval_is_wilson_s():
    # Newcombe (1998), table I: 81 of 263, Wilson's score without continuity correction.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)


def test_the_difference_is_newcombe_s():
    # Newcombe (1998), Statistics in Medicine 17:873, table II, method 10: 56/70 and 48/80.
    assert difference_of_shares((48, 80), (56, 70)) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert difference_of_shares((0, 0), (1, 1)) == (-1.0, 1.0)


def test_the_rate_is_garwood_s():
    # Garwood (1936), 95 %: 0 events 0 to 3.689, 10 events 4.795 to 18.39.
    assert rate(0, 1.0) == pytest.approx((0.0, 3.689), abs=1e-3)
    assert rate(10, 1.0) == pytest.approx((4.795, 18.39), abs=5e-3)
    assert rate(10, 2.0) == pytest.approx((2.398, 9.195), abs=5e-3)
    assert rate(3, 0.0) == (0.0, math.inf)


@given(st.integers(0, 600), st.floats(0.01, 100.0))
def test_a_rate_lies_in_its_interval(events, hours):
    low, high = rate(events, hours)
    assert 0.0 <= low <= events / hours <= high


def test_rates_differ_only_where_the_events_tell_it():
    assert rates_differ(0, 1.0, 0, 1.0) == 1.0
    assert rates_differ(0, 1.0, 1, 1.0) == 1.0
    assert rates_differ(0, 1.0, 5, 1.0) == pytest.approx(2 * 0.5**5)
    assert rates_differ(0, 1.0, 10, 1.0) < 0.01
    assert rates_differ(10, 10.0, 1, 1.0) == pytest.approx(1.0, abs=0.3)
    assert rates_differ(3, 0.0, 3, 1.0) == 1.0


@given(st.integers(0, 50), st.integers(0, 50), st.floats(0.1, 10.0), st.floats(0.1, 10.0))
def test_the_order_of_the_two_is_no_matter(a, b, hours_a, hours_b):
    one = rates_differ(a, hours_a, b, hours_b)
    assert 0.0 <= one <= 1.0
    assert one == pytest.approx(rates_differ(b, hours_b, a, hours_a), abs=1e-9)
