# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Independent oracle for self-collision: MuJoCo's distances and physics, straight from the URDF.

Shared with the filter are only the text of the URDF and the list of links that may touch; parser,
kinematics and distances are others (they agree with Coal's to 5·10⁻¹¹ m).
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

import mujoco
import numpy as np

FAR = (100.0, 0.0, 0.0)

SEEN = 0.05
"""m; larger distances are not computed."""

STEP = 0.002
"""s of physics."""


class MujocoOracle:
    """The robot with its base held, without contacts: shapes pass through each other, so that a
    collision shows with its depth.

    Args:
        robot: a vla_robot RobotModel.
        boxes: number of solid boxes beside it, each a point far away until `set_box`.
        links: whose distance to the boxes counts.
        hands: frames that carry a box, each a point at the frame until `carry`.
    """

    def __init__(
        self, robot: object, boxes: int = 0, links: Sequence[str] = (), hands: Sequence[str] = ()
    ) -> None:
        self._robot = robot
        root = ElementTree.fromstring(robot.urdf_text.encode())
        for own in root.findall('mujoco'):
            root.remove(own)
        compiler = ElementTree.SubElement(ElementTree.SubElement(root, 'mujoco'), 'compiler')
        compiler.attrib.update(
            discardvisual='true', fusestatic='false', strippath='false', balanceinertia='false'
        )
        spec = mujoco.MjSpec.from_string(ElementTree.tostring(root, encoding='unicode'))
        spec.option.timestep = STEP
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONTACT
        for i, name in enumerate(robot.joint_names):
            joint = spec.joint(name)
            joint.armature = robot.simulation.armature[i]
            joint.damping[0] = robot.simulation.joint_damping[i]
            actuator = spec.add_actuator(name=name, target=name)
            actuator.trntype = mujoco.mjtTrn.mjTRN_JOINT
            actuator.gaintype = mujoco.mjtGain.mjGAIN_FIXED
            actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
            actuator.gainprm[0] = 1.0
            actuator.biasprm[1] = -robot.servo.kp[i]
            actuator.biasprm[2] = -robot.servo.kv[i]
            actuator.forcelimited = True
            actuator.forcerange = (-robot.limits.effort[i], robot.limits.effort[i])
        for k in range(boxes):
            body = spec.worldbody.add_body(name=f'box_{k}', pos=FAR)
            body.add_geom(name=f'box_{k}', type=mujoco.mjtGeom.mjGEOM_BOX, size=[1e-3] * 3)
        for hand in hands:
            geom = spec.body(robot.frames[hand]).add_geom(
                name=f'in {hand}', type=mujoco.mjtGeom.mjGEOM_BOX, size=[1e-3] * 3
            )
            geom.mass = 0.0
        self.model = model = spec.compile()
        self.data = mujoco.MjData(model)
        self._q = np.array([model.joint(name).qposadr[0] for name in robot.joint_names])
        self._v = np.array([model.joint(name).dofadr[0] for name in robot.joint_names])
        self._act = np.array([model.actuator(name).id for name in robot.joint_names])
        by_body: dict[str, list[int]] = {}
        for geom in range(model.ngeom):
            own = not model.geom(geom).name.startswith('in ')
            if own and (model.geom_contype[geom] or model.geom_conaffinity[geom]):
                by_body.setdefault(model.body(model.geom_bodyid[geom]).name, []).append(geom)
        self._pairs = [
            (one, other, f'{a}-{b}')
            for a, b in robot.collision_pairs
            for one in by_body[a]
            for other in by_body[b]
        ]

        self._pairs += [
            (model.geom(f'box_{k}').id, geom, f'box_{k}-{link}')
            for k in range(boxes)
            for link in links
            for geom in by_body[link]
        ]
        self._held: dict[str, list[tuple[int, int, str]]] = {}
        for k, hand in enumerate(hands):
            own = model.body(robot.frames[hand]).id
            arm = int(model.body_weldid[own])
            one, name = model.geom(f'in {hand}').id, f'object in {hand}'
            others = [
                (geom, body)
                for body, geoms in by_body.items()
                for geom in geoms
                if model.body_weldid[model.geom_bodyid[geom]] != arm
            ]
            others += [(model.geom(f'in {other}').id, f'in {other}') for other in hands[:k]]
            self._held[hand] = [(one, geom, f'{name}-{body}') for geom, body in others]
        self._carried: set[str] = set()

    def set_box(
        self, box: int, size: np.ndarray, position: np.ndarray, wxyz: Sequence[float] = ()
    ) -> None:
        """Edges and centre (3,) m in the base's frame, orientation."""
        self._resize(self.model.geom(f'box_{box}').id, size)
        body = self.model.body(f'box_{box}').id
        self.model.body_pos[body] = position
        if len(wxyz):
            self.model.body_quat[body] = wxyz

    def _resize(self, geom: int, size: np.ndarray) -> None:
        self.model.geom_size[geom] = np.asarray(size) / 2
        self.model.geom_rbound[geom] = np.linalg.norm(size) / 2
        self.model.geom_aabb[geom] = (0.0, 0.0, 0.0, *(np.asarray(size) / 2))

    def carry(self, hand: str, size: np.ndarray, position: np.ndarray) -> None:
        """A box in a hand: edges, centre (3,) m in the hand's frame. It counts against everything
        but that hand."""
        geom = self.model.geom(f'in {hand}').id
        self._resize(geom, size)
        self.model.geom_pos[geom] = position
        # Compiled at its body's origin, MuJoCo would place it there whatever geom_pos says.
        self.model.geom_sameframe[geom] = mujoco.mjtSameFrame.mjSAMEFRAME_NONE
        self._carried.add(hand)

    def release(self, hand: str) -> None:
        """Nothing is in the hand."""
        self._carried.discard(hand)

    def all_pairs(self) -> list[tuple[int, int, str]]:
        """The pairs that count now: geoms and name."""
        held = [p for hand in self._held if hand in self._carried for p in self._held[hand]]
        away = {f'in {hand}' for hand in self._held if hand not in self._carried}
        return self._pairs + [p for p in held if p[2].partition('-')[2] not in away]

    def distance(self, pair: tuple[int, int, str], most: float = SEEN) -> float:
        """m of one pair, at most `most`."""
        return mujoco.mj_geomDistance(self.model, self.data, pair[0], pair[1], most, None)

    def place(self, q: np.ndarray) -> None:
        """Put the joints at `q` (n,), at rest."""
        self.data.qpos[self._q] = q
        self.data.qvel[:] = 0.0
        mujoco.mj_kinematics(self.model, self.data)

    def nearest(self, only: str = '') -> tuple[float, str]:
        """Smallest distance of all pairs (m, at most SEEN) and which pair it is. only: of pairs
        whose name begins with it."""
        best, which = SEEN, ''
        for one, other, name in self._pairs:
            if not name.startswith(only):
                continue
            distance = mujoco.mj_geomDistance(self.model, self.data, one, other, best, None)
            if distance < best:
                best, which = distance, name
        return best, which

    def follow(
        self, position: np.ndarray, velocity: np.ndarray, effort: np.ndarray, duration: float
    ) -> None:
        """Let the servos track a command for `duration` s."""
        servo = self._robot.servo
        self.data.ctrl[self._act] = servo.kp * position + servo.kv * velocity + effort
        mujoco.mj_step(self.model, self.data, max(1, round(duration / STEP)))
        mujoco.mj_kinematics(self.model, self.data)

    @property
    def measured(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions and velocities (n,) of the joints."""
        return self.data.qpos[self._q].copy(), self.data.qvel[self._v].copy()
