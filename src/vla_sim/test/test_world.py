# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The robot stands, falls, touches and feels as a robot does."""

from itertools import pairwise
from pathlib import Path

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_robot import load_robot
from vla_sim import Scene, SensorNoise, World

GRAVITY = 9.81
TESTBOT = Path(__file__).resolve().parents[2] / 'vla_robot' / 'test' / 'testbot'


def standing(robot, **options) -> World:
    world = World(robot, **options)
    pose = robot.poses['standing']
    world.command(pose, None, robot.kinematics().gravity_torque(pose))
    return world


def touches_table(world) -> bool:
    return any(
        'table' in (c.first, c.second) and not (c.first + c.second).count('cube')
        for c in world.contacts
    )


def move(world, poses, seconds=1.5) -> bool:
    """Minimum-jerk through the poses, with gravity feed-forward; whether it touched the table."""
    kinematics = world.robot.kinematics()
    touched = False
    for start, end in pairwise(poses):
        for t in np.linspace(0, 1, round(seconds * 100)):
            share = 10 * t**3 - 15 * t**4 + 6 * t**5
            q = start + share * (end - start)
            world.command(q, None, kinematics.gravity_torque(q))
            world.step(10)
            touched |= touches_table(world)
    return touched


# -- standing, falling, reaching ---------------------------------------------------------------


def test_the_robot_stands_for_a_minute_on_its_servos_alone(robot):
    world = standing(robot)
    start = world.qpos[:3]
    world.step(61_000)
    assert world.time == pytest.approx(61.0)
    assert not world.fallen
    assert np.linalg.norm(world.qpos[:3] - start) < 0.02
    assert np.abs(world.qvel).max() < 1e-3
    # and the cubes lie where the scene has put them
    for cube in world.scene.cubes:
        assert np.allclose(world.cube_position(cube.name), cube.position, atol=1e-3)


@pytest.mark.parametrize('force', [(-300, 0, 0), (0, 300, 0), (0, -300, 0)])
def test_without_a_balance_layer_a_push_of_30_newton_seconds_throws_it_over(robot, force):
    # Not forwards: there the table catches it.
    world = standing(robot)
    world.step(500)
    world.push(force, 0.1, 'torso_roll_link')
    world.step(3000)
    assert world.fallen


def test_pushed_forwards_it_bumps_into_the_table(robot):
    world = standing(robot)
    world.step(500)
    world.push((300, 0, 0), 0.1, 'torso_roll_link')
    touched = False
    for _ in range(100):
        world.step(20)
        touched |= touches_table(world)
    assert touched


def test_a_small_push_does_not_throw_it_over(robot):
    world = standing(robot)
    world.step(500)
    world.push((50, 0, 0), 0.1, 'torso_roll_link')
    world.step(90)
    assert world.qvel[0] > 0.02  # it was felt
    world.step(3000)
    assert not world.fallen


def test_a_push_ends_when_its_time_is_over(robot):
    world = standing(robot)
    world.push((10, 0, 0), 0.05, 'torso_roll_link')
    body = world.model.body('torso_roll_link').id
    world.step(49)
    assert world.data.xfrc_applied[body, 0] == 10
    world.step(1)
    assert (world.data.xfrc_applied == 0).all()


def test_passive_it_collapses_and_damped_it_sinks_slower(robot):
    heights = []
    for kv in (0.0, 30.0):
        world = standing(robot)
        world.set_gains(0.0, kv)
        world.command(robot.poses['standing'])
        world.step(400)
        heights.append(world.qpos[2])
    limp, damped = heights
    assert limp < damped - 0.05 < 0.76


def test_hands_reach_the_ready_pose_and_come_back_without_touching_the_table(robot):
    world = standing(robot)
    waypoints = robot.waypoints('ready')
    assert not move(world, waypoints)
    assert np.abs(world.joint_position - robot.poses['ready'])[robot.groups['arms']].max() < 0.03
    assert world.frame_pose('left_hand')[1][2] > world.scene.table.height + 0.1
    assert not world.fallen
    assert not move(world, waypoints[::-1])
    world.step(2000)
    assert not world.fallen


def test_the_straight_way_to_the_ready_pose_hits_the_table(robot):
    world = standing(robot)
    assert move(world, np.array([robot.poses['standing'], robot.poses['ready']]))


def test_a_hand_pushes_a_cube(robot):
    world = standing(robot)
    rotation, hand = world.frame_pose('left_hand')
    assert np.allclose(rotation @ rotation.T, np.eye(3))
    world.set_cube_position('red_cube', hand + [0.0, 0.0, 0.04])  # inside the palm
    world.step(20)
    assert {'red_cube', 'left_palm'} in [{c.first, c.second} for c in world.contacts]


