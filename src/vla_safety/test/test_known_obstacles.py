# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Obstacles that come, go and move, and objects in the hands, in front of the coupled limits."""

import dataclasses
import math

import numpy as np
import pytest
from test_barriers import PARAMETERS, PERIOD, ROBOT, Arm

from vla_common.states import Mode
from vla_safety.coupled.build import braking_barriers
from vla_safety.filter import SafetyFilter
from vla_safety.filter_runtime import FilterRuntime, Timeouts
from vla_safety.known_world import (
    PAYLOAD_TIME,
    Arrival,
    HeldObject,
    KnownWorld,
    ObstacleReading,
    StalePolicy,
    carried_entry,
    obstacles_entry,
)
from vla_safety.obstacle_shape import ObstacleShape, ShapeType
from vla_safety.supervisor_command import SupervisorCommand
from vla_safety.violations import ViolationKind

NS = 1_000_000_000
BOX = ObstacleShape(ShapeType.BOX, (0.1, 0.1, 0.1))
UPRIGHT = (0.0, 0.0, 0.0, 1.0)
TETRAHEDRON = ((0.0, 0.0, 0.0), (0.1, 0.0, 0.0), (0.0, 0.1, 0.0), (0.0, 0.0, 0.1))


def reading(**changes):
    base = ObstacleReading('box1', BOX, (0.4, 0.2, 0.2), UPRIGHT, 0.0, 0.0)
    return dataclasses.replace(base, **changes)


def held(**changes):
    base = HeldObject(
        'left_hand', True, 'stick', BOX, (0.0, 0.0, 0.0), UPRIGHT, 0.5, 0.0, '', 0.0
    )  # fmt: skip
    return dataclasses.replace(base, **changes)


class Scene:
    """The shipped robot with what it knows, its left arm told to rise towards a place."""

    def __init__(self, rise=-0.8, **rules):
        self.world = KnownWorld.of(ROBOT, dataclasses.replace(PARAMETERS.obstacles, **rules))
        self.arm = Arm('ready')
        self.start = self.arm.box.position.copy()
        self.goal = self.start.copy()
        self.goal[ROBOT.index['left_shoulder_pitch']] += rise
        self.now = 10.0

    def arrival(self, age=0.0):
        return Arrival(round((self.now - age) * NS), self.now, round(self.now * NS))

    def see(self, *readings, removed=(), frame='base', age=0.0):
        return self.world.on_obstacles(frame, readings, removed, self.arrival(age))

    def hold(self, *objects):
        return self.world.on_carried(objects, self.arrival())

    def run(self, ticks, goal=None):
        goal = self.goal if goal is None else goal
        sent = []
        for _ in range(ticks):
            self.now += PERIOD
            self.arm.barriers.set_known(self.world, self.now)
            wanted = np.clip(5.0 * (goal - self.arm.box.position), -6.0, 6.0)
            sent.append(self.arm.step(wanted).copy())
        return np.array(sent)

    def hand(self, q=None, frame='left_hand'):
        k = ROBOT.kinematics()
        k.update(self.arm.box.position if q is None else q)
        return k.frame(frame)[1]

    @property
    def arrived(self):
        return bool(np.abs(self.goal - self.arm.box.position).max() < 0.02)

    @property
    def names(self):
        return {subject for kind, subject in self.arm.seen if kind is ViolationKind.COLLISION}


def test_an_obstacle_in_the_way_holds_the_hand_and_is_named():
    scene = Scene()
    assert scene.see(reading(position=tuple(scene.hand(scene.goal)))) == ''
    scene.run(200)
    assert not scene.arrived
    assert 'with obstacle box1 (left_palm)' in scene.names
    assert np.abs(scene.arm.box.velocity).max() < 0.05


def test_without_it_and_after_its_removal_the_hand_arrives():
    scene = Scene()
    scene.run(150)
    assert scene.arrived
    scene = Scene()
    scene.see(reading(position=tuple(scene.hand(scene.goal))))
    scene.run(100)
    scene.see(removed=['box1'])
    scene.run(150)
    assert scene.arrived


