# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Distances between shapes of the robot and its surroundings, one pair at a time, with gradients.

`Kinematics.distances` measures every pair. Here the caller chooses the pairs, which is faster where
few are near. Each pair has a bound on how much each joint can change its distance, so that distant
pairs need no measurement.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import coal
import numpy as np
import pinocchio

from vla_robot.pinocchio_model import add_point_masses, link_id
from vla_robot.robot_model import RobotModel

Wrench = tuple[float, float, float, float, float, float]
"""Force (3), then moment (3), about the base's origin."""


@dataclass(frozen=True)
class Obstacle:
    """A solid object that is not part of the robot.

    Attributes:
        name: for reports.
        anchor: URDF link, or frame of robot.yaml, that it is fixed to: `base_link` for a robot that
            is bolted to the ground, a foot for a standing one.
        shapes: (coal geometry, rotation (3, 3), translation (3,)) in the anchor's frame, m.
        links: URDF links whose distance to it is measured.
    """

    name: str
    anchor: str
    shapes: tuple[tuple[object, np.ndarray, np.ndarray], ...]
    links: tuple[str, ...]


@dataclass(frozen=True)
class RigidShape:
    """A shape that is fixed to a joint.

    Attributes:
        name: link, or obstacle.
        joint: Pinocchio's index of the joint.
        placement: in the joint's frame.
        geometry: of Coal.
        radius: m, upper bound of the distance of its points from the joint's origin.
        of_robot: part of the robot; otherwise fixed to it.
    """

    name: str
    joint: int
    placement: pinocchio.SE3
    geometry: object
    radius: float
    of_robot: bool


