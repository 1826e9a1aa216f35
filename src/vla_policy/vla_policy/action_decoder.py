# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Joint targets from the numbers of a policy, for every action space.

Cartesian actions become joint targets by differential inverse kinematics on the chunk, from the
observed posture (`vla_robot.differential_ik`): what is published stays a joint chunk, which the
safety filter treats as any other.
"""

import difflib

import numpy as np

from vla_common.errors import ConfigError
from vla_policy.bundle.action_space import BASE, TOOL, ActionSpace, CartesianSpace
from vla_policy.rotations import matrices
from vla_policy.types import PolicyError, PoseError
from vla_robot import RobotModel
from vla_robot.differential_ik import Followed, PoseFollower

FURTHEST = 10.0
"""m: a position beyond it comes from a model with a wrong scale (mm)."""


class ActionDecoder:
    """Targets of one action space on one robot. Not thread-safe.

    step: s between the points of a chunk. file: of the bundle, for messages. Raises ConfigError
    where the robot lacks a frame, or a joint moves no end effector.
    """

    def __init__(self, space: ActionSpace, robot: RobotModel, step: float, file: str) -> None:
        names = tuple(robot.joint_names)
        self.space = space
        self._step = step
        self._indices = np.array([names.index(joint) for joint in space.joints], np.intp)
        self._kept = space.kept
        self._follower: PoseFollower | None = None
        if space.cartesian is not None:
            check_chains(space, robot, file)
            one = space.cartesian
            self._frames = tuple(e.frame for e in one.end_effectors)
            turned = [e.rotation != 'none' for e in one.end_effectors]
            self._follower = PoseFollower(robot, self._indices, self._frames, turned)

    def __call__(
        self, values: np.ndarray, position: np.ndarray
    ) -> tuple[np.ndarray, PoseError | None]:
        """Targets (h, k) rad of the joints from values (h, width) in SI units, at the observed
        posture (n,) rad; for Cartesian actions with the error that is left.

        Raises PolicyError: the values are not finite, or no poses.
        """
        values = np.asarray(values, np.float64)
        if values.ndim != 2 or values.shape[1] != self.space.width:
            raise PolicyError(
                f'an action of shape {values.shape}, wanted (points, {self.space.width})'
            )
        values = values[:, self._kept]
        space = self.space
        if space.cartesian is None:
            return self._joint_targets(values, position[self._indices]), None
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            raise PolicyError(f'an action that is not finite: {self._name(int(bad[0][1]))}')
        return self._follow(space.cartesian, values, np.asarray(position, np.float64))

    def _joint_targets(self, values: np.ndarray, here: np.ndarray) -> np.ndarray:
        kind = self.space.kind
        if kind == 'joint_velocity':
            return here + self._step * np.cumsum(values, axis=0)
        if kind == 'joint_delta':
            if self.space.relative_to == 'previous':
                values = np.cumsum(values, axis=0)
            return here + values
        return values

    def _follow(
        self, space: CartesianSpace, values: np.ndarray, position: np.ndarray
    ) -> tuple[np.ndarray, PoseError]:
        assert self._follower is not None
        if not np.isfinite(position).all():
            raise PolicyError('observed joint positions that are not finite')
        frames = self._frames if space.frame == TOOL else (*self._frames, space.frame)
        rotations, origins = self._follower.poses(position, frames)
        reference = (rotations[-1], origins[-1])
        targets = np.empty((len(values), len(self._frames), 3))
        turns = np.empty((len(values), len(self._frames), 3, 3))
        column = 0
        for i, one in enumerate(space.end_effectors):
            part = values[:, column : column + one.width]
            column += one.width
            far = float(np.abs(part[:, :3]).max(initial=0.0))
            if not far <= FURTHEST:
                raise PolicyError(f'{one.frame} is to be {far:.3g} m away, beyond {FURTHEST:g} m')
            try:
                given = matrices(part[:, 3:], one.rotation)
            except ValueError as error:
                raise PolicyError(f'{one.frame}: {error}') from error
            if self.space.kind == 'end_effector_pose':
                targets[:, i] = part[:, :3] @ reference[0].T + reference[1]
                turns[:, i] = reference[0] @ given
            else:
                axes = None if space.frame == TOOL else reference[0]
                targets[:, i], turns[:, i] = self._moved(
                    part[:, :3], given, rotations[i], origins[i], axes
                )
        found = self._follower.follow(position, turns, targets, self._step)
        return found.positions, self._error(space, found)

    def _moved(
        self,
        shifts: np.ndarray,
        turns: np.ndarray,
        rotation: np.ndarray,
        origin: np.ndarray,
        axes: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Poses (h, 3) and (h, 3, 3) after shifts and turns of the pose (rotation, origin). axes:
        (3, 3) in which they are given, None for those of the moved frame itself."""
        positions, rotations = np.empty_like(shifts), np.empty_like(turns)
        start = rotation, origin
        for i in range(len(shifts)):
            if axes is None:
                positions[i] = origin + rotation @ shifts[i]
                rotations[i] = rotation @ turns[i]
            else:
                positions[i] = origin + axes @ shifts[i]
                rotations[i] = axes @ turns[i] @ axes.T @ rotation
            if self.space.relative_to == 'previous':
                rotation, origin = rotations[i], positions[i]
            else:
                rotation, origin = start
        return positions, rotations

    def _error(self, space: CartesianSpace, found: Followed) -> PoseError:
        far, turn = float(found.position_error[-1]), float(found.rotation_error[-1])
        reason = ''
        if not (far <= space.tolerance[0] and turn <= space.tolerance[1]):
            names = ', '.join(self._frames)
            reason = f'cannot follow: {names} stays {far:.3f} m and {turn:.2f} rad from its target'
        return PoseError(far, turn, float(found.position_error.max()), reason)

    def _name(self, column: int) -> str:
        """The end effector of a column."""
        assert self.space.cartesian is not None
        for one in self.space.cartesian.end_effectors:
            if column < one.width:
                return one.frame
            column -= one.width
        raise IndexError(column)


