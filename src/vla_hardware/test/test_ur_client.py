# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The double of a UR controller, judged by a client that nobody here wrote: ur_rtde.

Its environment: environment/ur_client.in.
"""

import json
import subprocess

import numpy as np
import pytest
from foreign_client import client_python

from vla_hardware.doubles.ur_robot import UrRobot
from vla_robot import load_robot

PYTHON = client_python('ur_client', 'ur-rtde')
CLIENT = """
import json, sys, time
from rtde_receive import RTDEReceiveInterface
receive = RTDEReceiveInterface(sys.argv[1], 125.0)
time.sleep(0.3)
first = receive.getTimestamp()
time.sleep(0.3)
print(json.dumps({
    'q': receive.getActualQ(), 'mode': receive.getRobotMode(), 'safety': receive.getSafetyMode(),
    'status': receive.getSafetyStatusBits(), 'passed': receive.getTimestamp() - first,
}))
receive.disconnect()
"""


def ask(double):
    run = subprocess.run(
        [PYTHON, '-c', CLIENT, double.address], capture_output=True, text=True, timeout=120.0
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.skipif(not PYTHON, reason='no environment of ur_rtde: environment/ur_client.in')
def test_ur_rtde_reads_all_its_fields_from_the_double(tmp_path):
    double = UrRobot(load_robot('ur5e'), tmp_path)
    try:
        seen = ask(double)
        np.testing.assert_allclose(seen['q'], double.q, atol=1e-9)
        assert (seen['mode'], seen['safety']) == (7, 1)
        assert 0.05 < seen['passed'] < 10.0
        double.enter('protective stop')
        assert ask(double)['safety'] == 3
        double.server.piece = 1
        double.enter('emergency stop')
        seen = ask(double)
        assert (seen['mode'], seen['safety']) == (3, 7)
    finally:
        double.close()
