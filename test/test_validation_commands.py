# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The commands that launch a robot, break it and measure it, in their short forms.

Each uses a ROS domain of its own.
"""

import json
import subprocess

LONG = 400.0


def run(*command: str) -> tuple[int, dict, str]:
    """Exit status, the object in the last line of stdout, and stderr."""
    done = subprocess.run(
        ['ros2', 'run', 'vla_validation', *command],
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert done.stdout.strip(), done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stderr


def test_the_short_fault_campaign_ends_as_expected_in_every_fault():
    code, result, printed = run('faults', '--short', '--tries', '3', '--json', 'policy:=scripted')
    assert {fault['name'] for fault in result['faults']} == {
        'estop:before_start', 'estop:held', 'driver_stops_writing',
    }, printed  # fmt: skip
    for fault in result['faults']:
        assert fault['ok'], printed
        assert fault['observed'] == fault['expected'] == 'ESTOP'
        assert fault['detection_ms'] > 0
        assert fault['rest_ms'] is None or fault['rest_ms'] >= 0
        assert fault['worst_excess_rad'] >= 0.0
        assert fault['fell'] is False
    assert code == 0


def test_stops_reports_the_distribution_of_each_stage():
    code, result, printed = run(
        'stops', '--only', 'idle', '--n', '5', '--falls', '0', '--losses', '0', '--json'
    )
    # 1: measured, and slower than wanted, as a crowded machine is.
    assert code in (0, 1), printed
    idle = result['idle']
    stages = ('request_to_mode_ms', 'request_to_behaviour_ms', 'request_to_damped_ms')
    for stage in stages:
        assert idle[stage]['n'] == 5
        assert 0.0 <= idle[stage]['p50'] <= idle[stage]['p99'] <= idle[stage]['max']
    p50 = [idle[stage]['p50'] for stage in stages]
    assert p50 == sorted(p50), 'a later stage cannot be earlier'
