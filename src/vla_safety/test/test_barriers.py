# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The QP and its barriers, also with a solver that fails."""

import dataclasses
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_common.errors import ConfigError
from vla_common.states import FilterState
from vla_robot import load_robot
from vla_safety.box_limits import BoxLimits
from vla_safety.coupled import Infeasible, MotionState
from vla_safety.coupled.brake_path import BrakePath
from vla_safety.coupled.braking_barriers import BrakingBarriers
from vla_safety.coupled.build import braking_barriers, with_hands
from vla_safety.coupled.limits import CoupledMode
from vla_safety.coupled.power import PowerLimit
from vla_safety.coupled.qp import DaqpSolver, nearest
from vla_safety.filter import SafetyFilter
from vla_safety.parameters import load_parameters
from vla_safety.violations import ViolationKind

CONFIG = pathlib.Path(__file__).resolve().parents[3] / 'config' / 'safety_filter.yaml'
ROBOT = load_robot('humanoid32')
PARAMETERS = load_parameters(CONFIG)
PERIOD = 0.01


class Arm:
    """The barriers on the shipped robot, in its box, driven by hand."""

    def __init__(self, pose='standing', solver=None, clock=lambda: 0.0, obstacles=(), **changes):
        self.settings = with_hands(dataclasses.replace(PARAMETERS.coupled, **changes), ROBOT)
        limits = ROBOT.limits
        self.barriers = BrakingBarriers(
            ROBOT, self.settings, limits.acceleration, limits.effort, obstacles, solver, clock
        )
        self.box = BoxLimits(
            limits.lower + ROBOT.soft_margin,
            limits.upper - ROBOT.soft_margin,
            limits.velocity,
            limits.acceleration,
            lag=1.0,
            max_period=0.03,
        )
        self.kinematics = ROBOT.kinematics()
        self.box.reset(ROBOT.poses[pose] if isinstance(pose, str) else pose)
        self.seen = []

    def step(self, wanted, measured=None):
        """One tick towards the velocity `wanted` (n,); returns the sent velocity."""
        box = self.box
        box.bound(PERIOD, 1.0)
        inside = np.clip(wanted, box.low, box.high)
        q = box.position if measured is None else measured
        state = MotionState(
            box.position, box.velocity, q, box.velocity, np.zeros(ROBOT.n), box.brake, PERIOD
        )
        sent = self.barriers.restrict(inside, box.low, box.high, state)
        assert ((sent >= box.low) & (sent <= box.high)).all()
        self.seen += [(item.kind, item.subject) for item in self.barriers.findings]
        box.commit(sent, PERIOD)
        return sent

    def towards(self, goal, ticks, gain=5.0):
        for _ in range(ticks):
            self.step(np.clip(gain * (goal - self.box.position), -6.0, 6.0))

    def nearest(self):
        self.kinematics.update(self.box.position)
        return self.kinematics.distances().min()


def hand_into_the_chest():
    goal = ROBOT.poses['ready'].copy()
    goal[ROBOT.index['left_shoulder_yaw']] = -1.5
    goal[ROBOT.index['left_elbow']] = -1.7
    goal[ROBOT.index['left_shoulder_roll']] = -0.2
    return goal


def test_a_hand_sent_into_the_chest_stops_before_it_and_the_pair_is_named():
    arm = Arm('ready')
    goal = hand_into_the_chest()
    arm.kinematics.update(goal)
    assert arm.kinematics.distances().min() < -0.01  # it would have been a collision
    arm.towards(goal, 300)
    assert arm.settings.floor - 1e-3 <= arm.nearest() <= arm.settings.margin + 5e-3
    assert np.abs(arm.box.velocity).max() < 0.2
    kinds = {kind for kind, _ in arm.seen}
    assert ViolationKind.COLLISION in kinds
    assert any('left' in subject and 'torso' in subject for _, subject in arm.seen)


def test_where_nothing_is_near_the_wanted_velocity_is_sent_unchanged():
    arm = Arm('standing')
    wanted = np.zeros(ROBOT.n)
    wanted[ROBOT.index['head_yaw']] = 0.05
    assert np.array_equal(arm.step(wanted), wanted)
    assert arm.barriers.solved == 0