@pytest.mark.parametrize(
    'shape',
    [
        ObstacleShape(ShapeType.SPHERE, (0.08,)),
        ObstacleShape(ShapeType.CAPSULE, (0.05, 0.1)),
        ObstacleShape(ShapeType.CONVEX, (), tuple((x, y, z) for x in (-0.1, 0.1)
                      for y in (-0.1, 0.1) for z in (-0.1, 0.1))),
    ],
    ids=lambda shape: shape.type.name,
)  # fmt: skip
def test_every_shape_holds_the_hand(shape):
    scene = Scene()
    assert scene.see(reading(shape=shape, position=tuple(scene.hand(scene.goal)))) == ''
    scene.run(200)
    assert not scene.arrived


def test_position_error_and_speed_times_age_are_kept_clear():
    def reach(**changes):
        scene = Scene()
        scene.see(reading(position=tuple(scene.hand(scene.goal)), **changes))
        scene.run(110, scene.start)  # the obstacle ages
        scene.run(200)
        return float(np.linalg.norm(scene.hand() - scene.hand(scene.goal)))

    exact = reach()
    # Along the way, not the line between the centres: so only at least about as far.
    assert reach(position_error=0.05) > exact + 0.03
    grown = 0.05 * PARAMETERS.obstacles.max_age
    assert reach(max_speed=0.05) > exact + 0.6 * grown


def test_an_obstacle_that_is_seen_again_elsewhere_lets_the_hand_pass():
    scene = Scene()
    scene.see(reading(position=tuple(scene.hand(scene.goal))))
    scene.run(150)
    assert not scene.arrived
    scene.see(reading(position=(0.4, -0.8, 0.2)))
    scene.run(150)
    assert scene.arrived


@pytest.mark.parametrize('place', ['at the hand', 'in its brake path', 'around the forearm'])
def test_an_obstacle_that_appears_there_makes_the_robot_brake_and_never_jump(place):
    scene = Scene()
    scene.run(12)
    assert np.abs(scene.arm.box.velocity).max() > 0.5
    brake = scene.hand(scene.arm.box.position + 0.1 * scene.arm.box.velocity)
    where = {
        'at the hand': scene.hand(),
        'in its brake path': brake,
        'around the forearm': 0.5 * (scene.hand() + scene.hand(frame='left_forearm')),
    }[place]
    before = scene.arm.box.velocity.copy()
    scene.see(reading(position=tuple(where)))
    sent = scene.run(100)
    steps = np.abs(np.diff(np.vstack((before, sent)), axis=0))
    assert (steps <= ROBOT.limits.acceleration * PERIOD + 1e-9).all()
    assert (np.abs(sent[0]) <= np.abs(before) + 1e-9).all()  # slower, at once
    if place != 'in its brake path':
        assert (np.abs(sent).min(axis=0)[np.abs(before) > 0.1] < 1e-6).all()  # to rest
    assert not scene.arrived
    assert any('box1' in subject for _, subject in scene.arm.seen)


def test_a_stale_obstacle_stays_where_the_policy_says_keep():
    scene = Scene(stale=StalePolicy.KEEP, max_age=0.2)
    scene.see(reading(position=tuple(scene.hand(scene.goal))))
    scene.run(300)
    assert not scene.arrived
    assert len(scene.world.obstacles) == 1


def test_a_stale_obstacle_holds_all_motion_where_the_policy_says_hold_until_it_is_seen_again():
    scene = Scene(stale=StalePolicy.HOLD, max_age=0.2)
    far = reading(position=(-1.5, -1.5, 0.0))
    scene.see(far)
    scene.run(60)
    stopped = scene.arm.box.position.copy()
    assert not scene.arrived and np.abs(scene.arm.box.velocity).max() < 1e-9
    kind, subject = scene.arm.seen[-1]
    assert (kind, subject) == (ViolationKind.OBSTACLE_STALE, 'box1')
    scene.run(20)
    assert np.array_equal(scene.arm.box.position, stopped)
    for _ in range(20):
        scene.see(far)
        scene.run(10)
    assert scene.arrived