class CollisionModel:
    """Pairs of shapes. Not thread-safe: buffers of its own.

    Joint arrays are (n,) in robot order; positions are in the base's frame.

    Attributes:
        pairs: (m) the two names of each pair (URDF links, obstacles).
        signs: (m, n) how a joint moves the pair: +1 the second shape only, −1 the first only, 0
            both or none.
        distance_bounds: (m, n) m/rad, the most by which the distance changes per rad of each joint
            (m/m for a prismatic one), in any configuration.
        columns: (n,) of the joints in `jacobian`.
        placements: how often `place` was called: what was computed before is of another
            configuration.
    """

    def __init__(self, robot: RobotModel, obstacles: Sequence[Obstacle] = ()) -> None:
        self._robot = robot
        self._model = model = robot.pinocchio_model
        self._data = model.createData()
        ids = [model.getJointId(name) for name in robot.joint_names]
        self._to_q = np.array([model.idx_qs[i] for i in ids], dtype=int)
        self.columns = np.array([model.idx_vs[i] for i in ids], dtype=np.intp)
        self._column = {joint: k for k, joint in enumerate(ids)}
        self._q = pinocchio.neutral(model)
        self._geometry = geometry = robot.pinocchio_geometry.copy()
        self._own_mass = False
        self.placements = 0
        shapes: dict[str, list[int]] = {}
        for k, shape in enumerate(geometry.geometryObjects):
            shapes.setdefault(model.frames[shape.parentFrame].name, []).append(k)
        wanted = [(a, b) for a, b in robot.collision_pairs]
        for obstacle in obstacles:
            shapes[obstacle.name] = self._add(obstacle)
            wanted += [(obstacle.name, link) for link in obstacle.links]
        geometry.removeAllCollisionPairs()
        names: list[tuple[str, str]] = []
        ends: list[tuple[int, int]] = []
        for first, second in wanted:
            for a in shapes[first]:
                for b in shapes[second]:
                    geometry.addCollisionPair(pinocchio.CollisionPair(a, b))
                    names.append((first, second))
                    ends.append((a, b))
        self.pairs = tuple(names)
        self._geometry_data = pinocchio.GeometryData(geometry)
        self.signs = np.zeros((len(ends), robot.n))
        self.distance_bounds = np.zeros((len(ends), robot.n))
        for row, (a, b) in enumerate(ends):
            self._describe(row, geometry.geometryObjects[a], geometry.geometryObjects[b])
        self.signs.setflags(write=False)
        self.distance_bounds.setflags(write=False)

    def _add(self, obstacle: Obstacle) -> list[int]:
        model = self._model
        link = self._robot.frames.get(obstacle.anchor, obstacle.anchor)
        frame_id = link_id(model, link)
        frame = model.frames[frame_id]
        added = []
        for k, (shape, rotation, translation) in enumerate(obstacle.shapes):
            placement = frame.placement * pinocchio.SE3(
                np.asarray(rotation, dtype=float), np.asarray(translation, dtype=float)
            )
            added.append(
                self._geometry.addGeometryObject(
                    pinocchio.GeometryObject(
                        f'{obstacle.name}_{k}', frame.parentJoint, frame_id, placement, shape
                    )
                )
            )
        return added

    # --- bounds on the effect of each joint -------------------------------------------------

    def _describe(self, row: int, first: object, second: object) -> None:
        self.signs[row], self.distance_bounds[row] = self.pair_bounds(
            (first.parentJoint, second.parentJoint), (_radius(first), _radius(second))
        )

    def pair_bounds(
        self, joints: tuple[int, int], radii: tuple[float, float]
    ) -> tuple[np.ndarray, np.ndarray]:
        """(signs (n,), distance bounds (n,)) of two shapes, as in the attributes of these names.

        Args:
            joints: Pinocchio's index of the joint that each is fixed to.
            radii: m, upper bounds of the distances of their points from that joint's origin.
        """
        model = self._model
        signs, bounds = np.zeros((2, self._robot.n))
        above = [list(model.supports[joint]) for joint in joints]
        common = set(above[0]) & set(above[1])
        for sign, mine, other, radius, opposite in (
            (-1.0, above[0], above[1], *radii),
            (1.0, above[1], above[0], *reversed(radii)),
        ):
            own = [joint for joint in mine if joint not in common]
            theirs = [joint for joint in other if joint not in common]
            for position, joint in enumerate(own):
                column = self._column.get(joint)
                if column is None:
                    continue
                signs[column] = sign
                if model.joints[joint].shortname().startswith('JointModelP'):
                    bounds[column] = 1.0
                    continue
                # A rotation of the joint moves the distal shape or, relative to it, the proximal
                # one: no point of either moves further than its distance from the axis.
                beyond = self._chain(own[position + 1 :]) + radius
                before = self._chain(own[: position + 1]) + self._chain(theirs) + opposite
                bounds[column] = min(beyond, before)
        return signs, bounds

    def _chain(self, joints: Iterable[int]) -> float:
        """Upper bound of the length of a chain of joint placements, m."""
        model, length = self._model, 0.0
        for joint in joints:
            length += float(np.linalg.norm(model.jointPlacements[joint].translation))
            if model.joints[joint].shortname().startswith('JointModelP'):
                k = model.idx_qs[joint]
                length += max(abs(model.lowerPositionLimit[k]), abs(model.upperPositionLimit[k]))
        return length

    # --- at a configuration -----------------------------------------------------------------

    def place(self, q: np.ndarray, mass: bool = False) -> None:
        """Set the configuration (n,) for all calls below.

        mass: also compute the centre of mass and its Jacobian.
        """
        self.placements += 1
        self._q[self._to_q] = q
        if mass:
            pinocchio.jacobianCenterOfMass(self._model, self._data, self._q, False)
        else:
            pinocchio.computeJointJacobians(self._model, self._data, self._q)
        pinocchio.updateGeometryPlacements(
            self._model, self._data, self._geometry, self._geometry_data
        )

    def measure(self, pair: int) -> object:
        """Coal's result: `min_distance` in m, negative where the shapes overlap; see `wrench`."""
        return pinocchio.computeDistance(self._geometry, self._geometry_data, pair)

    @property
    def jacobian(self) -> np.ndarray:
        """(6, nv) Jacobian of a point at the base's origin (linear, then angular), after `place`;
        the joints' are its `columns`."""
        return self._data.J

    def rows(self, wrenches: np.ndarray, signs: np.ndarray) -> np.ndarray:
        """(k, n): derivatives by each joint of the distances with (k, 6) wrenches, (k, n) signs."""
        rows = (wrenches @ self._data.J).take(self.columns, axis=1)
        rows *= signs
        return rows

    # --- single shapes ------------------------------------------------------------------------

    @property
    def solids(self) -> tuple[RigidShape, ...]:
        """The shapes of the robot, then those of the obstacles."""
        model = self._model
        robot = len(self._robot.pinocchio_geometry.geometryObjects)
        return tuple(
            RigidShape(
                model.frames[shape.parentFrame].name
                if k < robot
                else shape.name.rpartition('_')[0],
                shape.parentJoint,
                shape.placement,
                shape.geometry,
                _radius(shape),
                k < robot,
            )
            for k, shape in enumerate(self._geometry.geometryObjects)
        )

    def rigid_shape(
        self, name: str, frame: str, shape: object, rotation: np.ndarray, translation: np.ndarray
    ) -> RigidShape:
        """A shape that is not part of the model, fixed to a frame at a rotation and translation."""
        parent = self._model.frames[self.frame_id(frame)]
        own = pinocchio.SE3(np.array(rotation, order='F'), np.array(translation))
        placement = parent.placement * own
        radius = float(np.linalg.norm(placement.translation)) + _reach(shape)
        return RigidShape(name, parent.parentJoint, placement, shape, radius, False)

    def frame_joint(self, frame: str) -> int:
        """Pinocchio's index of the joint that a frame is fixed to."""
        return self._model.frames[self.frame_id(frame)].parentJoint

    def is_beyond(self, joint: int, other: int) -> bool:
        """Whether `joint` is `other`, or moves with it."""
        return other in self._model.supports[joint]

    def transform(self, shape: RigidShape) -> coal.Transform3s:
        """Where a shape is, after `place`."""
        return coal.Transform3s(self._data.oMi[shape.joint] * shape.placement)

    def set_payload(self, loads: Iterable[tuple[str, float, np.ndarray]]) -> None:
        """Add point masses for all calls below, in place of those that were added before.

        Args:
            loads: frame, kg, (3,) m in the frame.
        """
        if not self._own_mass:
            # The robot's model is shared.
            self._model, self._own_mass = self._model.copy(), True
        add_point_masses(self._model, self._robot, loads)

    # --- frames and mass ---------------------------------------------------------------------

    def frame_id(self, name: str) -> int:
        """Index of a frame of robot.yaml, or of a URDF link. Raises KeyError: neither."""
        return link_id(self._model, self._robot.frames.get(name, name))

    def frame_signs(self, frame: int) -> np.ndarray:
        """(n,) 1 for each joint that moves the frame relative to the base."""
        signs = np.zeros(self._robot.n)
        for joint in self._model.supports[self._model.frames[frame].parentJoint]:
            if joint in self._column:
                signs[self._column[joint]] = 1.0
        return signs

    def frame_distance_bounds(self, frame: int) -> np.ndarray:
        """(n,) m/rad: the most by which each joint moves the frame's origin, in any pose."""
        model = self._model
        chain = [j for j in model.supports[model.frames[frame].parentJoint] if j in self._column]
        end = float(np.linalg.norm(model.frames[frame].placement.translation))
        bounds = np.zeros(self._robot.n)
        for k, joint in enumerate(chain):
            prismatic = model.joints[joint].shortname().startswith('JointModelP')
            bounds[self._column[joint]] = 1.0 if prismatic else self._chain(chain[k + 1 :]) + end
        return bounds

    def com_distance_bounds(self) -> np.ndarray:
        """(n,) m/rad: the most by which each joint moves the centre of mass, in any pose."""
        model = self._model
        bounds = np.zeros(self._robot.n)
        for body in range(1, len(model.joints)):
            inertia = model.inertias[body]
            chain = [joint for joint in model.supports[body] if joint in self._column]
            end = float(np.linalg.norm(inertia.lever))
            for k, joint in enumerate(chain):
                prismatic = model.joints[joint].shortname().startswith('JointModelP')
                bound = 1.0 if prismatic else self._chain(chain[k + 1 :]) + end
                bounds[self._column[joint]] += inertia.mass * bound
        return bounds / sum(inertia.mass for inertia in model.inertias)

    def frame(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """(rotation (3, 3), translation (3,)) of a frame, after `place`."""
        placement = pinocchio.updateFramePlacement(self._model, self._data, frame)
        return placement.rotation, placement.translation

    @property
    def com(self) -> np.ndarray:
        """(3,) m, after `place` with mass."""
        return self._data.com[0]

    def com_rows(self, directions: np.ndarray) -> np.ndarray:
        """(k, n): derivatives of the centre of mass along (k, 3) directions, after `place` with
        mass."""
        return (directions @ self._data.Jcom).take(self.columns, axis=1)


def wrench(result: object) -> Wrench:
    """w with w·(twist of the second shape relative to the first) = rate of their distance.

    n is the direction from the first to the second and x a nearest point; the twist is that of the
    point at the base's origin: w = (n, x × n).
    """
    nx, ny, nz = result.normal.tolist()
    x, y, z = result.getNearestPoint1().tolist()
    return nx, ny, nz, y * nz - z * ny, z * nx - x * nz, x * ny - y * nx


def box_corners(shape: pinocchio.GeometryObject) -> list[np.ndarray]:
    """The 8 corners of a shape's own bounding box, in the frame of its joint, m."""
    shape.geometry.computeLocalAABB()
    box = shape.geometry.aabb_local
    low, high = np.array(box.min_), np.array(box.max_)
    return [shape.placement.act(np.where(corner, high, low)) for corner in np.ndindex(2, 2, 2)]


def _radius(shape: pinocchio.GeometryObject) -> float:
    """Upper bound of the distance of a shape's points from its joint's origin, m."""
    return float(max(np.linalg.norm(corner) for corner in box_corners(shape)))


def _reach(shape: object) -> float:
    """Upper bound of the distance of a Coal shape's points from its own origin, m."""
    shape.computeLocalAABB()
    box = shape.aabb_local
    return float(np.linalg.norm(np.maximum(np.abs(box.min_), np.abs(box.max_))))
