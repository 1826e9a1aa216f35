# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The expert: chunks of joint targets from the true places of the cubes.

It has no memory: a chunk depends on posture, task and phase only, so that a policy with the same
inputs can imitate it from any state. Each limb moves on a straight line at `SPEED`, brakes at
`BRAKING` and arrives in finite time: in a motion that decays towards its goal, a small error of the
first step is a large error at the end.
"""

import numpy as np

from vla_common.errors import ConfigError
from vla_models.goals import ArmGoal, Goals, Target
from vla_models.inverse_kinematics import FINGERS
from vla_models.tasks import HANDS, Task, TaskKind
from vla_robot import RobotModel

HORIZON = 16
STEP = 0.1  # s
PERIOD = 2.0  # s, of the wave
SPEED = 1.1  # rad/s, of the fastest joint
BRAKING = 4.0  # rad/s^2, of the fastest joint

RAISED = 0.12  # m above base_link: a higher finger tip is above the edge of the table
OVER_TABLE = (0.27, 0.0)  # m (x, z): so is one further in front than x and higher than z
WAVE = {'shoulder_pitch': -0.5, 'shoulder_roll': 0.35, 'elbow': -2.2}  # rad, roll outwards
WAVE_SWING = 0.4  # rad of shoulder yaw


def controlled_joints(robot: RobotModel) -> np.ndarray:
    """Indices of the joints that the policy moves: head, left arm, right arm."""
    groups = robot.groups
    return np.concatenate([groups['head'], groups['left_arm'], groups['right_arm']])


def check_robot(robot: RobotModel) -> None:
    """Raise ConfigError unless the robot has what the tasks take: a head, two arms, a camera."""
    file = robot.directory / 'robot.yaml'
    for group, least in (('head', 3), ('left_arm', 4), ('right_arm', 4)):
        count = len(robot.groups.get(group, ()))
        if count < least:
            found = f'{count} joints' if group in robot.groups else 'nothing'
            wanted = f'at least {least} joints, which the tasks of vla_models move'
            raise ConfigError(file, f'groups.{group}', found, wanted)
    for frame in ('head_camera', 'left_hand', 'right_hand'):
        if frame not in robot.frames:
            raise ConfigError(file, f'frames.{frame}', 'nothing', 'a link, for the tasks')
    if 'tucked' not in robot.poses:
        raise ConfigError(file, 'poses.tucked', 'nothing', 'a pose, for the tasks')


class Expert:
    """Chunks of joint targets for any task from any posture. Not thread-safe.

    Raises ConfigError for a robot that cannot do the tasks.
    """

    def __init__(self, robot: RobotModel) -> None:
        check_robot(robot)
        self.robot = robot
        self.joints = controlled_joints(robot)
        self.names = tuple(robot.joint_names[i] for i in self.joints)
        self.goals = Goals(robot)
        self._kinematics = robot.kinematics()
        self._arms = {hand: robot.groups[f'{hand}_arm'] for hand in HANDS}
        self._head = robot.groups['head']
        self._poses = {name: robot.poses[name] for name in ('standing', 'tucked', 'ready')}

    def _pose(self, name: str, hand: str) -> np.ndarray:
        return self._poses[name][self._arms[hand]]

    def tip(self, q: np.ndarray, hand: str) -> np.ndarray:
        """Finger tips (3,) m in the base frame."""
        return self.fingers(q, hand)[0]

    def fingers(self, q: np.ndarray, hand: str) -> tuple[np.ndarray, np.ndarray]:
        """Finger tips (3,) m and pointing direction (3,), in the base frame."""
        self._kinematics.update(q)
        rotation, position = self._kinematics.frame(f'{hand}_hand')
        return position, rotation @ FINGERS

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

    # --- goals --------------------------------------------------------------------------------

    def _raised(self, tip: np.ndarray) -> bool:
        return bool(tip[2] > RAISED or (tip[0] > OVER_TABLE[0] and tip[2] > OVER_TABLE[1]))

    def _lowering(self, arm: np.ndarray, hand: str) -> bool:
        """Whether the arm is on the path from tucked to standing, on which it may go down."""
        first, last = self._pose('tucked', hand), self._pose('standing', hand)
        along = last - first
        share = np.clip((arm - first) @ along / (along @ along), 0.0, 1.0)
        return bool(np.abs(arm - first - share * along).max() < 0.12)

    def _head_goal(self, task: Task, head: np.ndarray, target: Target | None) -> np.ndarray:
        table = self._poses['ready'][self._head]
        if task.kind is TaskKind.LOOK and target is not None and target.in_view:
            return self.goals.look(target)[0]
        if task.kind in (TaskKind.REST, TaskKind.WAVE):
            return self._poses['standing'][self._head]
        if task.kind is TaskKind.STAND and head[1] < table[1] / 2:
            return self._poses['standing'][self._head]
        return table

    def _arm_goal(
        self,
        task: Task,
        hand: str,
        arm: np.ndarray,
        tip: np.ndarray,
        wanted: ArmGoal | None,
        phase: float,
    ) -> np.ndarray:
        raised = self._raised(tip)
        if task.kind is TaskKind.REST:
            if raised and not self._lowering(arm, hand):
                return self._pose('tucked', hand)
            return self._pose('standing', hand)
        active = task.kind is TaskKind.READY or task.hand == hand
        if not raised:
            return self._pose('tucked' if active else 'standing', hand)
        if task.kind is TaskKind.WAVE and task.hand == hand:
            return self.wave_posture(hand, phase)
        if wanted is None or task.hand != hand:
            return self._pose('ready', hand)
        if wanted.transit is None:
            return wanted.joints
        away = np.clip((np.linalg.norm(tip[:2] - wanted.near) - 0.04) / 0.10, 0.0, 1.0)
        return wanted.joints + away * (wanted.transit - wanted.joints)

    def _wanted(self, task: Task, target: Target | None) -> ArmGoal | None:
        if target is None or not target.in_view:
            return None
        if task.kind is TaskKind.REACH:
            return self.goals.reach(task.hand, target)
        if task.kind is TaskKind.POINT:
            return self.goals.point(task.hand, target)
        return None

    # --- motion ------------------------------------------------------------------------------

    def chunk(
        self, task: Task, position: np.ndarray, elapsed: float, target: Target | None = None
    ) -> np.ndarray:
        """Joint targets (HORIZON, k) rad for `joints`, from the posture `position` (n,).

        elapsed: s since the start of the instruction, the phase of the wave. target: the cube of
        the task. While it is out of view, the head turns to the table and the arms wait at ready.
        """
        if target is not None:
            target = self.goals.upright(position, target)
        q = self._poses['standing'].copy()
        q[self.joints] = position[self.joints]
        wanted = self._wanted(task, target)
        out = np.empty((HORIZON, len(self.joints)))
        turn = 2 * np.pi / PERIOD
        for i in range(HORIZON):
            now, then = turn * (elapsed + i * STEP), turn * (elapsed + (i + 1) * STEP)
            step = np.zeros_like(q)
            head = q[self._head]
            step[self._head] = approach(self._head_goal(task, head, target) - head)
            self._kinematics.update(q)
            for hand, arm in self._arms.items():
                tip = self._kinematics.frame(f'{hand}_hand')[1]
                goal = self._arm_goal(task, hand, q[arm], tip, wanted, now)
                step[arm] = approach(goal - q[arm])
                if task.kind is TaskKind.WAVE and task.hand == hand and self._raised(tip):
                    # The goal itself moves.
                    step[arm] += self.wave_posture(hand, then) - self.wave_posture(hand, now)
            q = np.clip(q + step, self.goals.lower, self.goals.upper)
            out[i] = q[self.joints]
        return out


def approach(error: np.ndarray) -> np.ndarray:
    """The step of one STEP towards a goal that is `error` (k,) rad away."""
    far = float(np.abs(error).max()) + 1e-9
    # Braking from v = sqrt(2 a far) ends at the goal.
    return error * min(1.0, min(SPEED, np.sqrt(2 * BRAKING * far)) * STEP / far)