NAN = math.nan


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'position': (NAN, 0.0, 0.0)}, 'pose.position nan m away'),
        ({'position': (0.0, 1e3, 0.0)}, 'pose.position 1000 m away'),
        ({'orientation': (0.0, 0.0, 0.0, 0.5)}, 'pose.orientation of length 0.5, wanted 1'),
        ({'orientation': (0.0, NAN, 0.0, 1.0)}, 'pose.orientation of length nan'),
        ({'max_speed': -1.0}, 'max_speed -1 m/s'),
        ({'max_speed': math.inf}, 'max_speed inf m/s'),
        ({'position_error': NAN}, 'position_error nan m'),
        ({'id': ''}, 'id of 0 characters'),
        ({'id': 'x' * 65}, 'id of 65 characters'),
        ({'shape': ObstacleShape(9)}, 'shape.type 9'),
        ({'shape': ObstacleShape(ShapeType.BOX, (1.0, 1.0))}, '2 shape.dimensions, wanted 3'),
        ({'shape': ObstacleShape(ShapeType.SPHERE, (NAN,))}, 'shape.dimensions nan m'),
        ({'shape': ObstacleShape(ShapeType.SPHERE, (50.0,))}, 'shape.dimensions 50 m'),
        ({'shape': ObstacleShape(ShapeType.BOX, (1.0, 1.0, 1.0), TETRAHEDRON)}, '4 shape.vertices'),
        ({'shape': ObstacleShape(ShapeType.CONVEX, (), TETRAHEDRON[:3])}, '3 shape.vertices'),
        ({'shape': ObstacleShape(ShapeType.CONVEX, (), ((0.0, 0.0, 0.0),) * 5)}, 'flat'),
        ({'shape': ObstacleShape(ShapeType.CONVEX, (), ((NAN, 0.0, 0.0),) * 4)}, 'not finite'),
    ],
)  # fmt: skip
def test_a_bad_obstacle_drops_its_whole_message_which_is_counted_and_reported(changes, said):
    scene = Scene()
    good = reading(id='good')
    why = scene.see(good, dataclasses.replace(reading(), **changes))
    assert said in why and 'wanted' in why, why
    assert why.startswith('obstacles[1] ')
    assert not scene.world.obstacles
    assert scene.world.rejected == 1 and scene.world.last_rejection == why
    assert scene.world.describe(scene.now)['last_obstacle_message_dropped'] == why


def test_messages_of_another_frame_time_or_number_are_dropped():
    scene = Scene(max_count=2)
    assert 'header.frame_id' in scene.see(reading(), frame='map')
    assert 'in the future' in scene.see(reading(), age=-0.5)
    assert 'old, wanted at most' in scene.see(reading(), age=5.0)
    assert 'an id twice' in scene.see(reading(), reading())
    assert 'an id twice' in scene.see(reading(), removed=['box1'])
    three = [reading(id=name) for name in 'abc']
    assert '3 obstacles, wanted at most 2' in scene.see(*three)
    assert scene.see(reading()) == ''
    assert 'not newer than the last' in scene.see(reading())
    assert scene.world.rejected == 7
    assert list(scene.world.obstacles) == ['box1']


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'hand': 'tail'}, "hands[0] 'tail': no hand, wanted one of left_hand, right_hand"),
        ({'mass': 99.0}, 'mass 99 kg, wanted 0 to'),
        ({'mass': NAN}, 'mass nan kg'),
        ({'contact_time': 1e4}, 'contact_time 10000 s'),
        ({'position': (3.0, 0.0, 0.0)}, 'pose.position 3 m away, wanted at most 1 m'),
    ],
)
def test_a_bad_object_is_dropped(changes, said):
    scene = Scene()
    assert said in scene.hold(held(**changes))
    assert not scene.world.carried and scene.world.rejected == 1


