# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One bad stamp does not block the good ones after it."""

import pytest

from vla_common.stamps import MAX_AHEAD, StampSequence, describe_age, describe_ahead
from vla_common.testing_refusals import documented
from vla_common.watchdog import Watchdog

NOW = 1_790_000_000_000_000_000
HOUR = 3_600_000_000_000
MS = 1_000_000


def test_a_stamp_of_the_future_is_rejected_and_not_remembered():
    order = StampSequence()
    assert order.reject(NOW, NOW) == ''
    assert order.reject(NOW + HOUR, NOW + MS) == 'a stamp 3599.999 s in the future'
    assert order.reject(NOW + 2 * MS, NOW + 2 * MS) == ''
    assert order.reject(NOW + 2 * MS, NOW + 3 * MS) == 'stamp did not advance'
    assert order.reject(NOW + MS, NOW + 3 * MS) == 'stamp did not advance'


def test_a_stamp_within_the_bound_counts():
    bound = round(MAX_AHEAD * 1e9)
    assert StampSequence().reject(NOW + bound, NOW) == ''
    assert StampSequence().reject(NOW + bound + 1, NOW) != ''


def test_a_local_clock_that_was_set_back_begins_a_new_sequence():
    order = StampSequence()
    assert order.reject(NOW, NOW) == ''
    back = NOW - HOUR
    assert order.reject(back, back) == ''
    assert order.reject(back, back + MS) == 'stamp did not advance'


def test_counters_are_only_compared_with_each_other():
    order = StampSequence()
    assert order.reject(5, None) == ''
    assert order.reject(10**30, None) == ''
    assert order.reject(6, None) != ''


def test_a_watchdog_is_fed_by_the_good_messages_after_a_bad_one():
    watchdog = Watchdog('imu', 0.05)
    assert watchdog.beat(0.0, NOW, NOW)
    assert not watchdog.beat(0.005, NOW + HOUR, NOW + 5 * MS)
    assert watchdog.replayed == 1
    assert watchdog.beat(0.01, NOW + 10 * MS, NOW + 10 * MS)
    assert not watchdog.expired(0.05)


@pytest.mark.parametrize(
    ('case', 'text', 'wanted'),
    [
        ('a delayed message', describe_age(0.25), '0.250 s old'),
        ('a clock that is ahead', describe_ahead(2.0), '2.000 s in the future'),
        (
            'stamps of simulation time',
            describe_age(1795983190.0),
            'of another clock (1795983190 s behind)',
        ),
        (
            'wall time beside simulation time',
            describe_ahead(1795983190.0),
            'of another clock (1795983190 s ahead)',
        ),
    ],
)
def test_a_difference_of_years_is_another_clock_and_no_delay(case, text, wanted):
    assert text.startswith(wanted)
    assert ('use_sim_time' in text) is ('another clock' in wanted)
    documented('Stamps of messages', case, text)
