# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stop times, the report and the observer of the machine, without a robot."""

import json
import re
import time

import pytest

from vla_common.distribution import distribution
from vla_common.errors import ConfigError
from vla_validation import report
from vla_validation.stops.command import failures, result, table
from vla_validation.stops.stopwatch import STAGES, StopTimes
from vla_validation.system_harness.machine import SchedulingObserver, busy


def test_a_distribution_has_p50_p99_max_and_n():
    assert distribution(range(101)) == {'p50': 50.0, 'p99': 99.0, 'max': 100.0, 'n': 101}
    assert distribution([]) == {'p50': None, 'p99': None, 'max': None, 'n': 0}
    assert 'cores' in report.machine()


def test_stop_times_are_reported_by_stage_and_compared_with_their_limits():
    times = StopTimes()
    for name in STAGES:
        times.stages[name] = [1.0, 2.0, 9.0]
    times.losses = {'camera': [20.0], 'supervisor': [200.0]}
    found = {'idle': result(times)}
    assert found['idle']['request_to_damped_ms']['n'] == 3
    assert [f.split(',')[0] for f in failures(found)] == ['idle: node_loss_to_stop_ms p99 198.20']
    times.stages['command_estop_ms'] = [399.0, 1400.0]
    assert result(times)['command_estop_ms'] == distribution([399.0, 1400.0])
    assert [f.split(',')[0] for f in failures({'idle': result(times)})][1:] == [
        'idle: command_estop_ms p99 1389.99'
    ]
    assert not any('command' in f for f in failures({'loaded': result(times)}))
    assert '| … camera | idle | 20.0 |' in re.sub(' +', ' ', table(found))
    times.losses = {}
    times.stages['command_estop_ms'] = []
    assert failures({'idle': result(times)}) == []


def test_a_table_is_markdown_with_aligned_columns():
    text = report.table(('name', 'ms'), [('a', report.number(1.25, 1)), ('longer', None)])
    assert text == '| name   | ms  |\n|--------|-----|\n| a      | 1.2 |\n| longer | –   |'


@pytest.mark.parametrize(
    ('error', 'text'),
    [
        (KeyboardInterrupt(), 'interrupted'),
        (report.NotMeasuredError('no robot'), 'no robot'),
        (ConfigError('f', 'k', 1, 'two'), 'f: k: found 1, wanted two'),
    ],
)
def test_a_command_that_fails_prints_one_line_and_one_json_object(capsys, error, text):
    def work():
        raise error

    assert report.run('verb', work, as_json=True) == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {'error': text}
    assert printed.err == f'verb: {text}\n'


def test_the_observer_records_naps_on_every_processor_and_only_stalls_above_a_threshold():
    with busy(1), SchedulingObserver() as every, SchedulingObserver(threshold=60.0) as stalls:
        time.sleep(0.5)
        lateness, found = every.summary()
        assert lateness['n'] > 10
        assert lateness['stolen_ms'] >= 0.0
        assert all(end > begin for begin, end in found)
        assert stalls.records() == []
