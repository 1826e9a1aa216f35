# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Losses, budget, percentiles, episodes, JSON lines."""

import errno
import os
import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from vla_monitor.recording.budget import Stored, to_remove
from vla_monitor.recording.histogram import Histogram
from vla_monitor.recording.json_lines import LineFile, read_lines
from vla_monitor.recording.losses import UNSUPPORTED, LossCounter
from vla_monitor.recording.violations import Violations


def test_gaps_are_losses_and_a_new_publisher_is_none():
    losses = LossCounter()
    assert [losses.update(n, 1) for n in (7, 8, 10, 15, 1, 2, 4)] == [0, 0, 1, 4, 0, 0, 1]
    assert [losses.update(n, 2) for n in (9, 1, 30)] == [0, 0, 0]
    assert [losses.update(n, 1) for n in (50, 52, UNSUPPORTED, 60)] == [0, 1, 0, 0]


def stored(name, size, has_incident=False):
    return Stored(Path(name), size, has_incident)


def names(removed):
    return [one.path.name for one in removed]


def test_old_sessions_go_first_then_files_without_an_incident_and_never_the_newest():
    sessions = [stored('old', 10), stored('newer', 10)]
    files = [stored('0', 5), stored('1', 5, True), stored('2', 5), stored('3', 5)]

    def removed(budget):
        return names(to_remove(sessions, files, 20, budget))

    assert removed(40) == []
    assert removed(39) == ['old']
    assert removed(25) == ['old', 'newer']
    assert removed(18) == ['old', 'newer', '0']
    assert removed(11) == ['old', 'newer', '0', '2']
    assert removed(0) == ['old', 'newer', '0', '2', '1']


def test_percentiles_are_within_one_per_cent():
    values = np.exp(random.Random(1).random() + np.random.default_rng(1).normal(size=5000))
    histogram = Histogram()
    for value in [*values, float('nan'), float('inf'), -1.0]:
        histogram.add(float(value))
    found = histogram.summary()
    assert found['n'] == 5000
    assert found['mean'] == pytest.approx(values.mean())
    assert found['max'] == values.max()
    assert found['p95'] == pytest.approx(np.percentile(values, 95), rel=0.02)
    assert found['p50'] == pytest.approx(np.percentile(values, 50), rel=0.02)
    empty = {'mean': None, 'p50': None, 'p95': None, 'max': None, 'n': 0}
    assert Histogram().summary() == empty
    zeros = Histogram()
    zeros.add(0.0)
    assert zeros.summary()['p95'] == 0.0


def test_ticks_of_one_violation_are_one_episode_with_the_worst_value():
    found = []
    violations = Violations(lambda at, kind, **facts: found.append((at, facts)))

    def tick(ms, *values):
        violations.update(
            ms * 10**6,
            'filter',
            [SimpleNamespace(kind='k', subject='j', value=v, limit=1.0, level=1) for v in values],
        )

    for ms in range(0, 100, 10):
        tick(ms, 1.0 + 0.001 * ms)
    tick(300)
    tick(400, 1.02)  # within half a second: the same
    tick(1000)
    tick(2000, 1.5)
    violations.close()
    (first, facts), (second, later) = found
    assert (first, second) == (0, 2_000_000_000)
    assert facts['ticks'] == 11
    assert facts['value'] == pytest.approx(1.09)
    assert (later['ticks'], later['value']) == (1, 1.5)


def test_a_line_that_had_no_room_is_written_later_and_never_half(tmp_path, monkeypatch):
    file = LineFile(tmp_path / 'a.jsonl')
    file.add({'a': float('nan'), 'b': np.float64(1.5)})
    file.flush()
    write = os.write

    def short(descriptor, data):
        if len(data) > 5:
            return write(descriptor, data[:5])
        raise OSError(errno.ENOSPC, 'No space left on device')

    file.add({'a': 2})
    with monkeypatch.context() as patch:
        patch.setattr(os, 'write', short)
        with pytest.raises(OSError, match='No space'):
            file.flush()
    assert read_lines(file.path) == ([{'a': None, 'b': 1.5}], 0)
    file.flush()
    file.close()
    assert read_lines(file.path) == ([{'a': None, 'b': 1.5}, {'a': 2}], 0)


def test_a_torn_line_is_counted(tmp_path):
    path = tmp_path / 'a.jsonl'
    path.write_bytes(b'{"a": 1}\n{"a": "\xff')
    assert read_lines(path) == ([{'a': 1}], 1)
    assert read_lines(tmp_path / 'missing') == ([], 0)
