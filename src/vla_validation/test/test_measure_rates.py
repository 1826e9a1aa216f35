# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The arithmetic and the verdict of measure_rates."""

import numpy as np
import pytest

from vla_validation.rates.measure_rates import (
    Stamps,
    distribution,
    header_stamp,
    jitter_ms,
    table,
    verdict,
)

GOOD = {
    'joint_states_hz': 199.5,
    'filter_hz': 100.0,
    'chunk_hz': 12.0,
    'camera_hz': 15.0,
    'real_time_factor': 1.0,
    'tick_jitter_ms': {'p50': 0.1, 'p99': 0.3, 'max': 0.5, 'n': 100},
    'cpu_percent': {'hardware_driver': 41.5, 'camera': 18.0},
}


def test_a_rate_is_intervals_over_time_not_messages_over_time():
    assert Stamps(published=[0.0, 0.1, 0.2]).rate() == pytest.approx(10.0)
    assert Stamps(published=[1.0]).rate() is None


def test_lost_messages_lower_the_rate():
    stamps = [i * 0.01 for i in range(101) if i % 4]
    assert Stamps(published=stamps).rate() == pytest.approx(75.0, rel=0.02)


def test_jitter_is_the_distance_from_the_median_period():
    published = np.cumsum([0.01] * 150 + [0.015] + [0.01] * 150).tolist()
    jitter = distribution(jitter_ms(published))
    assert jitter == {'p50': 0.0, 'p99': 0.0, 'max': 5.0, 'n': 300}


def test_the_stamp_is_read_from_the_serialized_message():
    from builtin_interfaces.msg import Time
    from rclpy.serialization import serialize_message
    from sensor_msgs.msg import JointState

    message = JointState(name=['a'], position=[1.0])
    message.header.stamp = Time(sec=1795269041, nanosec=250_000_000)
    message.header.frame_id = 'somewhere'
    assert header_stamp(serialize_message(message)) == 1795269041.25


def test_nothing_to_measure_is_said_not_made_up():
    assert distribution(jitter_ms([])) == {'n': 0}


def test_all_rates_held_gives_no_complaint():
    assert verdict(GOOD) == []
    assert 'joint_states_hz' in table(GOOD)
    assert '60   (hardware_driver 42, camera 18)' in table(GOOD)
    assert 'cpu' not in table({**GOOD, 'cpu_percent': {}})


@pytest.mark.parametrize(
    ('key', 'value', 'words'),
    [
        ('joint_states_hz', 150.0, 'joint_states_hz: 150.00, wanted at least 195'),
        ('filter_hz', 130.0, 'filter_hz: 130.00, wanted at most 102.5'),
        ('chunk_hz', None, 'chunk_hz: nothing was received'),
        ('real_time_factor', 0.5, 'real_time_factor: 0.50, wanted at least 0.98'),
        ('camera_hz', float('nan'), 'camera_hz: nan, wanted at least 15'),
    ],
)
def test_what_did_not_hold_is_named(key, value, words):
    assert verdict({**GOOD, key: value}) == [words]
    table({**GOOD, key: value})
