# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Rates and processor time, without a robot."""

import os
import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from vla_common.cdr import Reader
from vla_common.clock import ManualClock
from vla_common.distribution import distribution
from vla_common.process import host_id
from vla_validation.rates.command import LIMITS, jitter_ms, rate, table
from vla_validation.rates.processor_time import ProcessorTime, spent
from vla_validation.report import outside

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
    assert rate([0.0, 0.1, 0.2]) == pytest.approx(10.0)
    assert rate([1.0]) is None


def test_lost_messages_lower_the_rate():
    stamps = [i * 0.01 for i in range(101) if i % 4]
    assert rate(stamps) == pytest.approx(75.0, rel=0.02)


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
    assert Reader(JointState, 'header.stamp').read(serialize_message(message)) == [
        1_795_269_041_250_000_000
    ]


def test_nothing_to_measure_is_reported_as_such():
    nothing = {'p50': None, 'p99': None, 'max': None, 'n': 0}
    assert distribution(jitter_ms([])) == nothing


def test_rates_within_their_limits_are_no_failure():
    assert outside(GOOD, LIMITS) == []
    assert 'joint_states_hz' in table(GOOD)
    assert '60 (hardware_driver 42, camera 18)' in table(GOOD)
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
def test_a_rate_outside_its_limits_is_named(key, value, words):
    assert outside({**GOOD, key: value}, LIMITS) == [words]
    table({**GOOD, key: value})


def diagnostics(name: str, pid: int, where: str = '') -> DiagnosticArray:
    values = [
        KeyValue(key='pid', value=str(pid)),
        KeyValue(key='machine', value=where or host_id()),
    ]
    return DiagnosticArray(status=[DiagnosticStatus(name=name, values=values)])


def test_shares_are_seconds_spent_over_seconds_passed_the_greatest_first():
    clock, seconds = ManualClock(5.0), {7: 1.0, 8: 2.0}
    measured = ProcessorTime(seconds.get, clock)
    measured.on_diagnostics(diagnostics('camera: lifecycle', 7))
    measured.on_diagnostics(diagnostics('/supervisor: lifecycle', 8))
    measured.on_diagnostics(diagnostics('camera: status', 9))
    measured.begin()
    clock.advance(10.0)
    seconds.update({7: 1.5, 8: 5.0})
    assert measured.percent() == {'supervisor': 30.0, 'camera': 5.0}


def test_a_process_that_ended_or_runs_on_another_machine_is_left_out():
    clock, seconds = ManualClock(), {7: 1.0, 8: 2.0}
    measured = ProcessorTime(seconds.get, clock)
    measured.on_diagnostics(diagnostics('camera: lifecycle', 7))
    measured.on_diagnostics(diagnostics('supervisor: lifecycle', 8, 'another machine'))
    measured.begin()
    clock.advance(1.0)
    del seconds[7]
    assert measured.percent() == {}


def test_the_kernel_reports_the_processor_time_of_a_process():
    before = spent(os.getpid())
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    assert spent(os.getpid()) - before >= 0.05
    assert spent(2**22 + 1) is None
