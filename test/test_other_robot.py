# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A robot directory without feet and with one hand comes up by the default launch."""

from __future__ import annotations

import pathlib

from whole_robot import BRING_UP, WholeRobot

from vla_common.states import Mode

TESTBOT = pathlib.Path(__file__).parents[1] / 'src' / 'vla_robot' / 'test' / 'testbot'
POLICY = """\
format: 1
name: bend
version: "1.0.0"
licence: Apache-2.0
runtime: scripted
chunk: {horizon: 16, step: 0.1}
tasks: [bend]
motions:
  bend: {words: [bend], pose: {bend: 0.3}, reach_time: 1.0, duration: 1.0, return_time: 1.0}
"""


def test_a_robot_without_feet_comes_up_without_a_balance_monitor_and_moves(tmp_path):
    bundle = tmp_path / 'bundle'
    bundle.mkdir()
    (bundle / 'policy.yaml').write_text(POLICY)
    with WholeRobot(tmp_path, robot=TESTBOT, policy=bundle, instruction='none') as robot:
        robot.wait_mode(Mode.READY, BRING_UP)
        assert f'{TESTBOT} has no feet (robot.yaml: frames): no balance monitor' in robot.output()
        assert set(robot.state.nodes_active) == {
            'hardware_driver',
            'camera',
            'safety_filter',
            'inference',
        }
        robot.instruct('bend')
        robot.wait_mode(Mode.RUNNING, 20.0)
        robot.wait_mode(Mode.READY, 30.0)
        robot.wait_rest()
        assert list(robot.state.nodes_missing) == []


def test_the_scripted_policy_moves_a_robot_that_it_does_not_know_by_the_default_launch(tmp_path):
    with WholeRobot(tmp_path, robot=TESTBOT, policy='scripted') as robot:
        robot.wait_mode(Mode.RUNNING, BRING_UP)
        robot.wait_mode(Mode.READY, 40.0)
        robot.instruct('move head')
        robot.wait_mode(Mode.RUNNING, 20.0)
        robot.wait_mode(Mode.READY, 40.0)
        robot.wait_rest()
