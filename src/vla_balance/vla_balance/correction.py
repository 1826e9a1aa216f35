# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Balance correction of a standing humanoid, as a joint offset on any reference.

The error is that of the capture point (instantaneous capture point of the linear inverted
pendulum, Pratt et al. 2006: c + ċ/ω) against a target between the soles. Five strategies:

* ankles: an offset that makes the ankle servos push with ankle · m·g·error;
* shift: the body is moved over the feet against the error, through the legs' Jacobians;
* integral: the slow part of that shift takes out what gravity and the arms leave;
* hips: beyond a dead zone, where the ankles' torque ends at the soles' edges, the upper body
  bends towards the error, which pushes the feet the other way;
* carry: on one foot the stance hip yields by some degrees, and the swing foot would land that much
  nearer to the other, where friction keeps it: a narrower stance for the next push. It is carried
  outwards by what the stance hip yields.

Which joint is an ankle follows from the legs' groups and the joints' axes, not from names.
"""

import math
from collections.abc import Sequence

import numpy as np

from vla_balance.gains import BalanceGains
from vla_balance.stance import FEET, GRAVITY, Stance
from vla_common.errors import ConfigError
from vla_robot import RobotModel

CONTACT_FORCE = 30.0  # N, below which the load of a foot is ignored
SAG_TIME = 0.01  # s, time constant of the low-pass on the yield of a hip
DAMPING = 1e-3  # of the least squares: the knee is nearly singular when stretched
IDENTITY = np.eye(6)
LEGS = ('left_leg', 'right_leg')  # groups, in the order of FEET


def _error(robot: RobotModel, key: str, found: str, wanted: str) -> ConfigError:
    return ConfigError(robot.directory / 'robot.yaml', key, found, wanted)


def _leg(robot: RobotModel, name: str) -> np.ndarray:
    joints = robot.groups.get(name)
    if joints is None or len(joints) == 0:
        raise _error(robot, f'groups.{name}', 'nothing', 'the joints of that leg, hip first')
    return joints


def bounded(value: float, limit: float) -> float:
    """value within ± limit; NaN stays NaN."""
    return limit if value > limit else -limit if value < -limit else value


class BalanceCorrection:
    """See the module docstring. One object per control loop; not thread-safe.

    Raises ConfigError: the robot has no legs with ankles that can push.
    """

    def __init__(self, robot: RobotModel, gains: BalanceGains) -> None:
        self._robot, self._gains = robot, gains
        self._stance = Stance(robot, CONTACT_FORCE)
        self._legs = [_leg(robot, name) for name in LEGS]
        self._ankles = [self._find_ankle(robot, i) for i in range(2)]
        self._hip_rolls = [self._find_joints(robot, i, 0)[0] for i in range(2)]
        self._offset = np.zeros(robot.n)
        self._velocity = np.zeros(2)
        self._integral = [0.0, 0.0]
        self._sag = [0.0, 0.0]
        self._commanded: list[float] | None = None
        self._task = np.zeros(6)
        self._inverses: list[np.ndarray | None] = [None, None]
        self._turn = 0
        self._fresh = True
        self.error = np.zeros(2)

    def reset(self) -> None:
        """Forget velocity and integral: the robot was moved by something else."""
        self._velocity[:] = 0.0
        self._integral[:] = 0.0, 0.0
        self._sag[:] = 0.0, 0.0
        self._commanded = None
        self._offset[:] = 0.0
        self._inverses = [None, None]
        self._turn = 0
        self._fresh = True

    def update(
        self,
        dt: float,
        q: np.ndarray,
        v: np.ndarray,
        orientation: np.ndarray,
        angular_velocity: np.ndarray,
        left_wrench: np.ndarray,
        right_wrench: np.ndarray,
        reference: np.ndarray,
    ) -> np.ndarray:
        """Returns the offset (n,) rad on the reference (n,); the array is reused.

        dt: s since the last call; q rad, v rad/s: (n,) measured; orientation (4,) wxyz and
        angular_velocity (3,) rad/s of the IMU; wrenches (6,) of the ground on each foot, foot axes.
        """
        g = self._gains
        stance = self._stance
        stance.update(q, v, orientation, angular_velocity, left_wrench, right_wrench)
        speed = stance.com_velocity[:2]
        if self._fresh:
            self._velocity[:] = speed
            self._fresh = False
        else:
            self._velocity += (speed - self._velocity) * (dt / (g.filter_time + dt))
        self._offset[:] = 0.0
        self._update_sag(dt, q)
        if not stance.contacts.any():
            # In the air none of this acts on the body; the integral stays.
            self._commanded = None
            return self._offset
        offset = stance.com[:2] - stance.point[:2]
        offset[0] -= g.ahead
        error = self.error = offset + self._velocity / stance.omega
        # Two numbers each: plain Python takes a tenth of NumPy's time for them.
        shift, bend = [0.0, 0.0], [0.0, 0.0]
        for k, e in enumerate(error.tolist()):
            learned = self._integral[k] - g.integral * bounded(e, 0.03) * dt
            self._integral[k] = bounded(learned, g.shift_limit)
            shift[k] = bounded(self._integral[k] - g.shift[k] * e, g.shift_limit)
            over = math.copysign(max(abs(e) - g.hip_dead_zone[k], 0.0), e)
            bend[k] = bounded(g.hip[k] * over, g.hip_limit)
        self._move_body(shift, bend)
        self._push_ankles(error)
        self._carry_foot()
        self._commanded = [float(reference[j] + self._offset[j]) for j, _ in self._hip_rolls]
        return self._offset

    def _move_body(self, shift: Sequence[float], bend: Sequence[float]) -> None:
        """Move the base by shift (2,) m and turn it by bend (2,) rad, with the feet fixed."""
        # Each leg's inverse is updated in every fourth call, in turn: a leg hardly moves in 20 ms,
        # and this was half of the cost of the correction.
        self._turn = (self._turn + 1) % 4
        for i in (0, 1):
            if self._inverses[i] is not None and self._turn != 2 * i:
                continue
            J = self._stance.leg_jacobian(i, self._legs[i])
            self._inverses[i] = J.T @ np.linalg.inv(J @ J.T + DAMPING * IDENTITY)
        dx, dy = shift
        # Turning is about the base's origin, near the hips: forward is +y, to the left is -x.
        wx, wy = -bend[1], bend[0]
        for i, leg in enumerate(self._legs):
            x, y, z = self._stance.foot_frames[i][1].tolist()
            # Seen from the base the foot makes the opposite motion: -(d + w × p) and -w.
            self._task[:] = -dx - wy * z, -dy + wx * z, -wx * y + wy * x, -wx, -wy, 0.0
            self._offset[leg] += self._inverses[i] @ self._task

    def _push_ankles(self, error: np.ndarray) -> None:
        weight = self._robot.total_mass * GRAVITY
        for (pitch, pitch_sign), (roll, roll_sign) in self._ankles:
            kp = self._robot.servo.kp
            forward = self._gains.ankle[0] * weight / (2 * kp[pitch]) * error[0]
            sideways = self._gains.ankle[1] * weight / (2 * kp[roll]) * error[1]
            # Toes down moves the pressure forward (+y); the outer edge, for the left, is -x.
            self._offset[pitch] += pitch_sign * forward
            self._offset[roll] -= roll_sign * sideways

    def _update_sag(self, dt: float, q: np.ndarray) -> None:
        """By how much each hip roll (rad about x) is beyond its last command."""
        if self._commanded is None:
            return
        for i, (joint, sign) in enumerate(self._hip_rolls):
            beyond = sign * (float(q[joint]) - self._commanded[i])
            self._sag[i] += (beyond - self._sag[i]) * (dt / (SAG_TIME + dt))

    def _carry_foot(self) -> None:
        """The swing leg keeps its commanded angle to the stance leg."""
        left, right = self._stance.contacts.tolist()
        if left is right:
            return
        stance, swing = (0, 1) if left else (1, 0)
        turn = bounded(self._gains.carry * self._sag[stance], self._gains.carry_limit)
        hip, sign = self._hip_rolls[swing]
        self._offset[hip] += sign * turn
        # The sole keeps its angle to the body.
        ankle, sign = self._ankles[swing][1]
        self._offset[ankle] -= sign * turn

    def _find_ankle(
        self, robot: RobotModel, side: int
    ) -> tuple[tuple[int, float], tuple[int, float]]:
        """(joint, sign) of pitch and roll: the last of the leg about y and about x."""
        found = []
        for axis, wanted in ((1, 'a joint about y (an ankle)'), (0, 'a joint about x')):
            joints = self._find_joints(robot, side, axis)
            if not joints:
                raise _error(robot, f'groups.{LEGS[side]}', 'none', wanted)
            joint, _ = joints[-1]
            if not robot.servo.kp[joint] > 0.0:
                name = robot.joint_names[joint]
                raise _error(robot, 'servos', f'kp 0 of {name}', 'above 0: it balances the robot')
            found.append(joints[-1])
        return found[0], found[1]

    def _find_joints(self, robot: RobotModel, side: int, axis: int) -> list[tuple[int, float]]:
        """(joint, sign) of the leg's joints about x (axis 0) or y (1), from the hip down."""
        kinematics = robot.kinematics()
        kinematics.update(robot.poses['standing'])
        axes = kinematics.frame_jacobian(FEET[side])[3:]
        return [
            (int(j), float(np.sign(axes[axis, j])))
            for j in self._legs[side]
            if abs(axes[axis, j]) > 0.7
        ]