@pytest.mark.parametrize('seed', [None, 1, 2, 3, 4])
@pytest.mark.parametrize('side', ['left', 'right'])
def test_the_finger_tips_of_both_hands_can_get_to_every_cube(robot, side, seed):
    scene = Scene.default() if seed is None else Scene.sample(seed)
    world = World(robot, scene)
    base = world.qpos[:3]
    kinematics = robot.kinematics()
    joints = np.concatenate([robot.groups['torso'], robot.groups[f'{side}_arm']])
    lower, upper = robot.limits.lower + robot.soft_margin, robot.limits.upper - robot.soft_margin
    for cube in scene.cubes:
        target = np.array(cube.position) + [0, 0, cube.size / 2 + 0.01]
        q = robot.poses['ready'].copy()
        for _ in range(100):  # damped least squares
            kinematics.update(q, base_position=base)
            error = target - kinematics.frame(f'{side}_hand')[1]
            jacobian = kinematics.frame_jacobian(f'{side}_hand')[:3, joints]
            gain = np.linalg.inv(jacobian @ jacobian.T + 1e-3 * np.eye(3))
            q[joints] += np.clip(jacobian.T @ gain @ error, -0.1, 0.1)
            np.clip(q, lower, upper, out=q)
        assert np.linalg.norm(error) < 0.02, cube.name


def test_start_jitter_moves_the_upper_body_only_and_no_further_than_requested(robot):
    world = World(robot, Scene(start_jitter=0.05), seed=3)
    offset = world.joint_position - robot.poses['standing']
    assert (offset[robot.groups['legs']] == 0).all()
    assert 0.02 < np.abs(offset).max() <= 0.05


# -- sensors -----------------------------------------------------------------------------------


def test_a_resting_imu_feels_gravity_upwards_and_no_rotation(robot):
    world = standing(robot)
    world.step(4000)
    reading = world.read()
    up = np.zeros(3)
    mujoco.mju_rotVecQuat(up, reading.linear_acceleration, reading.orientation)
    assert np.allclose(up, [0, 0, GRAVITY], atol=0.02)
    assert np.allclose(reading.angular_velocity, 0, atol=0.01)
    assert reading.orientation[0] > 0.999


def test_a_turn_to_the_left_is_a_positive_yaw_rate_and_pitching_down_a_positive_pitch_rate(robot):
    world = World(robot)
    qvel = np.zeros(world.model.nv)
    qvel[3:6] = (0.1, 0.2, 0.3)
    world.set_state(world.qpos, qvel)
    assert np.allclose(world.read().angular_velocity, [0.1, 0.2, 0.3], atol=1e-9)


def test_the_feet_together_feel_the_whole_weight_upwards(robot):
    world = standing(robot)
    world.step(4000)
    reading = world.read()
    weight = robot.total_mass * GRAVITY
    assert reading.left_wrench[2] > 0.4 * weight
    assert reading.left_wrench[2] + reading.right_wrench[2] == pytest.approx(weight, rel=0.01)


def test_foot_wrenches_are_the_sum_of_the_floors_contact_forces_in_the_foot_frame(robot):
    world = standing(robot)
    world.step(500)
    world.push((60, 40, 0), 0.1, 'torso_roll_link')
    world.step(150)
    reading = world.read()
    # Of the same instant as the sensors: contacts and site poses are of the state before the step.
    for foot, measured in (
        ('left_foot', reading.left_wrench),
        ('right_foot', reading.right_wrench),
    ):
        site = world.data.site(foot)
        rotation, origin = site.xmat.reshape(3, 3), site.xpos
        total = np.zeros(6)
        for i in range(world.data.ncon):
            contact = world.data.contact[i]
            bodies = [world.model.body(world.model.geom_bodyid[g]).name for g in contact.geom]
            if foot not in bodies:
                continue
            local = np.zeros(6)
            mujoco.mj_contactForce(world.model, world.data, i, local)
            force = contact.frame.reshape(3, 3).T @ local[:3]
            if bodies[0] == foot:  # MuJoCo's force is what the first exerts on the second
                force = -force
            total[:3] += force
            total[3:] += np.cross(contact.pos - origin, force)
        expected = np.concatenate([rotation.T @ total[:3], rotation.T @ total[3:]])
        assert np.allclose(measured, expected, atol=1e-4)
        assert abs(expected[0]) > 1 and abs(expected[3]) > 0.05  # the push is in it


def test_encoders_and_efforts_are_in_robot_order(robot):
    world = World(robot)
    elbow = robot.index['left_elbow']
    target = robot.poses['standing'].copy()
    target[elbow] -= 0.3
    world.command(target)
    world.step(2)
    effort = world.read().effort
    assert np.argmax(np.abs(effort)) == elbow
    assert effort[elbow] < -20
    world.step(1000)
    assert world.read().position[elbow] == pytest.approx(target[elbow], abs=0.05)


