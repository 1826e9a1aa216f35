# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The expert: knows where the cubes are, and says how the joints should move.

It keeps no memory. What it wants next depends on the posture, the task and the phase only, so a
policy that sees the same can imitate it from any state (a path that is followed by time cannot be
imitated from a single observation). Hanging arms come up along the robot's `paths: ready` first:
a straight line to the cube would push the hands into the table's edge from below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vla_models.inverse_kinematics import FINGERS, solve
from vla_models.tasks import HANDS, Kind, Task
from vla_robot import RobotModel

HORIZON = 16
STEP = 0.1  # s
PERIOD = 2.0  # s, of the wave
SPEED = 1.0  # rad/s, of the fastest joint
GAIN = 2.5  # 1/s, how the last part of a motion decays

RAISED = 0.15  # m above base_link: a finger tip higher than this has passed the table's edge
OVER_TABLE = (0.27, 0.0)  # m (x, z): so has one further in front than x and higher than z
ABOVE_CUBE = 0.03  # m between a cube's top and the finger tips that reach for it
TRANSIT = 0.10  # m higher than that while moving sideways
POINT_RADIUS = 0.52  # m from the shoulder to the finger tips that point
WAVE = {'shoulder_pitch': -0.5, 'shoulder_roll': 0.35, 'elbow': -2.2}  # rad, roll outwards
ELBOW_OUT = 0.25  # rad of shoulder roll, at least, where a hand is given a place
ARM_LINKS = ('upper_arm', 'forearm', 'palm')
CLEARANCE = 0.005  # m between an arm at its goal, or on its way there, and the rest of the body
WAVE_SWING = 0.4  # rad of shoulder yaw


@dataclass(frozen=True)
class Target:
    """A cube in the base frame: centre (3,) m, edge m, and whether it is in the image."""

    position: np.ndarray
    size: float
    in_view: bool = True


@dataclass(frozen=True)
class ArmGoal:
    """Where an arm should be: angles (7,), and higher up (7,) while away from `near` (2,) m."""

    joints: np.ndarray
    transit: np.ndarray | None = None
    near: np.ndarray | None = None


def controlled_joints(robot: RobotModel) -> np.ndarray:
    """Indices of the joints that the policy sees and moves: head, left arm, right arm."""
    groups = robot.groups
    return np.concatenate([groups['head'], groups['left_arm'], groups['right_arm']])


