# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How well a robot stands, settles, follows and withstands pushes, in simulated time."""

import dataclasses
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vla_balance.correction import BalanceCorrection
from vla_balance.gains import BalanceGains
from vla_balance.robot_check import LEAN, SECONDS
from vla_balance.testing import PERIOD, STEPS, Motion, Standing, free_floor
from vla_common.errors import ConfigError
from vla_robot import RobotModel, ServoGains
from vla_sim import World
from vla_validation.pushes.push_recovery import Push, recovers

HEADINGS = (0.0, math.pi, 0.5 * math.pi, 1.5 * math.pi)
GENTLE = 0.15
"""m/s, the push (over the mass) after which the time to rest is measured."""
STRONGEST, RESOLUTION = 0.8, 0.02
"""m/s, the largest push (over the mass) that is tried, and the grid."""
SETTLE, AT_REST = 5.0, 0.03  # s at most; m/s of the base
SEGMENT, AFTER = 2.0, 1.0
"""s for a straight part of the way to the ready pose at least, and after it."""
MODEL = 0.8
"""Share of the gravity torque that is fed forward: no model is exact, and hands carry something."""
FOLLOWS = 0.05
"""rad (m); a joint that is nearer to its reference follows well enough: stiffer is no better."""
LOOK = 0.25  # s


@dataclass(frozen=True)
class Gains:
    """A candidate; `balance` is None for a robot without feet."""

    servo: ServoGains
    armature: np.ndarray
    balance: BalanceGains | None

    def on(self, robot: RobotModel) -> RobotModel:
        simulation = dataclasses.replace(robot.simulation, armature=self.armature)
        return dataclasses.replace(robot, servo=self.servo, simulation=simulation)


@dataclass(frozen=True)
class Trial:
    """What a robot did with its gains. None: not tried, or not applicable (no feet).

    error: rad (m), the largest between a joint of the upper body and its reference on the way to
    the ready pose and 1 s later. stood: s until the robot leaned too much. lean: rad at the end.
    settle: s to rest after a gentle push (None: it does not, within 5 s). push: N·s, the largest
    push of 0.1 s that it withstands from every side. mass: kg of the robot.
    """

    error: float | None
    mass: float
    stood: float | None = None
    lean: float | None = None
    settle: float | None = None
    push: float | None = None

    @property
    def usable(self) -> bool:
        """It holds its poses, and stands where it has feet."""
        return self.error is not None and (self.stood is None or self.stood >= SECONDS)

    @property
    def score(self) -> float:
        """Larger is better. m/s of the push, less what leaning, slow settling and lagging cost."""
        if not self.usable:
            return -100.0 + (self.stood or 0.0)
        lag = max(self.error - FOLLOWS, 0.0)
        if self.stood is None:
            return -lag
        settle = SETTLE if self.settle is None else self.settle
        return self.push / self.mass - 0.02 * settle - 2.0 * self.lean - 0.5 * lag


def try_gains(robot: RobotModel, gains: Gains, least: float = 0.0) -> Trial:
    """Run all trials; the later ones only where the robot stands.

    Args:
        least: N·s. A robot that falls at this push is no better than the best so far: `push` is 0.
    """
    robot = gains.on(robot)
    if not ((robot.servo.kp > 0.0).all() and (robot.servo.kv > 0.0).all()):
        return Trial(None, robot.total_mass, stood=0.0 if robot.foot_boxes else None)
    try:
        return _try(robot, gains.balance, least)
    except ConfigError:
        raise
    except ValueError:  # the simulation diverged: its numbers are no longer finite
        return Trial(None, robot.total_mass, stood=0.0 if robot.foot_boxes else None)


def _try(robot: RobotModel, balance: BalanceGains | None, least: float) -> Trial:
    if balance is None:
        return Trial(_error(robot, None), robot.total_mass)

    def stands() -> Standing:
        return Standing(robot, balance)

    standing = stands()
    while standing.time < SECONDS - 0.5 * PERIOD and standing.lean <= 2.0 * LEAN:
        standing.run(LOOK)
    lean = standing.lean
    if lean > LEAN or _diverged(standing.world, standing.time):
        stood = min(standing.time, SECONDS - LOOK)
        return Trial(None, robot.total_mass, stood, lean)
    link = pushed_link(robot)
    settle = _settle(standing, link)
    error = _error(robot, balance)
    push = _push(stands, robot.total_mass, link, least) if error is not None else 0.0
    return Trial(error, robot.total_mass, SECONDS, lean, settle, push)


