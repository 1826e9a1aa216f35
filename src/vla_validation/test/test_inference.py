# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_validation inference` on a tiny bundle."""

import json
import os

from vla_policy.testing.bundles import write_bundle
from vla_validation.inference.command import main


def test_benchmark_prints_one_json_object_last(tmp_path, capfd):
    """The node, a server and a loop, each in operation, with a tiny model."""
    write_bundle(tmp_path / 'tiny')
    before = os.sched_getscheduler(0)
    options = ['--bundle', str(tmp_path / 'tiny'), '--times', '5', '--stages', '--json']
    assert main(options) == 0
    table = json.loads(capfd.readouterr().out.strip().splitlines()[-1])
    for name in ('overhead_ms', 'preprocess_ms', 'openpi_loopback_ms', 'bare_loop_ms'):
        row = table[name]
        assert 0.0 < row['p50'] <= row['p99'] <= row['max']
        assert 1 <= row['n'] <= 5
    # Where it comes from, stage by stage, is all of it.
    stages = table['stages_ms']
    whole = table['overhead_ms']['max'] + stages['(the model)']['max']
    assert whole <= 1.01 * sum(stage['max'] for stage in stages.values())
    assert all(stage['n'] >= table['overhead_ms']['n'] for stage in stages.values())
    assert table['machine_ms']['n'] > 10 and table['machine_ms']['stolen_ms'] >= 0.0
    assert os.sched_getscheduler(0) == before
    assert main(['--bundle', str(tmp_path / 'nothing'), '--json']) == 1
    assert 'error' in json.loads(capfd.readouterr().out.strip().splitlines()[-1])
