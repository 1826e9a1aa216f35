# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""True distances in an episode: MuJoCo's, at any posture of the robot in its scene.

Shared with the filter are only the list of links that may touch and the obstacles that it knows.
"""

import copy
from collections.abc import Sequence

import mujoco
import numpy as np

from vla_robot import RobotModel
from vla_sim import World

SEEN = 0.15
"""m; larger distances are not computed."""


def arm_links(robot: RobotModel) -> tuple[str, ...]:
    """Links with a collision shape that an arm moves."""
    model = robot.pinocchio_model
    arms = {
        model.getJointId(robot.joint_names[i])
        for side in ('left', 'right')
        for i in robot.groups.get(f'{side}_arm', ())
    }
    shapes = robot.pinocchio_geometry.geometryObjects
    moved = (s for s in shapes if arms.intersection(model.supports[s.parentJoint]))
    return tuple(dict.fromkeys(model.frames[s.parentFrame].name for s in moved))


class Clearance:
    """Distances at postures of the robot, its base where it is in the world.

    Args:
        world: of the episode.
        obstacles: names of bodies of the scene that count.

    Attributes:
        model: MuJoCo's, in which bodies may be moved.
    """

    def __init__(self, world: World, obstacles: Sequence[str]) -> None:
        robot, self._world = world.robot, world
        # Its own: with sleep, MuJoCo places a body that stands still only once.
        self.model = model = copy.copy(world.model)
        model.opt.enableflags &= ~int(mujoco.mjtEnableBit.mjENBL_SLEEP)
        self._data = mujoco.MjData(model)
        self._q = np.array([model.joint(name).qposadr[0] for name in robot.joint_names])
        shapes: dict[str, list[int]] = {}
        for geom in range(model.ngeom):
            if model.geom_contype[geom] or model.geom_conaffinity[geom]:
                shapes.setdefault(model.body(model.geom_bodyid[geom]).name, []).append(geom)

        def pairs(names: list[tuple[str, str]]) -> list[tuple[int, int, str]]:
            return [(a, b, f'{m}-{n}') for m, n in names for a in shapes[m] for b in shapes[n]]

        self._own = pairs(list(robot.collision_pairs))
        self._others = pairs([(o, link) for o in obstacles for link in arm_links(robot)])
        self._obstacles = {model.body(name).id for name in obstacles}
        scene = {'world', 'table', *(t.name for t in (*world.scene.cubes, *world.scene.solids))}
        self._robot = {i for i in range(model.nbody) if model.body(i).name not in scene}

    def place(self, q: np.ndarray) -> None:
        """Put the joints at `q` (n,)."""
        self._data.qpos[:] = self._world.data.qpos
        self._data.qpos[self._q] = q
        mujoco.mj_kinematics(self.model, self._data)

    def to_obstacles(self) -> float:
        """m from the arms to the nearest obstacle, at most SEEN; negative where they overlap."""
        return self._least(self._others, SEEN)[0]

    def nearest(self) -> tuple[float, str]:
        """m, and the pair: of the arms to the obstacles and of the robot's links to each other."""
        first = self._least(self._others, SEEN)
        second = self._least(self._own, first[0])
        return second if second[1] else first

    def _least(self, pairs: list[tuple[int, int, str]], best: float) -> tuple[float, str]:
        which = ''
        for one, other, name in pairs:
            distance = mujoco.mj_geomDistance(self.model, self._data, one, other, best, None)
            if distance < best:
                best, which = distance, name
        return best, which

    def hand(self, frame: str) -> np.ndarray:
        """(3,) m of a frame of robot.yaml in the base's frame, after `place`."""
        base, site = self._data.site('base'), self._data.site(frame)
        return base.xmat.reshape(3, 3).T @ (site.xpos - base.xpos)

    def touching(self) -> bool:
        """Whether a link of the robot touches an obstacle in the world now."""
        contacts, bodies = self._world.data.contact, self.model.geom_bodyid
        for i in range(self._world.data.ncon):
            first, second = (int(bodies[g]) for g in contacts[i].geom)
            if (first in self._obstacles and second in self._robot) or (
                second in self._obstacles and first in self._robot
            ):
                return True
        return False