def pushed_link(robot: RobotModel) -> str:
    """The link that /sim/push pushes: the torso, or the one with the heaviest body above the legs,
    or the base."""
    if 'torso' in robot.frames:
        return robot.frames['torso']
    model = robot.pinocchio_model
    ids = [model.getJointId(robot.joint_names[i]) for i in robot.groups['upper_body']]
    if not ids:
        return robot.frames['base']
    heaviest = max(ids, key=lambda i: model.inertias[i].mass)
    return next(
        f.name for f in model.frames if f.parentJoint == heaviest and robot.has_link(f.name)
    )


def _diverged(world: World, time: float) -> bool:
    """MuJoCo restarts a world whose numbers are no longer finite at time 0."""
    return abs(world.time - time) > 0.5 * PERIOD


def _settle(standing: Standing, link: str) -> float | None:
    """s until the base rests after a gentle push from behind."""
    standing.push((1.0, 0.0, 0.0), GENTLE * standing.robot.total_mass, link)
    last, period = 0.0, 0.05
    for k in range(round(SETTLE / period)):
        standing.run(period)
        if standing.world.fallen:
            return None
        if np.linalg.norm(standing.world.qvel[:3]) > AT_REST:
            last = (k + 1) * period
    return last if last < SETTLE else None


def _push(stands: Callable[[], Standing], mass: float, link: str, least: float) -> float:
    """N·s that the robot withstands from every side, on a grid of `RESOLUTION`."""
    step = RESOLUTION * mass
    pushes = [Push(heading, link) for heading in HEADINGS]

    def withstands(k: int) -> bool:
        # The side that failed last fails first: most candidates end there.
        for push in list(pushes):
            if not recovers(stands, push, k * step):
                pushes.remove(push)
                pushes.insert(0, push)
                return False
        return True

    low, high = math.ceil(least / step - 1e-6), round(STRONGEST / RESOLUTION) + 1
    if low > 0 and not withstands(low):
        return 0.0
    # Upwards from what is known: a candidate is seldom much better.
    stride = 1 if low > 0 else 8
    while low + stride < high and withstands(low + stride):
        low, stride = low + stride, 2 * stride
    high = min(high, low + stride)
    while high - low > 1:
        middle = (low + high) // 2
        if withstands(middle):
            low = middle
        else:
            high = middle
    return low * step


def _way(robot: RobotModel) -> tuple[Motion, float]:
    """The motion through the waypoints of the ready pose, within half the velocity limits, and its
    duration."""
    points = [robot.poses['standing'], *robot.waypoints('ready')]
    ends, times = [0.0], 0.0
    for start, end in itertools.pairwise(points):
        slowest = float((np.abs(end - start) / robot.limits.velocity).max(initial=0.0))
        times += max(SEGMENT, 2.0 * 1.875 * slowest) if slowest else 0.0
        ends.append(times)

    def motion(t: float) -> np.ndarray:
        k = min(int(np.searchsorted(ends, t, side='right')), len(points) - 1)
        begin, end = ends[k - 1], ends[k]
        s = min((t - begin) / (end - begin), 1.0) if end > begin else 1.0
        return points[k - 1] + (points[k] - points[k - 1]) * s * s * s * (
            10.0 + s * (-15.0 + 6.0 * s)
        )

    return motion, times


def _error(robot: RobotModel, balance: BalanceGains | None) -> float | None:
    """The largest error of an upper-body joint on the way; None: the robot falls."""
    motion, duration = _way(robot)
    world, kinematics = World(robot, free_floor()), robot.kinematics()
    correction = None if balance is None else BalanceCorrection(robot, balance)
    upper = robot.groups['upper_body']
    worst, count = 0.0, round((duration + AFTER) / PERIOD)
    for k in range(count):
        r, reference = world.read(), motion(k * PERIOD)
        velocity = (motion((k + 1) * PERIOD) - reference) / PERIOD
        worst = max(worst, float(np.abs(r.position - reference)[upper].max(initial=0.0)))
        target = reference
        if correction is not None:
            target = reference + correction.update(
                PERIOD, r.position, r.velocity, r.orientation, r.angular_velocity,
                r.left_wrench, r.right_wrench, reference,
            )  # fmt: skip
        world.command(target, velocity, MODEL * kinematics.gravity_torque(r.position))
        world.step(STEPS)
        if world.fallen:
            return None
    return None if _diverged(world, count * PERIOD) else worst
