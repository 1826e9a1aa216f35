# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A square for one end effector, the policy that asks for it, and the measurement of the path."""

from dataclasses import dataclass

import numpy as np

from vla_policy.action_decoder import ActionDecoder
from vla_policy.bundle.action_space import TOOL, ActionSpace
from vla_policy.bundle.bundle import Bundle
from vla_policy.bundle.scripted_spec import ScriptedSpec, minimum_jerk
from vla_policy.rotations import rows_of
from vla_policy.types import ActionChunk, Observation, Policy
from vla_robot import RobotModel
from vla_sim import World

HORIZON, STEP = 16, 0.1


@dataclass(frozen=True)
class Square:
    """Four sides, each a minimum-jerk motion with rest at its ends, from `corner` (3,) m along
    `first` and `second` (3,) m, base. duration: s for all four."""

    corner: np.ndarray
    first: np.ndarray
    second: np.ndarray
    duration: float

    @property
    def corners(self) -> np.ndarray:
        """(5, 3), the first one again at the end."""
        a, b, c = self.corner, self.first, self.second
        return np.array([a, a + b, a + b + c, a + c, a])

    def at(self, times: np.ndarray) -> np.ndarray:
        """Positions (m, 3) at times (m,) s since the start."""
        side = np.clip(4.0 * times / self.duration, 0.0, 4.0)
        number = np.minimum(side.astype(int), 3)
        share = minimum_jerk(side - number)[:, None]
        corners = self.corners
        return corners[number] + share * (corners[number + 1] - corners[number])

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Distances (m,) m of points (m, 3) to the nearest side."""
        found = np.full(len(points), np.inf)
        for begin, end in zip(self.corners, self.corners[1:], strict=False):
            side = end - begin
            share = np.clip((points - begin) @ side / max(side @ side, 1e-12), 0.0, 1.0)
            found = np.minimum(
                found, np.linalg.norm(points - begin - share[:, None] * side, axis=1)
            )
        return found


class SquarePolicy(Policy):
    """Asks for the square in its action space, as a network would: with numbers per point.

    The orientation is that of the start. `done` once the time is over. Raises ConfigError.
    """

    def __init__(self, robot: RobotModel, space: ActionSpace, square: Square) -> None:
        assert space.cartesian is not None
        self.bundle = Bundle('square', '1', 'scripted', ScriptedSpec({}))
        self._space, self._square = space, square
        self._end = space.cartesian.end_effectors[0]
        self._tool = space.cartesian.frame == TOOL
        self._decode = ActionDecoder(space, robot, STEP, 'square')
        self._kinematics = robot.kinematics()
        self._times = STEP * np.arange(1, HORIZON + 1)
        self._rotation: np.ndarray | None = None
        self.not_followed = 0

    def predict(self, observation: Observation) -> ActionChunk:
        self._kinematics.update(observation.position)
        rotation, position = self._kinematics.frame(self._end.frame)
        if self._rotation is None:
            self._rotation = rotation
        wanted = self._square.at(observation.elapsed + self._times)
        values = self._values(wanted, rotation, position)
        targets, error = self._decode(values, observation.position)
        self.not_followed += bool(error is not None and error.reason)
        done = observation.elapsed >= self._square.duration
        return ActionChunk(self._space.joints, targets, self._times, 1.0, done, pose_error=error)

    def _values(self, wanted: np.ndarray, rotation: np.ndarray, position: np.ndarray) -> np.ndarray:
        """The poses `wanted` (h, 3) in the action space, for a hand at (rotation, position)."""
        assert self._rotation is not None
        turned = np.tile(self._rotation, (len(wanted), 1, 1))
        if self._space.kind == 'end_effector_delta':
            # Each relative to the one before, or all to the first.
            before, origins = (
                np.tile(rotation, (len(wanted), 1, 1)),
                np.tile(position, (HORIZON, 1)),
            )
            if self._space.relative_to == 'previous':
                before[1:], origins[1:] = turned[:-1], wanted[:-1]
            inverse = before.transpose(0, 2, 1)
            if self._tool:
                wanted = np.einsum('hij,hj->hi', inverse, wanted - origins)
                turned = inverse @ turned
            else:
                wanted, turned = wanted - origins, turned @ inverse
        return np.concatenate([wanted, rows_of(turned, self._end.rotation)], axis=1)


class PathObserver:
    """Records where a frame of the simulated robot is: the criterion of a `Rollout`."""

    def __init__(self, world: World, frame: str) -> None:
        self._world, self._frame = world, frame
        self._times: list[float] = []
        self._points: list[np.ndarray] = []

    @property
    def fallen(self) -> bool:
        return self._world.fallen

    @property
    def times(self) -> np.ndarray:
        """(m,) s."""
        return np.array(self._times)

    @property
    def points(self) -> np.ndarray:
        """(m, 3) m, base."""
        return np.array(self._points).reshape(-1, 3)

    def update(self, time: float) -> None:
        rotation, origin = self._world.frame_pose('base')
        self._times.append(time)
        self._points.append(rotation.T @ (self._world.frame_pose(self._frame)[1] - origin))