def check_chains(space: ActionSpace, robot: RobotModel, file: str) -> None:
    """Raise ConfigError for frames that the robot lacks, joints that move no end effector, end
    effectors that none of the joints moves, and a reference that they move."""
    assert space.cartesian is not None
    key = 'outputs.action'
    moved: set[str] = set()
    for one in space.cartesian.end_effectors:
        where = f'{key}.end_effectors.{one.frame}'
        _check_frame(robot, one.frame, file, where, 'no end effector of this robot')
        chain = [robot.joint_names[j] for j in robot.chain(one.frame)]
        if not set(chain) & set(space.joints):
            wanted = (
                f'one of {", ".join(chain)} among the joints' if chain else 'a frame that moves'
            )
            raise ConfigError(file, where, 'an end effector that none of the joints moves', wanted)
        moved |= set(chain)
    idle = [joint for joint in space.joints if joint not in moved]
    if idle:
        names = ', '.join(one.frame for one in space.cartesian.end_effectors)
        wanted = f'joints between the base and {names}'
        raise ConfigError(file, f'{key}.joints', ', '.join(idle), wanted)
    frame = space.cartesian.frame
    if frame == TOOL:
        return
    _check_frame(robot, frame, file, f'{key}.frame', 'no frame of this robot')
    carrying = {robot.joint_names[j] for j in robot.chain(frame)} & set(space.joints)
    if carrying:
        wanted = f'{BASE}, {TOOL} or a frame that the joints of the action do not move'
        found = f'{frame}, moved by {", ".join(sorted(carrying))}'
        raise ConfigError(file, f'{key}.frame', found, wanted)


def _check_frame(robot: RobotModel, frame: str, file: str, key: str, found: str) -> None:
    if robot.has_link(frame):
        return
    near = difflib.get_close_matches(frame, robot.frames, n=1)
    hint = f' (nearest: {near[0]})' if near else ''
    wanted = f'a frame or link of {robot.name}: {", ".join(sorted(robot.frames))}{hint}'
    raise ConfigError(file, key, f'{frame}, {found}', wanted)