def test_what_a_hand_holds_keeps_clear_of_obstacles():
    bare, carrying = Scene(), Scene()
    k = ROBOT.kinematics()
    k.update(bare.goal)
    rotation, origin = k.frame('left_hand')
    k.update(bare.start)
    ahead = k.frame('left_hand')[0].T @ (0.0, 0.0, 0.22)
    box = reading(
        position=tuple(origin + rotation @ ahead), shape=ObstacleShape(ShapeType.SPHERE, (0.04,))
    )
    ball = held(position=tuple(ahead), shape=ObstacleShape(ShapeType.SPHERE, (0.04,)))
    for scene in (bare, carrying):
        scene.see(box)
    assert carrying.hold(ball) == ''
    for scene in (bare, carrying):
        scene.run(200)
    assert bare.arrived
    assert not carrying.arrived
    assert 'with obstacle box1 (stick in left_hand)' in carrying.names


def test_an_object_is_excluded_against_its_hand_and_for_a_time_against_what_it_came_from():
    scene = Scene()
    under = tuple(scene.hand() - np.array([0.0, 0.0, 0.2]))
    scene.see(reading(id='shelf', position=under, shape=ObstacleShape(1, (0.3, 0.3, 0.02))))
    stick = held(shape=ObstacleShape(1, (0.04, 0.04, 0.38)), picked_from='shelf', contact_time=1.0)
    scene.hold(stick)
    scene.run(50)
    pairs = {subject.name for subject in scene.arm.barriers._obstacles.subjects if subject.name}
    assert not any('stick' in name and 'left_palm' in name for name in pairs)
    assert 'with obstacle shelf (stick in left_hand)' not in pairs
    scene.run(60)
    pairs = {subject.name for subject in scene.arm.barriers._obstacles.subjects if subject.name}
    assert 'with obstacle shelf (stick in left_hand)' in pairs


def test_an_obstacle_in_a_hand_is_no_obstacle_until_it_is_released():
    scene = Scene(rise=-0.3)
    scene.see(reading(id='stick', position=tuple(scene.hand())))
    scene.hold(held())
    scene.run(150)
    assert scene.arrived
    scene.now += PERIOD
    scene.hold(held(attached=False))
    scene.run(1)
    assert any('with obstacle stick' in s.name for s in scene.arm.barriers._obstacles.subjects)


def test_the_weight_of_an_object_enters_the_feed_forward_without_a_step():
    scene = Scene()
    scene.hold(held(mass=1.0))
    masses = []
    for _ in range(round(PAYLOAD_TIME / PERIOD) + 2):
        loads = scene.world.loads(PERIOD)
        if loads is not None:
            masses.append(loads[0][1])
    assert masses[-1] == 1.0
    assert np.diff([0.0, *masses]).max() <= PERIOD / PAYLOAD_TIME + 1e-9
    kinematics = ROBOT.kinematics()
    q = scene.start
    before = kinematics.gravity_torque(q)
    kinematics.set_payload([('left_hand', 1.0, np.zeros(3))])
    more = (kinematics.gravity_torque(q) - before)[ROBOT.groups['upper_body']]
    kinematics.update(q)
    expected = 9.81 * kinematics.frame_jacobian('left_hand')[2][ROBOT.groups['upper_body']]
    assert more == pytest.approx(expected, abs=1e-9)
    scene.now += PERIOD
    scene.hold(held(attached=False))
    while loads is None or loads:
        loads = scene.world.loads(PERIOD)
    kinematics.set_payload(loads)
    assert kinematics.gravity_torque(q) == pytest.approx(before, abs=1e-12)


def test_a_log_of_messages_and_a_snapshot_rebuild_the_same_world():
    scene = Scene()
    shape = ObstacleShape(ShapeType.CONVEX, (), TETRAHEDRON)
    given = 'base', [reading(position_error=0.1 / 3, shape=shape)], [], scene.arrival()
    objects = [held(mass=0.1 + 0.2)], scene.arrival()
    scene.world.on_obstacles(*given)
    scene.world.on_carried(*objects)
    for entries in (
        [obstacles_entry(*given), carried_entry(*objects)],
        list(scene.world.snapshot()),
    ):
        other = KnownWorld.of(ROBOT, PARAMETERS.obstacles)
        for entry in entries:
            other.replay(entry)
        assert other.obstacles['box1'].reading == scene.world.obstacles['box1'].reading
        assert other.obstacles['box1'].age(12.0) == scene.world.obstacles['box1'].age(12.0)
        assert other.carried['left_hand'].reading == scene.world.carried['left_hand'].reading


