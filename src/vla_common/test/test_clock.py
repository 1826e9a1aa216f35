# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
from vla_common.clock import Pacer


def test_a_pacer_lets_a_slower_rate_through_without_drift_in_spite_of_jitter():
    pacer = Pacer(50.0)
    times = [0.01 * i + (0.0004 if i % 3 else 0.0) for i in range(100)]
    assert sum(pacer.due(now) for now in times) == 50


def test_a_state_that_changes_is_due_at_once_and_moves_nothing():
    pacer = Pacer(1.0)
    assert pacer.due(0.0, 'a')
    assert not pacer.due(0.1, 'a')
    assert pacer.due(0.2, 'b')
    assert not pacer.due(0.3, 'b')
    assert pacer.due(1.0, 'b')
    assert not pacer.due(1.1, 'b')


def test_after_a_pause_it_does_not_catch_up():
    pacer = Pacer(10.0)
    assert pacer.due(0.0)
    times = [5.0 + 0.01 * i for i in range(11)]
    assert [now for now in times if pacer.due(now)] == [5.0, 5.1]
