# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The double of a UFACTORY controller, judged by the maker's own SDK.

Its environment: environment/xarm_client.in. The SDK knows the maker's ports only, and 502 needs the
right to use it.
"""

import json
import subprocess

import numpy as np
import pytest
from foreign_client import client_python

from vla_hardware.doubles.xarm_robot import XArmRobot
from vla_hardware.drivers.xarm import wire
from vla_robot import load_robot

PYTHON = client_python('xarm_client', 'xarm-python-sdk')
ADDRESS = '127.77.0.5'
CLIENT = """
import json, sys, time
from xarm.wrapper import XArmAPI
arm = XArmAPI(sys.argv[1], report_type=sys.argv[2], is_radian=True)
seen = {'connected': arm.connected, 'axis': arm.axis, 'version': arm.version_number}
seen['mode'], seen['state'] = arm.set_mode(1), arm.set_state(0)
time.sleep(0.3)
at = list(arm.angles)
seen['before'] = list(at)
for i in range(60):
    at[0] += 0.003
    code = arm.set_servo_angle_j(at, is_radian=True)
    if code:
        break
    time.sleep(0.01)
time.sleep(0.5)
seen |= {'code': code, 'after': list(arm.angles), 'error': arm.get_err_warn_code()[1]}
print('SEEN ' + json.dumps(seen))
arm.disconnect()
"""


def ask(double, report):
    run = subprocess.run(
        [PYTHON, '-c', CLIENT, ADDRESS, report], capture_output=True, text=True, timeout=180.0
    )
    lines = [line for line in run.stdout.splitlines() if line.startswith('SEEN ')]
    assert lines, run.stdout + run.stderr
    return json.loads(lines[-1].removeprefix('SEEN '))


@pytest.fixture
def double(tmp_path):
    ports = (wire.CONTROL_PORT, wire.FAST_PORT, wire.SLOW_PORT)
    try:
        made = XArmRobot(load_robot('xarm7'), tmp_path, ADDRESS, ports)
    except PermissionError:
        pytest.skip('no right to use port 502')
    yield made
    made.close()


@pytest.mark.skipif(not PYTHON, reason='no environment of the SDK: environment/xarm_client.in')
@pytest.mark.parametrize('report', ['real', 'normal'])
def test_the_makers_sdk_moves_the_double_in_servo_mode(report, double):
    seen = ask(double, report)
    assert seen['connected'] and seen['axis'] == 7
    assert seen['mode'] == seen['state'] == seen['code'] == 0
    assert seen['error'] == [0, 0]
    np.testing.assert_allclose(seen['after'][0], seen['before'][0] + 0.18, atol=0.01)
    np.testing.assert_allclose(double.q, seen['after'], atol=0.01)


@pytest.mark.skipif(not PYTHON, reason='no environment of the SDK: environment/xarm_client.in')
def test_the_makers_sdk_sees_the_collision_of_the_double(double):
    double.enter('collision')
    seen = ask(double, 'normal')
    assert seen['error'][0] == 31
    assert seen['code'] != 0