def test_efforts_never_exceed_the_urdfs_limit_feed_forward_included(robot):
    world = World(robot)
    pose = robot.poses['standing']
    world.command(pose + 0.5, np.full(robot.n, 50.0), np.full(robot.n, 1e4))
    world.step(5)
    assert np.allclose(world.read().effort, robot.limits.effort)


def test_feed_forward_works_with_zero_gains(robot):
    world = World(robot)
    world.set_gains(0.0, 0.0)
    effort = np.zeros(robot.n)
    effort[robot.index['head_yaw']] = 1.5
    world.command(robot.poses['ready'], None, effort)
    world.step(1)
    world.step(1)
    assert np.allclose(world.read().effort, effort)


def test_delayed_sensors_report_the_past_state(robot):
    prompt, late = World(robot), World(robot, sensor_delay=0.02)
    target = robot.poses['ready']
    readings = []
    for world in (prompt, late):
        world.command(target)
    for _ in range(60):
        prompt.step(1)
        late.step(1)
        readings.append(prompt.read())
        if len(readings) > 20:
            old = late.read()
            assert np.array_equal(old.position, readings[-21].position)
            assert np.array_equal(old.left_wrench, readings[-21].left_wrench)


def test_noise_has_the_requested_size_and_leaves_orientations_unit(robot):
    noise = SensorNoise(position=0.01, orientation=0.02, force=3.0)
    world = World(robot, sensor_noise=noise)
    world.step(1)
    truth = World(robot)
    truth.step(1)
    exact = truth.read()
    readings = [world.read() for _ in range(300)]
    positions = np.array([reading.position - exact.position for reading in readings])
    assert positions.std() == pytest.approx(0.01, rel=0.05)
    forces = np.array([(reading.left_wrench - exact.left_wrench)[:3] for reading in readings])
    assert forces.std() == pytest.approx(3.0, rel=0.1)
    assert np.array_equal(readings[0].velocity, exact.velocity)
    norms = [np.linalg.norm(reading.orientation) for reading in readings]
    assert np.allclose(norms, 1)


def test_readings_are_fresh_arrays(robot):
    world = World(robot)
    before = world.read()
    kept = before.position.copy()
    world.command(robot.poses['ready'])
    world.step(50)
    assert np.array_equal(before.position, kept)
    assert not np.array_equal(world.read().position, kept)


# -- repeatability -----------------------------------------------------------------------------


def trace(world, robot) -> np.ndarray:
    world.command(robot.poses['ready'])
    rows = []
    for _ in range(10):
        world.step(20)
        rows.append(np.concatenate([world.read().position, world.qpos]))
    return np.array(rows)


def test_the_same_seed_gives_the_same_numbers_also_after_a_reset(robot):
    scene = Scene.sample(5)
    options = {'sensor_noise': SensorNoise.typical(), 'seed': 9}
    first, second = World(robot, scene, **options), World(robot, scene, **options)
    once = trace(first, robot)
    assert np.array_equal(once, trace(second, robot))
    first.push((500, 0, 0), 0.5, 'base_link')
    first.step(100)
    first.reset()
    assert np.array_equal(once, trace(first, robot))
    other = trace(World(robot, scene, sensor_noise=SensorNoise.typical(), seed=10), robot)
    assert not np.array_equal(once, other)


def test_a_state_can_be_taken_and_put_back(robot):
    world = standing(robot)
    world.step(100)
    qpos, qvel = world.qpos, world.qvel
    world.push((100, 0, 0), 0.1, 'base_link')
    world.step(200)
    world.set_state(qpos, qvel)
    assert np.array_equal(world.qpos, qpos) and np.array_equal(world.qvel, qvel)


# -- the same robot in both libraries ----------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_mujoco_and_pinocchio_agree_on_frames_mass_gravity_and_distances(seed):
    robot, world, kinematics = agreement()
    random = np.random.default_rng(seed)
    limits = robot.limits
    q = limits.lower + random.uniform(0, 1, robot.n) * (limits.upper - limits.lower)
    quaternion = random.standard_normal(4)
    quaternion /= np.linalg.norm(quaternion)
    position = random.uniform(-1, 1, 3)
    qpos = world.qpos
    qpos[:7] = (*position, *quaternion)
    qpos[world.model.jnt_qposadr[[world.model.joint(n).id for n in robot.joint_names]]] = q
    world.set_state(qpos)
    base = np.empty(9)
    mujoco.mju_quat2Mat(base, quaternion)
    base = base.reshape(3, 3)
    kinematics.update(q, base_rotation=base, base_position=position)

    for frame in robot.frames:
        rotation, origin = kinematics.frame(frame)
        other_rotation, other_origin = world.frame_pose(frame)
        assert np.allclose(origin, other_origin, atol=1e-9)
        assert np.allclose(rotation, other_rotation, atol=1e-9)

    root = world.model.body('base_link').id
    assert np.allclose(kinematics.com, world.data.subtree_com[root], atol=1e-9)
    assert world.model.body_subtreemass[root] == pytest.approx(robot.total_mass)

    upper = robot.groups['upper_body']
    dofs = [int(world.model.joint(robot.joint_names[i]).dofadr[0]) for i in upper]
    torque = kinematics.gravity_torque(q, base)[upper]
    assert np.allclose(torque, world.data.qfrc_bias[dofs], atol=1e-6)  # at rest: gravity alone

    distances = kinematics.distances()
    line = np.zeros(6)
    for pair in random.choice(len(kinematics.pairs), 12, replace=False):
        first, second = (f'{link}_0' for link in kinematics.pairs[pair])
        if distances[pair] > 1e-3:  # depths of penetration are defined differently
            other = mujoco.mj_geomDistance(
                world.model,
                world.data,
                world.model.geom(first).id,
                world.model.geom(second).id,
                5.0,
                line,
            )
            assert distances[pair] == pytest.approx(other, abs=1e-5)