@pytest.mark.parametrize('mode', CoupledMode)
@settings(max_examples=4)
@given(seed=st.integers(0, 2**32 - 1))
def test_from_free_postures_no_sequence_of_wishes_leads_into_the_robot(mode, seed):
    rng = np.random.default_rng(seed)
    arm = Arm(str(rng.choice(['standing', 'tucked', 'ready'])), mode=mode)
    arm.barriers.set_contacts(False, False)
    for _ in range(3):
        goal = rng.uniform(ROBOT.limits.lower, ROBOT.limits.upper)
        for _ in range(30):
            arm.step(20.0 * (goal - arm.box.position) + rng.normal(0.0, 2.0, ROBOT.n))
            assert arm.nearest() >= arm.settings.floor - 2e-3


def slightly_inside_itself():
    """On the way from ready into the chest, where the first shapes overlap by a few mm."""
    kinematics = ROBOT.kinematics()
    way = hand_into_the_chest() - ROBOT.poses['ready']
    for share in np.linspace(0.0, 1.0, 400):
        q = ROBOT.poses['ready'] + share * way
        kinematics.update(q)
        if kinematics.distances().min() < -0.002:
            return q
    raise AssertionError('the way does not lead into the robot')


@settings(max_examples=5)
@given(st.integers(0, 2**32 - 1))
def test_a_robot_that_begins_inside_itself_may_part_and_never_goes_deeper(seed):
    rng = np.random.default_rng(seed)
    arm = Arm(slightly_inside_itself())
    arm.barriers.set_contacts(False, False)
    arm.kinematics.update(arm.box.position)
    began = arm.kinematics.distances()
    touching = began < 0.0
    for _ in range(15):
        arm.step(rng.normal(0.0, 1.0, ROBOT.n))
        arm.kinematics.update(arm.box.position)
        assert (arm.kinematics.distances()[touching] >= began[touching] - 1e-3).all()
    arm.towards(ROBOT.poses['ready'], 150)
    assert arm.nearest() > 0.0


def test_hands_stay_in_the_workspace():
    low, high = (-0.4, -0.9, -0.5), (0.5, 0.9, 1.2)
    arm = Arm('ready', lower=low, upper=high)
    goal = ROBOT.poses['ready'].copy()
    for side in ('left', 'right'):
        goal[ROBOT.index[f'{side}_shoulder_pitch']] = -1.5
        goal[ROBOT.index[f'{side}_elbow']] = 0.0
    furthest = -np.inf
    for _ in range(300):
        arm.step(np.clip(5.0 * (goal - arm.box.position), -6.0, 6.0))
        arm.kinematics.update(arm.box.position)
        furthest = max(
            furthest, *(arm.kinematics.frame(f'{s}_hand')[1][0] for s in ('left', 'right'))
        )
    assert high[0] - 0.02 <= furthest <= high[0] + 0.005
    assert (ViolationKind.WORKSPACE, 'left_hand x') in arm.seen


def lean(arm):
    """Bend forward as far as the torso goes, arms stretched out; how far the mass is over the
    toes in the end, m (negative: beyond the margin)."""
    goal = ROBOT.poses['standing'].copy()
    goal[ROBOT.index['torso_pitch']] = 0.85
    for side in ('left', 'right'):
        goal[ROBOT.index[f'{side}_shoulder_pitch']] = -1.4
        goal[ROBOT.index[f'{side}_elbow']] = 0.0
        goal[ROBOT.index[f'{side}_hip_pitch']] = -0.5
    arm.towards(goal, 400, gain=3.0)
    arm.kinematics.update(arm.box.position)
    rotation, place = arm.kinematics.frame('left_foot')
    com = rotation.T @ (arm.kinematics.com - place)
    box = ROBOT.foot_boxes['left_foot']
    return float(box.center[0] + box.size[0] / 2 - com[0]) - arm.settings.support_margin


def test_the_centre_of_mass_stays_over_the_feet():
    free = Arm('standing', upper=(9.0, 9.0, 9.0))
    free.barriers.set_contacts(False, False)
    assert lean(free) < -0.02
    held = Arm('standing', upper=(9.0, 9.0, 9.0))
    assert lean(held) >= -0.8 * held.settings.support_margin  # still over the soles
    assert (ViolationKind.CENTRE_OF_MASS, 'support polygon') in held.seen


def test_on_one_foot_what_takes_the_mass_further_out_is_refused_and_the_rest_is_not():
    arm = Arm('standing')
    arm.barriers.set_contacts(True, False)  # the mass is between the feet: beyond the polygon
    wanted = np.zeros(ROBOT.n)
    wanted[ROBOT.index['torso_roll']] = 0.5  # rolls to the right, away from the left foot
    for _ in range(50):
        arm.step(wanted)
    away = arm.box.position[ROBOT.index['torso_roll']]
    back = Arm('standing')
    back.barriers.set_contacts(True, False)
    for _ in range(50):
        back.step(-wanted)
    assert abs(away) < 0.02
    assert abs(back.box.position[ROBOT.index['torso_roll']]) > 0.1


