# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM: the robot comes to rest before the processes end."""

import os
import re
import signal

import psutil
import pytest
from whole_robot import BRING_UP, WholeRobot

from vla_common.states import Mode


@pytest.mark.parametrize('way', ['ctrl_c_in_the_terminal', 'sigint_to_launch', 'sigterm_to_launch'])
def test_the_robot_rests_before_the_processes_end(tmp_path, way):
    arguments = {'policy': 'scripted', 'instruction': 'none', 'time_limit': 120.0}
    with WholeRobot(tmp_path, **arguments) as robot:
        robot.wait_mode(Mode.READY, BRING_UP)
        robot.start_motion()
        children = robot.children()
        assert len(children) >= 6
        if way == 'ctrl_c_in_the_terminal':
            # The terminal signals the whole foreground group: launch and nodes alike.
            os.killpg(robot.process.pid, signal.SIGINT)
        elif way == 'sigint_to_launch':
            robot.process.send_signal(signal.SIGINT)
        else:
            robot.process.send_signal(signal.SIGTERM)
        robot.process.wait(40)
        _, left = psutil.wait_procs(children, timeout=5)
        assert not left, f'still running: {left}'
        output = robot.output()
        rest = re.search(r'at rest after ([\d.]+) s, max joint speed ([\d.]+) rad/s', output)
        assert rest, output[-3000:]
        assert float(rest[2]) < 0.2, rest[0]
        assert not robot.balance.last.fallen
        assert 'Traceback' not in output, output[-3000:]
        assert 'process has died' not in output, output[-3000:]
