# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vla_camera.stream_monitor import Backoff, StreamMonitor


def frame(value: int) -> np.ndarray:
    return np.full((4, 6, 3), value, np.uint8)


def watched() -> StreamMonitor:
    monitor = StreamMonitor(frozen_after=0.5, stall_after=1.0)
    monitor.begin(10.0)
    return monitor


def test_new_pictures_are_neither_frozen_nor_stalled():
    v = watched()
    for k in range(30):
        v.frame(frame(k), 10.0 + 0.1 * k)
    assert not v.frozen(12.9) and not v.stalled(12.9)
    assert abs(v.rate(12.9) - 10.0) < 1e-6


def test_the_same_picture_for_longer_than_allowed_is_frozen_until_a_new_one_comes():
    v = watched()
    for k in range(6):
        v.frame(frame(1), 10.0 + 0.1 * k)
    assert not v.frozen(10.5)
    v.frame(frame(1), 10.61)
    assert v.frozen(10.61)
    v.frame(frame(2), 10.7)
    assert not v.frozen(10.7)


def test_one_changed_pixel_is_a_new_picture():
    v = watched()
    for k in range(20):
        picture = frame(1)
        picture[3, 5, 2] = k
        v.frame(picture, 10.0 + 0.1 * k)
    assert not v.frozen(12.0)


def test_silence_counts_from_the_beginning_and_each_stall_is_counted_once():
    v = watched()
    assert not v.stalled(11.0)
    assert v.stalled(11.1) and v.stalled(15.0)
    assert v.stalls == 1
    v.frame(frame(1), 15.0)
    assert not v.stalled(16.0)
    assert v.stalled(16.1)
    assert v.stalls == 2


def test_a_camera_that_is_silent_is_not_called_frozen():
    v = watched()
    v.frame(frame(1), 10.1)
    assert not v.frozen(20.0)
    assert v.stalled(20.0)


@given(st.lists(st.booleans(), max_size=40))
def test_waits_double_up_to_the_longest_and_begin_again_after_a_success(failures):
    backoff, expected = Backoff(first=0.5, most=8.0), 0.5
    for failed in failures:
        if failed:
            assert backoff.fail() == expected
            expected = min(8.0, 2.0 * expected)
        else:
            backoff.succeed()
            expected = 0.5
