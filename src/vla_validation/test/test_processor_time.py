# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the nodes spend, as measure_rates tells it."""

import os
import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from vla_common.clock import ManualClock
from vla_common.process import host_id
from vla_validation.rates.processor_time import ProcessorTime, spent


def told(name: str, pid: int, where: str = '') -> DiagnosticArray:
    values = [
        KeyValue(key='pid', value=str(pid)),
        KeyValue(key='machine', value=where or host_id()),
    ]
    return DiagnosticArray(status=[DiagnosticStatus(name=name, values=values)])


def test_shares_are_seconds_spent_over_seconds_passed_the_greatest_first():
    clock, seconds = ManualClock(5.0), {7: 1.0, 8: 2.0}
    measured = ProcessorTime(seconds.get, clock)
    measured.on_diagnostics(told('camera: lifecycle', 7))
    measured.on_diagnostics(told('/supervisor: lifecycle', 8))
    measured.on_diagnostics(told('camera: status', 9))
    measured.begin()
    clock.advance(10.0)
    seconds.update({7: 1.5, 8: 5.0})
    assert measured.percent() == {'supervisor': 30.0, 'camera': 5.0}


def test_a_process_that_ended_or_is_elsewhere_is_left_out():
    clock, seconds = ManualClock(), {7: 1.0, 8: 2.0}
    measured = ProcessorTime(seconds.get, clock)
    measured.on_diagnostics(told('camera: lifecycle', 7))
    measured.on_diagnostics(told('supervisor: lifecycle', 8, 'another machine'))
    measured.begin()
    clock.advance(1.0)
    del seconds[7]
    assert measured.percent() == {}


def test_the_kernel_says_what_this_process_spent():
    before = spent(os.getpid())
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    assert spent(os.getpid()) - before >= 0.05
    assert spent(2**22 + 1) is None