class Expert:
    """Chunks of joint targets for any task from any posture. Not thread-safe."""

    def __init__(self, robot: RobotModel) -> None:
        self.robot = robot
        self.joints = controlled_joints(robot)
        self.names = tuple(robot.joint_names[i] for i in self.joints)
        self._kinematics = robot.kinematics()
        self._arms = {hand: robot.groups[f'{hand}_arm'] for hand in HANDS}
        self._head = robot.groups['head']
        self._poses = {name: robot.poses[name] for name in ('standing', 'tucked', 'ready')}
        margin = robot.soft_margin + 0.02
        self._lower = robot.limits.lower + margin
        self._upper = robot.limits.upper - margin
        # An upper arm that leans inwards presses the forearm into the torso.
        self._goal_lower, self._goal_upper = self._lower.copy(), self._upper.copy()
        self._goal_lower[robot.index['left_shoulder_roll']] = ELBOW_OUT
        self._goal_upper[robot.index['right_shoulder_roll']] = -ELBOW_OUT
        links = {hand: [f'{hand}_{part}' for part in ARM_LINKS] for hand in HANDS}
        self._pairs = {
            hand: [i for i, pair in enumerate(self._kinematics.pairs) if set(pair) & set(names)]
            for hand, names in links.items()
        }
        self._torso = robot.groups['torso']
        self._known: dict[bytes, tuple[ArmGoal, float]] = {}  # goals of the last few targets
        self._neck = 'torso_roll_link'  # what the head turns on
        self._comfort = self._poses['ready'].copy()

    # --- goals -------------------------------------------------------------------------------

    def _pose(self, name: str, hand: str) -> np.ndarray:
        return self._poses[name][self._arms[hand]]

    def tip(self, q: np.ndarray, hand: str) -> np.ndarray:
        """Finger tips (3,) m in the base frame."""
        self._kinematics.update(q)
        return self._kinematics.frame(f'{hand}_hand')[1].copy()

    def at(self, position: np.ndarray) -> Expert:
        """Take over the torso of a posture (n,): goals are reached with the torso as it is."""
        self._comfort[self._torso] = position[self._torso]
        return self

    def _shoulder(self, hand: str) -> np.ndarray:
        self._kinematics.update(self._comfort)
        return self._kinematics.frame(f'{hand}_shoulder_pitch_link')[1]

    def _solve(self, hand: str, tip: np.ndarray, direction: np.ndarray, **weights: float):
        return solve(
            self._kinematics,
            self._comfort,
            self._arms[hand],
            self._goal_lower,
            self._goal_upper,
            f'{hand}_hand',
            tip,
            direction / np.linalg.norm(direction),
            **weights,
        )

    def _remembered(
        self, kind: Kind, hand: str, target: Target, solve_it: Callable[[str, Target], tuple]
    ) -> tuple[ArmGoal, float]:
        numbers = np.array([*target.position, target.size, *self._comfort[self._torso]])
        key = f'{kind.value} {hand} '.encode() + numbers.tobytes()
        if key not in self._known:
            if len(self._known) >= 64:
                self._known.clear()
            self._known[key] = solve_it(hand, target)
        return self._known[key]

    def reach(self, hand: str, target: Target) -> tuple[ArmGoal, float]:
        """Finger tips over the cube, coming from above and behind; and how far off they stay, m."""
        return self._remembered(Kind.REACH, hand, target, self._solve_reach)

    def point(self, hand: str, target: Target) -> tuple[ArmGoal, float]:
        """Fingers along the line from the shoulder to the cube; and the angle left, rad."""
        return self._remembered(Kind.POINT, hand, target, self._solve_point)

    def _solve_reach(self, hand: str, target: Target) -> tuple[ArmGoal, float]:
        bearing = target.position[:2] - self._shoulder(hand)[:2]
        bearing = bearing / np.linalg.norm(bearing)
        direction = np.array([bearing[0], bearing[1], -1.0])
        low = target.position + np.array([0.0, 0.0, target.size / 2 + ABOVE_CUBE])
        joints, error, _ = self._solve(hand, low, direction)
        transit, _, _ = self._solve(hand, low + np.array([0.0, 0.0, TRANSIT]), direction)
        return ArmGoal(joints, transit, low[:2]), error

    def _solve_point(self, hand: str, target: Target) -> tuple[ArmGoal, float]:
        shoulder = self._shoulder(hand)
        ray = target.position - shoulder
        distance = float(np.linalg.norm(ray))
        radius = min(POINT_RADIUS, distance - 0.12)
        tip = shoulder + ray * (radius / distance)
        weights = {'tip_weight': 0.4, 'direction_weight': 0.4}
        joints, _, angle = self._solve(hand, tip, ray, **weights)
        return ArmGoal(joints), angle

    def _clear(self, hand: str, goal: ArmGoal) -> bool:
        """Whether the arm touches nothing of the robot at its goal and on the way from ready."""
        q = self._comfort.copy()
        arm = self._arms[hand]
        for share in (0.3, 0.6, 1.0):
            q[arm] = self._comfort[arm] + share * (goal.joints - self._comfort[arm])
            self._kinematics.update(q)
            if not self._kinematics.distances()[self._pairs[hand]].min() > CLEARANCE:
                return False
        return True

    def feasible(self, task: Task, target: Target) -> bool:
        """Whether the robot can do it at all from where it stands."""
        if task.kind is Kind.REACH:
            goal, error = self.reach(task.hand, target)
            return error < 0.015 and self._clear(task.hand, goal)
        if task.kind is Kind.POINT:
            goal, angle = self.point(task.hand, target)
            return angle < 0.06 and self._clear(task.hand, goal)
        if task.kind is Kind.LOOK:
            return self.look(target)[1] < 0.05
        return True

    def look(self, target: Target) -> tuple[np.ndarray, float]:
        """Head angles (3,) that put the cube on the camera's axis; and the angle left, rad."""
        return self._remembered(Kind.LOOK, 'head', target, self._solve_look)

    def _solve_look(self, _: str, target: Target) -> tuple[np.ndarray, float]:
        q = self._comfort.copy()
        yaw = pitch = 0.0
        for _ in range(8):  # the camera moves while the head turns: a fixed point
            q[self._head] = yaw, pitch, 0.0
            self._kinematics.update(q)
            rotation, position = self._kinematics.frame('head_camera')
            ray = target.position - position
            ray /= np.linalg.norm(ray)
            # Seen from the neck's base, which the torso tilts.
            tilt = self._kinematics.frame(self._neck)[0]
            local = tilt.T @ ray
            yaw = float(np.arctan2(local[1], local[0]))
            pitch = float(np.arctan2(-local[2], np.hypot(local[0], local[1])))
            low, high = self._lower[self._head], self._upper[self._head]
            yaw, pitch, _ = np.clip((yaw, pitch, 0.0), low, high)
        angle = float(np.arccos(np.clip(rotation[:, 2] @ ray, -1.0, 1.0)))
        return np.array([yaw, pitch, 0.0]), angle

    def wave_posture(self, hand: str, phase: float) -> np.ndarray:
        """Arm angles (7,) at `phase` rad of the wave."""
        posture = self._pose('ready', hand).copy()
        sign = 1.0 if hand == 'left' else -1.0
        posture[:4] = (
            WAVE['shoulder_pitch'],
            sign * WAVE['shoulder_roll'],
            sign * WAVE_SWING * np.sin(phase),
            WAVE['elbow'],
        )
        return posture

    # --- motion ------------------------------------------------------------------------------

    def _raised(self, tip: np.ndarray) -> bool:
        return bool(tip[2] > RAISED or (tip[0] > OVER_TABLE[0] and tip[2] > OVER_TABLE[1]))

    def _lowering(self, arm: np.ndarray, hand: str) -> bool:
        """Whether the arm is on the way from tucked to standing, from where it may go down."""
        first, last = self._pose('tucked', hand), self._pose('standing', hand)
        along = last - first
        share = np.clip((arm - first) @ along / (along @ along), 0.0, 1.0)
        return bool(np.abs(arm - first - share * along).max() < 0.12)

    def _head_goal(self, task: Task, head: np.ndarray, target: Target | None) -> np.ndarray:
        table = self._poses['ready'][self._head]
        if task.kind is Kind.LOOK and target is not None and target.in_view:
            return self.look(target)[0]
        if task.kind in (Kind.REST, Kind.WAVE):
            return self._poses['standing'][self._head]
        if task.kind is Kind.STAND and head[1] < table[1] / 2:
            return self._poses['standing'][self._head]
        return table

    def _arm_goal(
        self, task: Task, hand: str, q: np.ndarray, wanted: ArmGoal | None, phase: float
    ) -> np.ndarray:
        arm = q[self._arms[hand]]
        tip = self.tip(q, hand)
        raised = self._raised(tip)
        if task.kind is Kind.REST:
            if raised and not self._lowering(arm, hand):
                return self._pose('tucked', hand)
            return self._pose('standing', hand)
        active = task.kind is Kind.READY or task.hand == hand
        if not raised:
            return self._pose('tucked' if active else 'standing', hand)
        if task.kind is Kind.WAVE and task.hand == hand:
            return self.wave_posture(hand, phase)
        if wanted is None or task.hand != hand:
            return self._pose('ready', hand)
        if wanted.transit is None:
            return wanted.joints
        away = np.clip((np.linalg.norm(tip[:2] - wanted.near) - 0.04) / 0.10, 0.0, 1.0)
        return wanted.joints + away * (wanted.transit - wanted.joints)

    def chunk(
        self, task: Task, position: np.ndarray, elapsed: float, target: Target | None = None
    ) -> np.ndarray:
        """Joint targets (HORIZON, k) rad for `joints`, from the posture `position` (n,).

        `elapsed` s since the instruction began gives the wave its phase; `target` is the cube
        that the task names. A cube that is out of view is first looked for: arms wait at ready.
        """
        q = self._poses['standing'].copy()
        q[self.joints] = position[self.joints]
        q[self._torso] = position[self._torso]
        self.at(position)
        wanted = None
        if target is not None and target.in_view:
            if task.kind is Kind.REACH:
                wanted = self.reach(task.hand, target)[0]
            elif task.kind is Kind.POINT:
                wanted = self.point(task.hand, target)[0]
        out = np.empty((HORIZON, len(self.joints)))
        turn = 2 * np.pi / PERIOD
        for i in range(HORIZON):
            now, then = turn * (elapsed + i * STEP), turn * (elapsed + (i + 1) * STEP)
            step = np.zeros_like(q)
            head = q[self._head]
            step[self._head] = self._approach(self._head_goal(task, head, target) - head)
            for hand, arm in self._arms.items():
                goal = self._arm_goal(task, hand, q, wanted, now)
                step[arm] = self._approach(goal - q[arm])
                if task.kind is Kind.WAVE and task.hand == hand and self._raised(self.tip(q, hand)):
                    # The goal itself moves: carry the error, not the position.
                    step[arm] += self.wave_posture(hand, then) - self.wave_posture(hand, now)
            q = np.clip(q + step, self._lower, self._upper)
            out[i] = q[self.joints]
        return out

    @staticmethod
    def _approach(error: np.ndarray) -> np.ndarray:
        """The step of one STEP towards a goal: all joints arrive together, slowing at the end."""
        return error * min(GAIN * STEP, SPEED * STEP / (np.abs(error).max() + 1e-9))

    def fingers(self, q: np.ndarray, hand: str) -> tuple[np.ndarray, np.ndarray]:
        """Finger tips (3,) m and pointing direction (3,), in the base frame."""
        self._kinematics.update(q)
        rotation, position = self._kinematics.frame(f'{hand}_hand')
        return position.copy(), rotation @ FINGERS