def test_a_robot_that_knows_nothing_measures_no_more_than_before():
    scene = Scene()
    assert len(scene.arm.barriers._obstacles.subjects) == 0
    scene.run(2)
    assert len(scene.arm.barriers._obstacles.subjects) == 0


class Run:
    """The filter under a supervisor, with a policy that sends the same goal again and again."""

    def __init__(self, **changes):
        parameters = dataclasses.replace(PARAMETERS, **changes)
        barriers = braking_barriers(ROBOT, parameters, clock=lambda: 0.0)
        core = SafetyFilter(ROBOT, parameters, (barriers,))
        timeouts = Timeouts(0.1, 0.1, 0.1, 0.1, 0.1)
        self.world = KnownWorld.of(ROBOT, parameters.obstacles)
        self.since = 0
        self.runtime = FilterRuntime(core, timeouts, 0.3, barriers, self.world)
        self.q, self.v = ROBOT.poses['ready'].copy(), np.zeros(ROBOT.n)
        self.goal = self.q.copy()
        self.goal[ROBOT.index['left_shoulder_pitch']] -= 0.8
        self.now, self.mode, self.ticks = 50.0, Mode.READY, 0
        for _ in range(3):
            self.step()
        self.mode, self.since = Mode.RUNNING, round(self.now * NS)

    def step(self):
        self.now, self.ticks = self.now + PERIOD, self.ticks + 1
        stamp, runtime = round(self.now * NS), self.runtime
        order = SupervisorCommand(self.mode, 1, 1.0, self.since, self.ticks)
        runtime.on_supervisor(order, self.now)
        runtime.measured.update(self.q, self.v, stamp, self.now)
        runtime.reference.update(self.q, self.v, stamp, self.now)
        if self.ticks % 100 == 10:
            times = (np.arange(16) + 1) * 0.1
            share = np.clip((self.now - 50.0 + times) / 1.5, 0.0, 1.0)[:, None]
            way = ROBOT.poses['ready'] + share * (self.goal - ROBOT.poses['ready'])
            runtime.on_chunk(ROBOT.joint_names, times, way, None, stamp, 0.0, self.now)
        report = runtime.tick(self.now)
        if report.command is not None:
            self.q, self.v = report.command.position, report.command.velocity
        return report

    def hand(self, q):
        k = ROBOT.kinematics()
        k.update(q)
        return tuple(k.frame('left_hand')[1])

    def see(self, **changes):
        arrival = Arrival(round(self.now * NS), self.now, round(self.now * NS))
        return self.world.on_obstacles('base', [reading(**changes)], [], arrival)


def test_a_motion_that_an_obstacle_holds_ends_with_its_name_as_the_reason():
    run = Run(hold_limit=0.5)
    run.step()
    shelf = ObstacleShape(ShapeType.BOX, (0.3, 0.3, 0.1))
    assert run.see(position=run.hand(run.goal), shape=shelf) == ''
    reports = []
    for _ in range(800):
        reports.append(run.step())
        if run.runtime.motion_ended and not run.v.any():
            break
    assert run.runtime.motion_ended.startswith(
        'held for 0.5 s by collision with obstacle box1 (left_'
    )
    assert run.runtime.core.hold.limited_by.startswith('collision with obstacle box1 (left_')
    assert reports[-1].reason == run.runtime.motion_ended


def test_a_stop_keeps_obstacles_and_objects():
    run = Run()
    run.step()
    run.see(position=(1.0, 1.0, 0.0))
    run.world.on_carried([held()], Arrival(round(run.now * NS), run.now, round(run.now * NS)))
    for mode in (Mode.SAFE_STOP, Mode.ESTOP, Mode.READY):
        run.mode = mode
        for _ in range(3):
            run.step()
    run.runtime.restart()
    assert list(run.world.obstacles) == ['box1'] and list(run.world.carried) == ['left_hand']
