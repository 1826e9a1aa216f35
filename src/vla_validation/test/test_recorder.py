# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_validation recorder` in its short form."""

import json

from vla_validation.recorder.command import main


def test_a_short_measurement_prints_cost_losses_and_kills(capfd):
    # Not its status: a limit may be passed on a machine that is busy with other tests.
    assert main(['--seconds', '8', '--kills', '2', '--json']) in (0, 1)
    found = json.loads(capfd.readouterr().out.strip().splitlines()[-1])
    for key in ('cpu_percent', 'dropped', 'lost_chunks_max', 'replay_differences'):
        assert found[key] >= 0, key
    assert 0.0 < found['cpu_percent'] < 100.0
    assert found['messages'] > 1000
    assert found['dropped'] < 0.1 * found['messages']
    assert found['kills'] == 2
    assert 0.0 < found['lost_chunks_max'] < 10.0
    assert found['ticks_replayed'] == 0
