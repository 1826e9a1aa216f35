# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Poses of the links for /tf."""

import importlib.util

import numpy as np
import pytest
from simulated import ROBOT

from vla_hardware import state_publisher
from vla_hardware.state_publisher import LinkPoses

STANDING = ROBOT.poses['standing']


def test_every_link_but_the_base_has_a_pose_and_the_feet_are_below():
    poses = {link: p for link, _, p in LinkPoses(ROBOT).of(STANDING)}
    assert ROBOT.frames['base'] not in poses
    assert set(ROBOT.frames.values()) - {ROBOT.frames['base']} <= set(poses)
    assert poses[ROBOT.frames['left_foot']][2] < -0.7
    assert poses[ROBOT.frames['left_foot']][1] > 0 > poses[ROBOT.frames['right_foot']][1]


def test_the_base_is_as_high_as_the_legs_hold_it():
    height = LinkPoses(ROBOT).base_height(STANDING, np.eye(3))
    assert height == pytest.approx(0.777, abs=0.005)


@pytest.mark.skipif(importlib.util.find_spec('tf2_msgs') is not None, reason='tf2_msgs is here')
def test_without_tf2_msgs_it_reports_that_and_ends(capsys):
    assert state_publisher.main() == 1
    assert 'tf2_msgs is not installed' in capsys.readouterr().err
