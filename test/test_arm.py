# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""An arm in simulation by one command: it comes up, waves, follows instructions, stops."""

from __future__ import annotations

import numpy as np
import pytest
from whole_robot import BRING_UP, STOP, WholeRobot

from vla_common import topics
from vla_common.states import Behaviour, Level, Mode
from vla_robot import load_robot


@pytest.mark.parametrize('given', [{}, {'robot': 'so101'}], ids=['ur5e', 'so101'])
def test_an_arm_waves_goes_to_a_pose_without_a_violation_and_is_damped_by_an_e_stop(
    tmp_path, given
):
    arm = load_robot(given.get('robot', 'ur5e'))
    with WholeRobot(tmp_path, launch_file='arm.launch.py', **given) as robot:
        robot.wait_mode(Mode.RUNNING, BRING_UP)  # its first instruction
        text = f'{arm.name} has no feet (robot.yaml: frames): no balance monitor'
        assert text in robot.output()
        robot.wait(lambda: robot.moves, 30.0, 'the arm in motion')
        robot.wait_mode(Mode.READY, 60.0)
        robot.wait_rest()
        robot.instruct('go to ready')
        robot.wait_mode(Mode.RUNNING, 20.0)
        robot.wait_mode(Mode.READY, 60.0)
        robot.wait_rest()
        with robot.collecting(topics.JOINT_STATES) as joints:
            found = dict(zip(joints.last.name, joints.last.position, strict=True))
        reached = np.array([found[name] for name in arm.joint_names])
        assert np.abs(reached - arm.poses['ready']).max() < 0.03
        worst = max(message.level for message in robot.safety.messages)
        assert worst <= Level.WARNING, 'no limit was violated on the way'
        assert not robot.causes
        robot.instruct('move arm')
        robot.wait(lambda: robot.moves, 30.0, 'the arm in motion')
        assert robot.answer('/supervisor/estop').success
        robot.wait_mode(Mode.ESTOP, STOP)
        robot.wait_behaviour(Behaviour.DAMP, STOP)
        robot.assert_no_motion_resumes()
