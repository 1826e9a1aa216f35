# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The clock of a device against that of the host."""

import numpy as np
import pytest

from vla_camera.clock_offset import ClockOffset

MS = 1_000_000


def frames(count, delays, ppm=0.0, start=7_000 * MS, period=33 * MS):
    """Device times and steady arrivals; the device counts from 0."""
    for k in range(count):
        device = k * period
        yield device, start + round(device * (1 + 1e-6 * ppm)) + int(delays[k % len(delays)])


def test_a_frame_is_older_by_what_it_waited_more_than_the_fastest_one():
    clock = ClockOffset()
    delays = np.array([5, 2, 40, 2, 9]) * MS
    ages = [clock.age(*pair) // MS for pair in frames(10, delays)]
    assert ages[2:] == [38, 0, 7, 3, 0, 38, 0, 7]
    assert clock.offset_ns == 7_002 * MS


def test_drift_is_followed_and_reported():
    clock = ClockOffset(window=10.0)
    ages = [clock.age(*pair) for pair in frames(6000, [2 * MS], ppm=50.0)]
    assert max(ages) <= 0.6 * MS, '50 ppm in 10 s'
    assert clock.drift_ppm == pytest.approx(50.0, abs=5.0)
    assert clock.notes()['clock_resets'] == '0'


def test_a_device_that_was_started_again_counts_from_zero_and_is_not_believed_to_be_old():
    clock = ClockOffset()
    for pair in frames(100, [2 * MS]):
        clock.age(*pair)
    assert clock.age(0, 20_000 * MS) == 0
    assert clock.age(33 * MS, 20_035 * MS) == 2 * MS
    assert clock.resets == 1


def test_one_device_time_of_the_future_costs_that_frame_only():
    clock = ClockOffset()
    pairs = list(frames(20, [2 * MS]))
    for pair in pairs[:10]:
        clock.age(*pair)
    clock.age(pairs[10][0] + 3_600_000 * MS, pairs[10][1])
    assert [clock.age(*pair) for pair in pairs[11:]] == [0] * 9


def test_frames_that_waited_long_are_old_and_not_a_new_clock():
    clock = ClockOffset()
    for pair in frames(10, [2 * MS]):
        clock.age(*pair)
    device = 10 * 33 * MS
    assert clock.age(device, 7_000 * MS + device + 5_002 * MS) == 5_000 * MS
