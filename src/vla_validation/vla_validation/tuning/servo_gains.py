# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Servo gains from a bandwidth and a damping ratio, and balance gains from those of another robot.

A position servo on an inertia I is a second-order system: kp = I ω², kv = 2 ζ √(kp I). I is the
diagonal of the joint-space inertia at the standing pose (composite rigid body algorithm,
Featherstone 2008), with the armature.
"""

import dataclasses
import math

import numpy as np
import pinocchio

from vla_balance.gains import BalanceGains
from vla_robot import RobotModel, ServoGains

GRAVITY = 9.81
BANDWIDTH = 20.0
"""rad/s; an arm of this bandwidth follows a motion of 1 Hz with 5 % of its amplitude behind."""
DAMPING = 0.5
FULL_EFFORT_AT = 0.2
"""rad (m) of error at which the servo uses all its effort: stiffer ones saturate at once."""
SLOWEST = 0.02
"""s, kv / kp at least: without it a light joint on a stiff servo (an ankle) has no damping for the
body that stands on it."""
UPRIGHT = 2.4
"""Stiffness of both ankles over m g h, the least that holds the body upright (1.0 just does)."""
ARMATURE = 0.1
"""Share of the joint-space inertia, for a joint that has none given."""


def rounded(value: float) -> float:
    """Three significant digits: gains are read by people."""
    return float(f'{value:.3g}')


def joint_inertia(robot: RobotModel) -> np.ndarray:
    """(n,) kg m² (kg) at the standing pose, base fixed, without armature."""
    model = robot.pinocchio_model
    data = model.createData()
    q = pinocchio.neutral(model)
    ids = [model.getJointId(name) for name in robot.joint_names]
    q[[model.idx_qs[i] for i in ids]] = robot.poses['standing']
    columns = [model.idx_vs[i] for i in ids]
    return np.diag(pinocchio.crba(model, data, q))[columns].copy()


def armature(robot: RobotModel, classes: dict[str, np.ndarray]) -> np.ndarray:
    """(n,) the given ones; for a class with 0, a share of its largest inertia."""
    result = robot.simulation.armature.copy()
    inertia = joint_inertia(robot)
    for members in classes.values():
        if not (result[members] > 0.0).all():
            result[members] = rounded(ARMATURE * float(inertia[members].max()))
    return result


def stiffness_limit(robot: RobotModel, classes: dict[str, np.ndarray]) -> np.ndarray:
    """(n,) the largest kp by effort, equal within a class."""
    limit = np.zeros(robot.n)
    for members in classes.values():
        limit[members] = rounded(float(robot.limits.effort[members].min()) / FULL_EFFORT_AT)
    return limit


def center_of_mass_height(robot: RobotModel) -> float:
    """m of the centre of mass above the soles, standing."""
    kinematics = robot.kinematics()
    kinematics.update(robot.poses['standing'])
    soles = [kinematics.frame(foot)[1][2] + box.height for foot, box in robot.foot_boxes.items()]
    return float(kinematics.com[2] - min(soles))


def servo_gains(robot: RobotModel, classes: dict[str, np.ndarray]) -> ServoGains:
    """Gains of each joint, equal within a class (by its largest inertia).

    Args:
        classes: joints of each servo class of robot.yaml.
    """
    inertia = joint_inertia(robot) + armature(robot, classes)
    limit = stiffness_limit(robot, classes)
    kp, kv = np.zeros(robot.n), np.zeros(robot.n)
    legs = set(robot.groups['legs'].tolist())
    upright = 0.0
    if robot.foot_boxes:
        weight = robot.total_mass * GRAVITY
        upright = UPRIGHT * weight * center_of_mass_height(robot) / len(robot.foot_boxes)
    for members in classes.values():
        stiffness = float(inertia[members].max()) * BANDWIDTH**2
        if legs & set(members.tolist()):
            stiffness = max(stiffness, upright)
        stiffness = min(stiffness, float(limit[members[0]]))
        damping = 2.0 * DAMPING * math.sqrt(stiffness * float(inertia[members].max()))
        kp[members] = rounded(stiffness)
        kv[members] = rounded(max(damping, SLOWEST * stiffness))
    return ServoGains(kp, kv)


def scaled_balance(gains: BalanceGains, of: RobotModel, to: RobotModel) -> BalanceGains:
    """The gains of a robot for another one of the same shape and any size.

    With lengths in units of the centre of mass's height h and times in √(h/g), two robots of one
    shape balance alike (dynamic similarity): lengths scale with h, rad per m with 1/h, times with
    √h; ratios, angles and the ankle's share of m g stay.
    """
    scale = center_of_mass_height(to) / center_of_mass_height(of)
    soles = [np.mean([b.size for b in r.foot_boxes.values()], axis=0) for r in (of, to)]
    forward, sideways = (soles[1] / soles[0]).tolist()
    return dataclasses.replace(
        gains,
        shift_limit=rounded(min(0.3, gains.shift_limit * scale)),
        integral=rounded(gains.integral / math.sqrt(scale)),
        hip=(rounded(gains.hip[0] / scale), rounded(gains.hip[1] / scale)),
        hip_dead_zone=(
            rounded(gains.hip_dead_zone[0] * forward),
            rounded(gains.hip_dead_zone[1] * sideways),
        ),
        ahead=rounded(gains.ahead * scale),
        filter_time=rounded(gains.filter_time * math.sqrt(scale)),
    )
