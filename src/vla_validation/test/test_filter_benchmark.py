# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
from vla_robot import load_robot
from vla_validation.filter.benchmark import PARAMETERS, measure


def test_the_benchmark_of_the_filter_times_ticks_and_chunks():
    tick, accept = measure(load_robot('humanoid32'), PARAMETERS, 50)
    assert tick['n'] == 50 and accept['n'] == 25
    assert 0 < tick['p50'] <= tick['p99'] <= tick['max']
    assert (tick['joints'], tick['pairs']) == (32, 91)
    assert 0 < tick['solved'] <= 1