def agreement(cache={}):  # noqa: B006 one world for all examples
    if not cache:
        robot = load_robot('humanoid32')
        cache.update(robot=robot, world=World(robot), kinematics=robot.kinematics())
    return cache['robot'], cache['world'], cache['kinematics']


# -- what is refused ---------------------------------------------------------------------------


def test_a_command_that_is_not_a_command_is_refused_and_the_old_one_stays(robot):
    world = standing(robot)
    before = world.data.ctrl.copy()
    bad = robot.poses['standing'].copy()
    bad[3] = np.nan
    with pytest.raises(ValueError, match='torso_yaw: nan'):
        world.command(bad)
    with pytest.raises(ValueError, match=r'shape \(31,\)'):
        world.command(np.zeros(31))
    with pytest.raises(ValueError, match='torso_yaw: inf'):
        world.command(robot.poses['standing'], None, np.where(np.isnan(bad), np.inf, 0.0))
    assert np.array_equal(world.data.ctrl, before)


def test_wrong_gains_pushes_poses_and_states_are_refused(robot):
    world = World(robot)
    with pytest.raises(ValueError, match='gains'):
        world.set_gains(-1.0, 0.0)
    with pytest.raises(ValueError, match='gains'):
        world.set_gains(np.nan, 0.0)
    with pytest.raises(ValueError, match='link tail'):
        world.push((1, 0, 0), 0.1, 'tail')
    with pytest.raises(ValueError, match='three finite numbers'):
        world.push((np.nan, 0, 0), 0.1, 'base_link')
    with pytest.raises(ValueError, match='finite numbers'):
        world.push((1, 0, 0), 0.0, 'base_link')
    with pytest.raises(KeyError, match='kneeling'):
        world.reset('kneeling')
    with pytest.raises(KeyError, match='pink_cube'):
        world.cube_position('pink_cube')
    with pytest.raises(KeyError, match='tail'):
        world.frame_pose('tail')
    with pytest.raises(ValueError, match='finite numbers'):
        world.set_state(np.zeros(3))


def test_a_robot_without_feet_is_bolted_down_and_its_mesh_is_solid():
    testbot = load_robot(TESTBOT)
    world = World(testbot)
    assert world.model.nq == 3 + 7 * len(world.scene.cubes)
    world.step(500)
    reading = world.read()
    assert not world.fallen
    assert np.allclose(reading.position, testbot.poses['standing'], atol=0.1)
    assert (reading.left_wrench == 0).all()
    kinematics = testbot.kinematics()
    kinematics.update(world.joint_position)
    assert np.allclose(
        kinematics.frame('left_hand')[1], world.frame_pose('left_hand')[1], atol=1e-9
    )


def test_many_steps_at_once_are_as_many_single_ones_sensors_included(robot):
    at_once, singly = World(robot), World(robot)
    for world in (at_once, singly):
        world.push((40, 0, 0), 0.05, 'torso_roll_link')
    at_once.step(137)
    for _ in range(137):
        singly.step()
    assert np.array_equal(at_once.qpos, singly.qpos)
    for name, value in vars(at_once.read()).items():
        assert np.array_equal(value, vars(singly.read())[name]), name


def test_a_cube_that_rests_sleeps_until_it_is_moved_and_the_robot_never_does(robot):
    world = standing(robot)
    world.step(1500)
    assert world.data.nv_awake == 6 + robot.n
    place = world.cube_position('red_cube')
    world.set_cube_position('red_cube', place + (0, 0, 0.1))
    world.step(50)
    assert world.cube_position('red_cube')[2] < place[2] + 0.095
    world.step(2000)
    assert np.allclose(world.cube_position('red_cube'), place, atol=1e-3)
    assert world.data.nv_awake == 6 + robot.n