class Answers:
    """A solver with a given answer."""

    def __init__(self, answer):
        self.answer = answer

    def solve(self, wanted, low, high, rows, floor):
        return self.answer(wanted) if callable(self.answer) else self.answer


@pytest.mark.parametrize(
    'answer',
    [
        None,
        lambda wanted: np.full_like(wanted, np.nan),
        lambda wanted: wanted[:-1],
        lambda wanted: wanted,
    ],
    ids=['infeasible', 'nan', 'wrong size', 'breaks a row'],
)
def test_a_solver_that_fails_or_answers_wrongly_is_infeasible(answer):
    arm = Arm('ready', Answers(answer))
    with pytest.raises(Infeasible):
        arm.towards(hand_into_the_chest(), 300)


class Clock:
    """Advances by `jump` at each reading."""

    def __init__(self, jump):
        self.jump, self.time = jump, 0.0

    def __call__(self):
        self.time += self.jump
        return self.time


def test_a_late_answer_is_infeasible():
    with pytest.raises(Infeasible, match='late'):
        Arm('ready', clock=Clock(1.0)).step(np.zeros(ROBOT.n))


def test_with_a_failing_solver_the_brake_is_sent_and_nothing_collides():
    barriers = braking_barriers(ROBOT, PARAMETERS, clock=lambda: 0.0)
    barriers._solver = Answers(None)
    subject = SafetyFilter(ROBOT, PARAMETERS, (barriers,))
    pose = ROBOT.poses['ready']
    subject.reset(pose)
    from vla_safety.chunk import Chunk

    times = np.arange(1, 17) * 0.1
    way = pose + np.clip(times / 0.6, 0, 1)[:, None] * (hand_into_the_chest() - pose)
    subject.accept(Chunk(np.arange(ROBOT.n), times, way, 10.0), 10.0, pose)
    kinematics, states, output = ROBOT.kinematics(), set(), None
    q, v = pose, np.zeros(ROBOT.n)
    for k in range(200):
        output = subject.tick(10.0 + 0.01 * k, 0.01, q, v)
        q, v = output.position, output.velocity
        states.add(output.state)
        kinematics.update(q)
        assert kinematics.distances().min() > PARAMETERS.coupled.floor - 2e-3
    assert FilterState.INFEASIBLE in states


@pytest.mark.parametrize('bad', [np.nan, np.inf])
@pytest.mark.parametrize('place', ['wanted', 'rows', 'floor'])
def test_a_problem_that_is_not_finite_never_reaches_the_solver(bad, place):
    problem = {
        'wanted': np.zeros(2),
        'low': -np.ones(2),
        'high': np.ones(2),
        'rows': np.eye(2),
        'floor': np.zeros(2),
    }
    problem[place] = problem[place].copy()
    problem[place].flat[0] = bad
    with pytest.raises(Infeasible, match='not finite'):
        nearest(Answers(lambda wanted: wanted), **problem)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(0, 30))
def test_the_solver_finds_the_nearest_point_or_none(seed, n, k):
    rng = np.random.default_rng(seed)
    low, high = -rng.uniform(0.1, 2.0, n), rng.uniform(0.1, 2.0, n)
    rows = rng.normal(0.0, 1.0, (k, n))
    inside = rng.uniform(low, high)
    floor = rows @ inside - rng.uniform(0.0, 0.5, k)
    wanted = rng.normal(0.0, 2.0, n)
    answer = nearest(DaqpSolver(n), wanted, low, high, rows, floor)
    assert ((answer >= low) & (answer <= high)).all()
    # Nearest: towards any other answer the distance grows.
    assert (wanted - answer) @ (inside - answer) <= 1e-4
    assert DaqpSolver(n).solve(wanted, low, high, np.ones((1, n)), np.array([1e3])) is None


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 0.02))
def test_a_sampled_brake_goes_along_its_path(seed, period):
    rng = np.random.default_rng(seed)
    n = 5
    a = np.exp(rng.uniform(np.log(2.0), np.log(100.0), n))
    p, v = rng.normal(0.0, 1.0, n), rng.normal(0.0, 3.0, n)
    path = BrakePath(a)
    path.set(p, v, period)
    q, u, time = p.copy(), v.copy(), 0.0
    for _ in range(10_000):
        if not u.any():
            break
        u = np.sign(u) * np.maximum(np.abs(u) - a * period, 0.0)
        q = q + u * period
        time += period
        assert np.allclose(path.at(time), q, atol=float((a * period**2).max()))
    assert np.allclose(path.stop, q, atol=float((a * period**2).max()))
    assert np.allclose(path.at(1e9), path.stop)


