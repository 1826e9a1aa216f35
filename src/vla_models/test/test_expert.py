# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The expert arrives, inside limits, and depends on the state only."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_models.commands import collect
from vla_models.expert import HORIZON, PERIOD, SPEED, STEP, Expert
from vla_models.goals import ABOVE_CUBE, Target
from vla_models.postures import PostureSampler
from vla_models.tasks import ALL_TASKS, HANDS, Task, TaskKind
from vla_robot import load_robot

ROBOT = load_robot('humanoid32')
EXPERT = Expert(ROBOT)
SAMPLER = PostureSampler(EXPERT)
CUBE = Target(np.array([0.38, 0.12, 0.085]), 0.045)


def follow(task: Task, q: np.ndarray, seconds: float, target: Target | None = None) -> np.ndarray:
    """The posture of a robot that follows the first step of each chunk."""
    q = q.copy()
    for i in range(round(seconds / STEP)):
        q[EXPERT.joints] = EXPERT.chunk(task, q, i * STEP, target)[0]
    return q


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(ALL_TASKS), st.integers(0, 2**31), st.floats(0, 10))
def test_a_chunk_stays_inside_the_joint_limits_and_below_its_speed(task, seed, elapsed):
    q = SAMPLER.sample(np.random.default_rng(seed))
    chunk = EXPERT.chunk(task, q, elapsed, CUBE if task.has_target else None)
    assert chunk.shape == (HORIZON, len(EXPERT.joints))
    limits = ROBOT.limits
    assert (chunk >= limits.lower[EXPERT.joints]).all()
    assert (chunk <= limits.upper[EXPERT.joints]).all()
    # A wave moves with its goal besides.
    allowed = SPEED * STEP + (0.15 if task.kind is TaskKind.WAVE else 1e-9)
    assert np.abs(np.diff(chunk, axis=0)).max() <= allowed


def test_a_hanging_hand_reaches_a_cube_and_is_above_the_table_before_it_is_over_it():
    r"""
    side view:      ready .--> cube     the path from standing goes up behind the table's edge
             standing /  |=====table
    """
    task = Task(TaskKind.REACH, 'left', 'red')
    q = ROBOT.poses['standing'].copy()
    for i in range(80):
        q[EXPERT.joints] = EXPERT.chunk(task, q, i * STEP, CUBE)[0]
        tip = EXPERT.tip(q, 'left')
        assert tip[0] < 0.24 or tip[2] > 0.1
    wanted = CUBE.position + [0, 0, CUBE.size / 2 + ABOVE_CUBE]
    assert np.linalg.norm(EXPERT.tip(q, 'left') - wanted) < 0.01


def test_pointing_fingers_are_in_line_with_the_cube():
    q = follow(Task(TaskKind.POINT, 'left', 'red'), ROBOT.poses['ready'], 6.0, CUBE)
    tip, direction = EXPERT.fingers(q, 'left')
    ray = CUBE.position - tip
    assert np.arccos(direction @ ray / np.linalg.norm(ray)) < 0.05


def test_looking_puts_the_cube_on_the_axis_of_the_camera():
    q = follow(Task(TaskKind.LOOK, None, 'red'), ROBOT.poses['ready'], 5.0, CUBE)
    kinematics = ROBOT.kinematics()
    kinematics.update(q)
    rotation, position = kinematics.frame('head_camera')
    ray = CUBE.position - position
    assert np.arccos(rotation[:, 2] @ ray / np.linalg.norm(ray)) < 0.05


def test_while_a_cube_is_out_of_view_the_head_turns_to_the_table_and_the_arms_wait():
    unseen = Target(CUBE.position, CUBE.size, in_view=False)
    q = follow(Task(TaskKind.REACH, 'left', 'red'), ROBOT.poses['ready'], 4.0, unseen)
    for group in ('head', 'left_arm'):
        joints = ROBOT.groups[group]
        assert np.allclose(q[joints], ROBOT.poses['ready'][joints], atol=0.02)


@pytest.mark.parametrize('pose', ['standing', 'ready'])
def test_stand_still_does_not_move(pose):
    start = ROBOT.poses[pose]
    chunk = EXPERT.chunk(Task(TaskKind.STAND), start, 0.0)
    assert np.abs(chunk - start[EXPERT.joints]).max() < 0.05


@pytest.mark.parametrize(('kind', 'pose'), [(TaskKind.REST, 'standing'), (TaskKind.READY, 'ready')])
def test_postures_are_reached_from_the_other_one(kind, pose):
    start = ROBOT.poses['ready' if pose == 'standing' else 'standing']
    q = follow(Task(kind), start, 7.0)
    for hand in HANDS:
        arm = ROBOT.groups[f'{hand}_arm']
        assert np.allclose(q[arm], ROBOT.poses[pose][arm], atol=0.03)


def test_a_wave_is_a_function_of_its_phase():
    task = Task(TaskKind.WAVE, 'right')
    q = follow(task, ROBOT.poses['ready'], 6.0)
    first, later = (EXPERT.chunk(task, q, t) for t in (0.7, 0.7 + PERIOD))
    assert np.allclose(first, later)
    yaw = EXPERT.names.index('right_shoulder_yaw')
    assert np.ptp(first[:, yaw]) > 0.4


def test_a_goal_is_reached_in_finite_time_and_kept():
    task = Task(TaskKind.POINT, 'left', 'red')
    q = follow(task, ROBOT.poses['ready'], 4.0, CUBE)
    arm = [EXPERT.names.index(ROBOT.joint_names[i]) for i in ROBOT.groups['left_arm']]
    q[ROBOT.groups['left_arm']] += 0.04  # within what one step may brake
    chunk = EXPERT.chunk(task, q, 0.0, CUBE)[:, arm]
    assert np.abs(chunk[0] - chunk[-1]).max() < 1e-3


def test_a_leaning_torso_does_not_move_the_finger_tips_off_the_cube():
    leaning = ROBOT.poses['ready'].copy()
    leaning[ROBOT.groups['torso']] = (0.04, -0.05, 0.03)
    task = Task(TaskKind.REACH, 'right', 'red')
    cube = Target(CUBE.position * [1, -1, 1], CUBE.size)
    q = follow(task, leaning, 5.0, cube)
    wanted = cube.position + [0, 0, cube.size / 2 + ABOVE_CUBE]
    assert np.linalg.norm(EXPERT.tip(q, 'right') - wanted) < 0.012


TESTBOT = Path(__file__).parents[2] / 'vla_robot' / 'test' / 'testbot'


def test_a_robot_without_a_head_or_arms_is_refused_by_group(tmp_path):
    """`collect` ended in a traceback, with a data directory begun."""
    for group, case in (('head', 'a robot without a head'), ('left_arm', 'a robot without arms')):
        groups = {name: index for name, index in ROBOT.groups.items() if name != group}
        robot = replace(ROBOT, groups=groups)
        with pytest.raises(ConfigError) as error:
            Expert(robot)
        documented('Commands', case, error.value, robot.directory)
    assert collect.main(['--episodes', '1', '--out', str(tmp_path), '--robot', str(TESTBOT)]) == 2
    assert not list(tmp_path.iterdir())
