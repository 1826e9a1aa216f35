# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""When a source counts as silent."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_supervisor.heartbeats import LEASE, Heartbeats
from vla_supervisor.severity import Debounce


@pytest.fixture
def heartbeats():
    return Heartbeats({'camera': 0.4, 'hardware_driver': 0.1})


def test_a_source_never_received_is_silent_and_reported(heartbeats):
    assert not heartbeats.fresh('camera', 0.0)
    assert 'nothing received on /camera/color/camera_info yet' in heartbeats.silence('camera', 0.0)


def test_each_source_has_its_own_timeout(heartbeats):
    for name in ('camera', 'hardware_driver'):
        assert heartbeats.beat(name, 1.0, 1)
    assert heartbeats.fresh('camera', 1.3)
    assert not heartbeats.fresh('hardware_driver', 1.3)
    assert 'silent for 300 ms (limit 100)' in heartbeats.silence('hardware_driver', 1.3)


def test_a_frozen_sequence_does_not_feed_even_though_messages_keep_coming(heartbeats):
    assert heartbeats.beat('camera', 0.0, 7)
    for i in range(1, 50):
        assert not heartbeats.beat('camera', 0.01 * i, 7)
        assert not heartbeats.beat('camera', 0.01 * i, 6)
    assert not heartbeats.fresh('camera', 0.49)
    assert '98 messages that were not new' in heartbeats.silence('camera', 0.49)
    assert heartbeats.replayed['camera'] == 98


def test_a_gap_that_closed_between_two_looks_is_still_reported_and_only_once(heartbeats):
    heartbeats.beat('camera', 0.0, 1)
    heartbeats.beat('camera', 0.5, 2)
    assert heartbeats.fresh('camera', 0.5)
    assert heartbeats.silence('camera', 0.5) == '/camera/color/camera_info was silent for 500 ms'
    assert heartbeats.silence('camera', 0.51) is None


def test_time_that_is_not_a_number_is_silence(heartbeats):
    heartbeats.beat('camera', 0.0, 1)
    assert not heartbeats.fresh('camera', math.nan)


def test_a_restarted_source_may_count_from_the_beginning(heartbeats):
    heartbeats.beat('camera', 0.0, 1000)
    heartbeats.restarted('camera')
    assert heartbeats.beat('camera', 0.1, 1)
    assert heartbeats.silence('camera', 0.1) is None


def test_a_receiver_that_stalls_again_and_again_still_finds_a_source_dead(heartbeats):
    heartbeats.beat('hardware_driver', 0.0, 1)
    for i in range(1, 10):
        heartbeats.credit_stall(0.07, 0.08 * i)  # ... of each 80 ms
    assert not heartbeats.fresh('hardware_driver', 9 * 0.08)


def test_one_long_stall_of_the_receiver_is_forgiven_whole(heartbeats):
    heartbeats.beat('hardware_driver', 0.0, 1)
    heartbeats.credit_stall(2.0, 2.0)
    assert heartbeats.fresh('hardware_driver', 2.05)
    assert not heartbeats.fresh('hardware_driver', 2.15)


def test_after_a_stall_beyond_the_lease_a_source_may_take_time_to_be_discovered(heartbeats):
    heartbeats.beat('hardware_driver', 0.0, 1)
    over = LEASE + 1.0
    heartbeats.credit_stall(over, over)
    heartbeats.beat('hardware_driver', over + 0.001, 2)  # had been waiting; then it is sought
    assert heartbeats.fresh('hardware_driver', over + 1.4)
    assert not heartbeats.received('hardware_driver', over + 1.4)
    assert not heartbeats.fresh('hardware_driver', over + 1.6)
    heartbeats.beat('hardware_driver', over + 1.6, 3)
    assert heartbeats.received('hardware_driver', over + 1.6)


# -- persistence: wrong time gathers, right time leaks


def test_a_steady_fault_fires_at_its_limit():
    p = Debounce(1.0, 0.25)
    assert not any(p.update(True, 0.1 * i) for i in range(10))
    assert p.update(True, 1.01)


def test_a_fault_that_flaps_half_of_the_time_fires_too():
    p = Debounce(1.0, 0.25)
    assert any(p.update(i % 2 == 0, 0.1 * i) for i in range(100))


def test_a_rare_glitch_never_fires():
    p = Debounce(1.0, 0.25)
    assert not any(p.update(i % 10 == 0, 0.1 * i) for i in range(1000))


def test_a_limit_of_zero_fires_while_wrong_only():
    p = Debounce(0.0, 0.25)
    assert p.update(True, 0.0)
    assert not p.update(False, 0.1)


@given(st.lists(st.tuples(st.booleans(), st.floats(allow_nan=True)), max_size=50))
def test_no_sequence_of_times_gathers_outside_its_bounds(steps):
    p = Debounce(1.0, 0.25)
    for wrong, now in steps:
        p.update(wrong, now)
        assert 0.0 <= p.gathered <= 1.0
