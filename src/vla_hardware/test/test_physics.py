# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The stop behaviours on the simulated robot, in simulated time."""

import dataclasses

import numpy as np
import pytest
from simulated import LIMITS, PERIOD, ROBOT, Simulated

from vla_common.states import Behaviour, Mode
from vla_common.testing import bytes_kept
from vla_sim import Scene

STANDING = ROBOT.poses['standing']


def empty() -> Scene:
    """No table within reach: nothing to lean on."""
    scene = Scene.default()
    return dataclasses.replace(
        scene, table=dataclasses.replace(scene.table, position=(5.0, 0.0)), cubes=()
    )


def move(s: Simulated, goal: np.ndarray, seconds: float = 2.0) -> None:
    """Tracks a minimum-jerk motion to a pose."""
    start, begin = s.loop.motion.position.copy(), s.clock.now

    def every(t: float) -> None:
        a = min((s.clock.now - begin) / seconds, 1.0)
        shape = a**3 * (10 - 15 * a + 6 * a * a)
        slope = 30 * a * a * (1 - a) ** 2 / seconds
        s.command(start + shape * (goal - start), slope * (goal - start))

    s.run(seconds, every)


def running(**scene) -> Simulated:
    s = Simulated('mujoco', **scene)
    s.request(Mode.READY, Behaviour.HOLD)
    s.run(0.3)
    s.request(Mode.RUNNING, Behaviour.TRACK)
    s.run(0.02)
    return s


def test_it_stands_still_after_activation():
    s = Simulated('mujoco')
    s.run(2.0)
    assert s.loop.standing
    assert s.loop.at_rest
    assert not s.world.fallen
    assert s.driver.real_time_factor == pytest.approx(1.0, abs=0.01)


def test_silence_of_the_supervisor_brings_hands_above_the_table_back_without_falling():
    s = running()
    for pose in ROBOT.waypoints('ready')[1:]:
        move(s, pose)
    assert s.loop.gate.rejections == 0
    s.supervised = False
    s.run(3.5)
    assert s.loop.motion.behaviour is Behaviour.STAND
    assert s.loop.behaviour_done
    assert s.loop.standing
    assert not s.world.fallen


@pytest.mark.parametrize('seed', [1, 2, 3])
def test_stand_from_any_pose_of_the_arms_keeps_the_robot_upright(seed):
    random = np.random.default_rng(seed)
    s = running(scene=empty())
    goal = STANDING.copy()
    arms = ROBOT.groups['arms']
    goal[arms] = random.uniform(ROBOT.limits.lower[arms], ROBOT.limits.upper[arms])
    move(s, goal, 2.5)
    s.request(Mode.SAFE_STOP, Behaviour.STAND)
    s.run(4.0)
    assert not s.world.fallen
    assert s.loop.standing
    assert s.loop.at_rest


def test_damp_lets_the_robot_down_without_driving_a_joint():
    s = Simulated('mujoco', scene=empty())
    s.run(0.5)
    s.request(Mode.ESTOP, Behaviour.DAMP)
    falling = []
    s.run(4.0, lambda t: falling.append(-s.world.qvel[2]))
    assert s.world.fallen
    # Free fall from standing ends at 3.9 m/s; damped it was measured at 0.9.
    assert max(falling) < 2.0
    assert s.loop.max_joint_speed < 1.0


def test_reset_during_an_estop_hangs_the_robot_up_until_the_servos_are_stiff():
    s = Simulated('mujoco', scene=empty())
    s.run(0.2)
    s.request(Mode.ESTOP, Behaviour.DAMP)
    s.run(3.0)
    assert s.world.fallen
    s.driver.reset(suspended=True)
    s.loop.relocated(standing=False)
    s.run(3.0)
    assert not s.world.fallen
    assert not s.loop.fault
    felt = np.linalg.norm(s.loop.reading.linear_acceleration)
    assert felt == pytest.approx(9.81, abs=0.3), 'it feels as if it fell'
    s.request(Mode.INACTIVE, Behaviour.HOLD)
    s.run(3.0)
    assert not s.world.fallen
    assert s.loop.standing


def test_a_stall_is_not_made_up_for_by_stalling_longer():
    s = Simulated('mujoco', scene=empty())
    s.run(0.5)
    before = s.world.time
    s.clock.advance(0.5)
    s.loop.cycle()
    assert s.world.time - before <= 0.021
    assert s.driver.real_time_factor < 0.9
    s.run(1.5)
    assert s.driver.real_time_factor == pytest.approx(1.0, abs=0.01)


def test_the_limits_used_here_are_the_shipped_ones():
    from pathlib import Path

    import yaml

    file = Path(__file__).parents[3] / 'config' / 'hardware_driver.yaml'
    shipped = yaml.safe_load(file.read_text())['hardware_driver']['ros__parameters']
    for field in dataclasses.fields(LIMITS):
        assert shipped[field.name] == getattr(LIMITS, field.name), field.name


def test_no_cycle_keeps_memory():
    s = running()
    # 200 times a second, 1 byte is 0.7 MB/h.
    assert bytes_kept(lambda: s.run(PERIOD)) < 1.0