def test_power_is_kept_by_slowing_down_and_never_by_not_braking():
    rng = np.random.default_rng(0)
    limit = PowerLimit(np.full(4, 100.0), np.full(4, 5.0), np.full(4, 50.0), 30.0)
    for _ in range(200):
        p, q = rng.normal(0, 0.3, 4), rng.normal(0, 0.3, 4)
        v = rng.normal(0, 2.0, 4)
        limit.update(p, v, q, rng.normal(0, 2.0, 4), rng.normal(0, 5.0, 4))
        brake, wanted = 0.8 * v, v + rng.normal(0, 2.0, 4)
        share = limit.share(wanted, brake)
        assert 0.0 <= share <= 1.0
        sent = brake + share * (wanted - brake)
        assert limit.power(sent) <= max(30.0, limit.power(brake)) + 1e-9
        assert share == 1.0 or limit.power(wanted) > 30.0


def test_power_is_limited_in_the_filter_and_named():
    arm = Arm('standing', power=40.0)
    wanted = np.zeros(ROBOT.n)
    wanted[ROBOT.groups['head']] = 3.0
    wanted[ROBOT.index['left_shoulder_roll']] = 3.0
    sagging = ROBOT.poses['standing'] - 0.2
    for _ in range(40):
        arm.step(wanted, measured=sagging)
    assert (ViolationKind.POWER, '') in arm.seen


@pytest.mark.parametrize(
    ('distance', 'age', 'moves'),
    [(1.0, 0.0, True), (0.06, 0.0, False), (1.0, 9.0, False), (np.nan, 0.0, False)],
    ids=['free', 'near', 'silent', 'not a number'],
)
def test_a_range_sensor_stops_the_forward_motion_of_its_frame(distance, age, moves):
    arm = Arm(
        'ready', proximity_frames=('head_roll_link',), proximity_margin=0.05, proximity_timeout=0.2
    )
    wanted = np.zeros(ROBOT.n)
    wanted[ROBOT.index['torso_pitch']] = 0.6  # the head goes forward
    began = arm.box.position.copy()
    for _ in range(40):
        arm.barriers.set_range('head_roll_link', distance, age)
        arm.step(wanted)
    moved = arm.box.position[ROBOT.index['torso_pitch']] - began[ROBOT.index['torso_pitch']]
    assert (moved > 0.1) == moves
    assert ((ViolationKind.PROXIMITY, 'head_roll_link') in arm.seen) != moves


@pytest.mark.parametrize(
    ('changes', 'key'),
    [
        ({'frames': ('left_hoof',)}, 'workspace.frames'),
        ({'proximity_frames': ('whisker',)}, 'proximity.frames'),
        ({'lower': (0.0, 0.0)}, 'workspace.lower'),
        ({'upper': (-1.0, 0.9, 1.2)}, 'workspace.lower'),
        ({'floor': 0.05}, 'collision.floor'),
        ({'surroundings': 'nowhere.yaml'}, 'nowhere.yaml'),
    ],
)
def test_settings_that_do_not_fit_are_one_clear_error(changes, key):
    parameters = dataclasses.replace(
        PARAMETERS, coupled=dataclasses.replace(PARAMETERS.coupled, **changes)
    )
    with pytest.raises(ConfigError, match=key):
        braking_barriers(ROBOT, parameters)


@pytest.mark.parametrize('hands', [('left_hand', 'right_hand'), ('left_hand',), ()])
def test_the_shipped_workspace_is_that_of_the_hands_that_the_robot_has(hands):
    assert PARAMETERS.coupled.frames == ('hands',)
    frames = {name: link for name, link in ROBOT.frames.items() if not name.endswith('_hand')}
    robot = dataclasses.replace(ROBOT, frames=frames | {hand: hand for hand in hands})
    assert with_hands(PARAMETERS.coupled, robot).frames == hands
    barriers = braking_barriers(robot, PARAMETERS)
    filter_ = SafetyFilter(robot, PARAMETERS, (barriers,))
    filter_.reset(robot.poses['standing'])
    named = dataclasses.replace(PARAMETERS.coupled, frames=('head_camera', 'hands'))
    assert with_hands(named, robot).frames == ('head_camera', *hands)
