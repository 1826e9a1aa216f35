# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What a soak concludes from its samples, and its samples of a real process."""

import mmap
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from vla_validation.soak.command import main
from vla_validation.soak.resources import (
    MEBIBYTE,
    Sample,
    Usage,
    failures,
    growth,
    sample,
    shared_segments,
    slope,
)

HOUR = 3600.0


def hour(resident, threads=lambda t: 9, descriptors=lambda t: 30, shared=lambda t: 0):
    """A sample each 5 s of an hour; the arguments are functions of the time, s."""
    return [
        Sample(
            100 + t, {'node': Usage(1, round(resident(t)), threads(t), descriptors(t))}, shared(t)
        )
        for t in np.arange(0.0, HOUR, 5.0)
    ]


def noisy(rate):
    """60 MB that settle within some minutes and then grow by `rate` MB/h, with noise."""
    noise = np.random.default_rng(0).normal(0.0, 0.05 * MEBIBYTE, 1000)
    return lambda t: (
        (60 + 20 * (1 - np.exp(-t / 60)) + rate * t / HOUR) * MEBIBYTE + noise[int(t) // 5]
    )


@pytest.mark.parametrize('rate', [0.0, 0.8, 1.2, 42.0])
def test_growth_is_measured_after_settling_and_judged_by_its_limit(rate):
    result = growth(hour(noisy(rate)), 300.0)
    assert result['growth_mb_per_h']['node'] == pytest.approx(rate, abs=0.1)
    assert (result['threads'], result['descriptors'], result['shm_mb']) == (0, 0, 0.0)
    assert bool(failures(result, 1.0)) == (rate > 1.0)


def test_what_comes_and_goes_is_not_growth_but_a_staircase_is():
    peaks = growth(hour(lambda t: (60 + 30 * (t % 60 == 0) + 50 * (t > 3500)) * MEBIBYTE), 300.0)
    assert peaks['growth_mb_per_h']['node'] == 0.0
    stairs = growth(hour(lambda t: (60 + 2 * (t // 600)) * MEBIBYTE), 300.0)
    assert stairs['growth_mb_per_h']['node'] == pytest.approx(12.0, rel=0.1)


def test_threads_descriptors_and_segments_that_stay_are_reported():
    still = noisy(0.0)
    result = growth(
        hour(
            still,
            threads=lambda t: 9 + (t > 1800) + 5 * (t % 50 == 0),  # also some that come and go
            descriptors=lambda t: 30 + 2 * (t > 3000),
            shared=lambda t: (17 + (t > 1000)) * MEBIBYTE,
        ),
        300.0,
    )
    assert (result['threads'], result['descriptors'], result['shm_mb']) == (1, 2, 1.0)
    assert [line.split(',')[0] for line in failures(result, 1.0)] == [
        '1 more threads at the end',
        '2 more descriptors at the end',
        '1 more MB of shared segments at the end',
    ]


def test_too_few_samples_are_no_measurement():
    with pytest.raises(ValueError, match='5 samples after 3575 s, wanted 6'):
        growth(hour(noisy(0.0)), 3575.0)
    assert slope([0.0, 1.0, 2.0], [5.0, 5.0, 5.0]) == 0.0
    assert failures({'growth_mb_per_h': {'n': float('nan')}} | dict.fromkeys(KEYS, 0), 1.0)


KEYS = ('threads', 'descriptors', 'shm_mb')


def test_a_sample_counts_what_this_process_takes():
    pids = {'this': os.getpid()}
    before = sample(pids, 0.0)
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    name = f'/dev/shm/vla_test_soak_{os.getpid()}'
    try:
        with open(name, 'w+b') as file:
            file.truncate(3 * MEBIBYTE)
            segment = mmap.mmap(file.fileno(), 0)
            private = mmap.mmap(-1, 30 * MEBIBYTE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            private.write(b'x' * len(private))
            after = sample(pids, 1.0)
            assert shared_segments(os.getpid())[name] == 3 * MEBIBYTE
            segment.close()
    finally:
        os.unlink(name)
        stop.set()
        thread.join()
    this, then = before.usage['this'], after.usage['this']
    assert (then.pid, then.threads - this.threads) == (os.getpid(), 1)
    assert then.descriptors >= this.descriptors + 1
    assert after.shared - before.shared == 3 * MEBIBYTE
    assert 29 < (then.resident - this.resident) / MEBIBYTE < 60


def test_a_process_that_ended_ends_the_soak():
    process = subprocess.Popen([sys.executable, '-c', ''])
    process.wait()
    with pytest.raises(ProcessLookupError):
        sample({'node': process.pid}, time.monotonic())


@pytest.mark.parametrize(
    ('options', 'error'),
    [
        (['--minutes', 'nan'], '--minutes: found nan, wanted a number above 0'),
        (['--minutes', '1', '--settle', '0.9'], '--minutes: found 1, wanted at least 1.4'),
    ],
)
def test_options_that_leave_nothing_to_measure_are_refused(capsys, options, error):
    with pytest.raises(SystemExit) as stopped:
        main(options)
    assert stopped.value.code == 2
    assert error in capsys.readouterr().err.splitlines()[-1]
