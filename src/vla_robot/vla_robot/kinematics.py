# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Forward kinematics, centre of mass, gravity torques and self-collision distances (Pinocchio)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pinocchio

from vla_robot.pinocchio_model import add_point_masses, link_id

if TYPE_CHECKING:
    from vla_robot.robot_model import RobotModel

FREE_FLYER_Q, FREE_FLYER_V = 7, 6


class Kinematics:
    """Calculator with buffers of its own: not thread-safe, one per thread.

    Joint arrays are in robot order; Pinocchio's order is a permutation computed once. The base is
    a free-flyer: without `base_rotation` and `base_position` its frame is the world. Positions
    in m, world frame; Jacobians are with respect to the joints (fixed base).
    """

    def __init__(self, robot: RobotModel) -> None:
        self.robot = robot
        self._model = robot.pinocchio_model
        self._data = self._model.createData()
        ids = [self._model.getJointId(name) for name in robot.joint_names]
        self._to_q = np.array([self._model.idx_qs[i] for i in ids], dtype=int)
        self._to_v = np.array([self._model.idx_vs[i] for i in ids], dtype=int)
        self._q = pinocchio.neutral(self._model)
        self._v = np.zeros(self._model.nv)
        self._gravity_q = pinocchio.neutral(self._model)
        self._gravity_model = self._model
        self._gravity_data = self._model.createData()
        self._frames: dict[str, int] = {
            name: link_id(self._model, link) for name, link in robot.frames.items()
        }
        self._upper_body = robot.groups['upper_body']
        self._upper_body_v = self._to_v[self._upper_body]
        self._jacobians_current = False
        self._com_jacobian_current = False

        # A copy: distance requests and active pairs are state of the geometry model.
        self._geometry = robot.pinocchio_geometry.copy()
        self._distance_data: pinocchio.GeometryData | None = None
        self._pair_links: list[int] = []

    # -- state -----------------------------------------------------------------------------

    def update(
        self,
        q: np.ndarray,
        v: np.ndarray | None = None,
        base_rotation: np.ndarray | None = None,
        base_position: np.ndarray | None = None,
    ) -> None:
        """Set the state for all other calls.

        Args:
            q: (n,) joint positions, rad.
            v: (n,) joint velocities, rad/s; the base's velocity is 0.
            base_rotation: (3, 3), base to world.
            base_position: (3,), of the base in the world.

        Raises ValueError: q or v has another shape than (n,).
        """
        self._fill(self._q, q, base_rotation, base_position)
        self._v[:] = 0.0
        if v is not None:
            if np.shape(v) != (self.robot.n,):
                raise ValueError(f'v has shape {np.shape(v)}, wanted ({self.robot.n},)')
            self._v[self._to_v] = v
        pinocchio.centerOfMass(self._model, self._data, self._q, self._v, False)
        pinocchio.updateFramePlacements(self._model, self._data)
        self._jacobians_current = False
        self._com_jacobian_current = False

    def _fill(
        self,
        out: np.ndarray,
        q: np.ndarray,
        base_rotation: np.ndarray | None,
        base_position: np.ndarray | None,
    ) -> None:
        if np.shape(q) != (self.robot.n,):
            raise ValueError(f'q has shape {np.shape(q)}, wanted ({self.robot.n},)')
        out[:FREE_FLYER_Q] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
        if base_rotation is not None:
            # In Fortran order: of any other, eigenpy makes a copy that it never frees (80 bytes).
            rotation = np.array(base_rotation, dtype=float, order='F')
            out[3:7] = pinocchio.Quaternion(rotation).coeffs()
        if base_position is not None:
            out[:3] = base_position
        out[self._to_q] = q

    # -- frames ----------------------------------------------------------------------------

    def frame_id(self, name: str) -> int:
        """Pinocchio's index of a frame of robot.yaml, or of any URDF link.

        Raises KeyError: neither.
        """
        found = self._frames.get(name)
        if found is None:
            found = self._frames[name] = link_id(self._model, name)
        return found

    def frame(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """(R (3, 3) frame to world, p (3,)), copies."""
        placement = self._data.oMf[self.frame_id(name)]
        return placement.rotation.copy(), placement.translation.copy()

    def frame_jacobian(self, name: str) -> np.ndarray:
        """(6, n): linear velocity of the frame's origin, then angular velocity, world axes."""
        if not self._jacobians_current:
            pinocchio.computeJointJacobians(self._model, self._data, self._q)
            self._jacobians_current = True
        full = pinocchio.getFrameJacobian(
            self._model,
            self._data,
            self.frame_id(name),
            pinocchio.ReferenceFrame.LOCAL_WORLD_ALIGNED,
        )
        return full[:, self._to_v]

    def frame_velocity(self, name: str) -> np.ndarray:
        """(6,): `frame_jacobian` times the v of `update`, in a fraction of the time."""
        return pinocchio.getFrameVelocity(
            self._model,
            self._data,
            self.frame_id(name),
            pinocchio.ReferenceFrame.LOCAL_WORLD_ALIGNED,
        ).vector

    # -- mass ------------------------------------------------------------------------------

    @property
    def com(self) -> np.ndarray:
        """(3,) centre of mass, world."""
        return self._data.com[0].copy()

    @property
    def com_velocity(self) -> np.ndarray:
        """(3,) m/s, with a fixed base."""
        return self._data.vcom[0].copy()

    @property
    def com_jacobian(self) -> np.ndarray:
        """(3, n)."""
        if not self._com_jacobian_current:
            pinocchio.jacobianCenterOfMass(self._model, self._data, self._q, False)
            self._com_jacobian_current = True
            self._jacobians_current = True
        return self._data.Jcom[:, self._to_v]

    def gravity_torque(self, q: np.ndarray, base_rotation: np.ndarray | None = None) -> np.ndarray:
        """(n,) Nm that hold the upper body against gravity; the legs' entries are zero.

        A standing leg carries the robot through its contact, which is not modelled here.
        Independent of `update`.
        """
        self._fill(self._gravity_q, q, base_rotation, None)
        full = pinocchio.computeGeneralizedGravity(
            self._gravity_model, self._gravity_data, self._gravity_q
        )
        torque = np.zeros(self.robot.n)
        torque[self._upper_body] = full[self._upper_body_v]
        return torque

    def set_payload(self, loads: Iterable[tuple[str, float, np.ndarray]]) -> None:
        """Add point masses (frame, kg, (3,) m in the frame) to `gravity_torque`, in place of those
        that were added before."""
        if self._gravity_model is self._model:
            self._gravity_model = self._model.copy()
        add_point_masses(self._gravity_model, self.robot, loads)

    # -- self-collision --------------------------------------------------------------------

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The pairs of links that `distances` measures, in its order."""
        return self.robot.collision_pairs

    def distances(self) -> np.ndarray:
        """(len(pairs),) m between the links of each pair, negative where they overlap."""
        data = self._distances_of_geometry()
        smallest = np.full(len(self.pairs), np.inf)
        for k, pair in enumerate(self._pair_links):
            distance = data.distanceResults[k].min_distance
            if distance < smallest[pair]:
                smallest[pair] = distance
        return smallest

    def witness(self, pair: int) -> tuple[np.ndarray, np.ndarray]:
        """Nearest points ((3,), (3,)), world, of a pair, after `distances`."""
        result = self._nearest_result(pair)
        return np.array(result.getNearestPoint1()), np.array(result.getNearestPoint2())

    def distance_gradient(self, pair: int) -> np.ndarray:
        """(n,) m/rad: derivative of the distance of a pair by each joint, after `distances`.

        d' = n . (v_b - v_a), with n from link a's witness point to link b's (for a pair that
        overlaps, the direction in which it separates).
        """
        result = self._nearest_result(pair)
        first, second = self.pairs[pair]
        on_first, on_second = self.witness(pair)
        between = on_second - on_first
        length = np.linalg.norm(between)
        if length > 1e-9:
            normal = between / length * (1.0 if result.min_distance > 0 else -1.0)
        else:
            normal = np.array(result.normal)
        return normal @ (
            self._point_jacobian(second, on_second) - self._point_jacobian(first, on_first)
        )

    def _point_jacobian(self, link: str, point: np.ndarray) -> np.ndarray:
        jacobian = self.frame_jacobian(link)
        arm = point - self._data.oMf[self.frame_id(link)].translation
        # v_point = v + w x arm
        return jacobian[:3] - pinocchio.skew(arm) @ jacobian[3:]

    def _nearest_result(self, pair: int):
        if self._distance_data is None:
            raise RuntimeError('distances() was not called')
        results = self._distance_data.distanceResults
        candidates = [k for k, p in enumerate(self._pair_links) if p == pair]
        return results[min(candidates, key=lambda k: results[k].min_distance)]

    def _distances_of_geometry(self) -> pinocchio.GeometryData:
        if self._distance_data is None:
            objects: dict[str, list[int]] = {}
            for k, obj in enumerate(self._geometry.geometryObjects):
                link = self._model.frames[obj.parentFrame].name
                objects.setdefault(link, []).append(k)
            self._geometry.removeAllCollisionPairs()
            for number, (first, second) in enumerate(self.pairs):
                for a in objects[first]:
                    for b in objects[second]:
                        self._geometry.addCollisionPair(pinocchio.CollisionPair(a, b))
                        self._pair_links.append(number)
            self._distance_data = pinocchio.GeometryData(self._geometry)
        pinocchio.updateGeometryPlacements(
            self._model, self._data, self._geometry, self._distance_data
        )
        pinocchio.computeDistances(self._geometry, self._distance_data)
        return self._distance_data
