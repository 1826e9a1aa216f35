# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Physics: the robot at its table, stepped by MuJoCo, with the sensors of a real robot."""

import math
from dataclasses import dataclass

import mujoco
import numpy as np

from vla_robot import Reading, RobotModel
from vla_sim.mujoco_model import FREE_JOINT, build
from vla_sim.scene import Scene
from vla_sim.sensors import SensorNoise, Sensors

_SENSORS = int(mujoco.mjtDisableBit.mjDSBL_SENSOR)
FALLEN_TILT = 1.0  # rad of the base from upright
FALLEN_HEIGHT = 0.6  # of the base's standing height


@dataclass(frozen=True)
class Contact:
    """Two touching bodies (links, cubes, `table`, `world` for the floor) and their normal force."""

    first: str
    second: str
    force: float  # N
    position: tuple[float, float, float]


@dataclass
class _Push:
    body: int
    force: np.ndarray
    steps_left: int


class World:
    """One simulated world. Not thread-safe.

    Args:
        timestep: s per physics step.
        seed: of sensor noise and start jitter; the same seed and calls give the same numbers.
        sensor_noise: none by default.
        sensor_delay: s; readings are that old (rounded to whole steps).
    """

    def __init__(
        self,
        robot: RobotModel,
        scene: Scene | None = None,
        timestep: float = 0.001,
        seed: int = 0,
        sensor_noise: SensorNoise | None = None,
        sensor_delay: float = 0.0,
    ) -> None:
        self.robot = robot
        self.scene = scene if scene is not None else Scene.default()
        self.model = build(robot, self.scene, timestep=timestep)
        self.data = mujoco.MjData(self.model)
        self._option = self.model.opt
        self.timestep = timestep
        self._seed = seed
        self._random = np.random.default_rng(seed)
        joint_ids = [self.model.joint(name).id for name in robot.joint_names]
        self._q_address = self.model.jnt_qposadr[joint_ids]
        self._free_base = bool(robot.foot_boxes)
        self._base_body = self.model.body(robot.frames['base']).id
        self._base_address = int(self.model.joint(FREE_JOINT).qposadr[0]) if self._free_base else -1
        self._kp, self._kv = robot.servo.kp.copy(), robot.servo.kv.copy()
        self._sensors = Sensors(self.model, robot, sensor_noise, round(sensor_delay / timestep))
        self._zeros = np.zeros(robot.n)
        self._command = (robot.poses['standing'].copy(), *np.zeros((2, robot.n)))
        self._pushes: list[_Push] = []
        self._standing_height = self._base_height(robot.poses['standing'])
        self.reset()

    # -- running ---------------------------------------------------------------------------

    def reset(self, pose: str | np.ndarray = 'standing') -> None:
        """Return to time 0: the robot in a pose (by name, or (n,) rad), its soles on the floor.

        Random numbers restart too, so that two runs after a reset are the same. The command is to
        hold the start position with the robot's own gains.

        Raises KeyError: no such pose.
        """
        self._random = np.random.default_rng(self._seed)
        position = np.array(self.robot.poses[pose] if isinstance(pose, str) else pose, dtype=float)
        self._check(position)
        jitter = self.scene.start_jitter
        if jitter > 0:
            upper = self.robot.groups['upper_body']
            position[upper] += self._random.uniform(-jitter, jitter, len(upper))
            np.clip(position, self.robot.limits.lower, self.robot.limits.upper, out=position)
        mujoco.mj_resetData(self.model, self.data)
        self._pushes.clear()
        self.data.qpos[self._q_address] = position
        if self._free_base:
            base = self.data.qpos[self._base_address : self._base_address + 7]
            base[:] = (0.0, 0.0, self._base_height(position), 1.0, 0.0, 0.0, 0.0)
        self.set_gains(self.robot.servo.kp, self.robot.servo.kv)
        self.command(position)
        self._forward()

    def step(self, n: int = 1) -> None:
        """Advance by n timesteps."""
        while n > 0:
            count = n
            for push in self._pushes:
                count = min(count, push.steps_left)
            if self._sensors.delayed:
                count = 1
            self._advance(count)
            n -= count
            self._sensors.record(self.data)
            if self._pushes:
                self._advance_pushes(count)

    def _advance(self, steps: int) -> None:
        if steps > 1:
            # Sensors are read after the last step only; they are a tenth of a step's cost.
            self._option.disableflags |= _SENSORS
            mujoco.mj_step(self.model, self.data, nstep=steps - 1)
            self._option.disableflags &= ~_SENSORS
        mujoco.mj_step(self.model, self.data)

    @property
    def time(self) -> float:
        """s since reset."""
        return self.data.time

    # -- commands --------------------------------------------------------------------------

    def command(
        self,
        position: np.ndarray,
        velocity: np.ndarray | None = None,
        effort: np.ndarray | None = None,
    ) -> None:
        """Set the servos' targets, (n,) each in robot order: rad, rad/s, feed-forward Nm.

        torque = kp (position - q) + kv (velocity - v) + effort, clipped to the URDF's effort.

        Raises ValueError: a wrong shape or a value that is not finite; the old command stays.
        """
        given = tuple(
            self._zeros if value is None else np.asarray(value, dtype=float)
            for value in (position, velocity, effort)
        )
        for value in given:
            self._check(value)
        for kept, value in zip(self._command, given, strict=True):
            kept[:] = value
        self._write_control()

    def set_gains(self, kp: np.ndarray, kv: np.ndarray) -> None:
        """Servo gains, (n,) each or scalars: kp = 0 damps, both 0 is off (passive).

        Raises ValueError: negative or not finite.
        """
        n = self.robot.n
        kp = np.array(np.broadcast_to(np.asarray(kp, dtype=float), (n,)))
        kv = np.array(np.broadcast_to(np.asarray(kv, dtype=float), (n,)))
        for gain in (kp, kv):
            if not (np.isfinite(gain).all() and (gain >= 0).all()):
                raise ValueError(f'gains {gain}, wanted finite numbers of at least 0')
        self._kp, self._kv = kp, kv
        self.model.actuator_biasprm[:, 1] = -kp
        self.model.actuator_biasprm[:, 2] = -kv
        self._write_control()

    def push(self, force: np.ndarray, duration: float, link: str) -> None:
        """Push a URDF link at its centre of mass from now on: (3,) N in the world frame.

        Raises ValueError: force or duration is not finite, or the link does not exist.
        """
        force = np.array(force, dtype=float)
        if force.shape != (3,) or not np.isfinite(force).all() or not 0 < duration < np.inf:
            raise ValueError(f'force {force} N for {duration} s, wanted three finite numbers')
        body = mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_BODY, link)
        if body < 0:
            raise ValueError(f'link {link}, wanted a link of {self.robot.name}')
        self._pushes.append(_Push(body, force, max(1, round(duration / self.timestep))))
        self._apply_pushes()

    # -- sensors ---------------------------------------------------------------------------

    def read(self) -> Reading:
        """The sensors' values now (or `sensor_delay` ago), with noise; new arrays.

        MuJoCo's sensors are of the state before the last step.
        """
        return self._sensors.read(self.data, self._random)

    # -- ground truth ----------------------------------------------------------------------

    @property
    def qpos(self) -> np.ndarray:
        """MuJoCo's generalised positions (a copy): base, joints in URDF order, cubes."""
        return self.data.qpos.copy()

    @property
    def qvel(self) -> np.ndarray:
        """MuJoCo's generalised velocities (a copy); a base's are linear in world axes, then
        angular in its own."""
        return self.data.qvel.copy()

    def set_state(self, qpos: np.ndarray, qvel: np.ndarray | None = None) -> None:
        """Set the state of the world; time continues.

        Raises ValueError: a wrong shape, or not finite.
        """
        qpos = np.asarray(qpos, dtype=float)
        qvel = np.zeros(self.model.nv) if qvel is None else np.asarray(qvel, dtype=float)
        for value, size in ((qpos, self.model.nq), (qvel, self.model.nv)):
            if value.shape != (size,) or not np.isfinite(value).all():
                raise ValueError(f'shape {value.shape}, wanted ({size},) finite numbers')
        self.data.qpos[:] = qpos
        self.data.qvel[:] = qvel
        self._forward()

    @property
    def joint_position(self) -> np.ndarray:
        """(n,) true joint positions, robot order."""
        return self.data.qpos[self._q_address]

    def cube_position(self, name: str) -> np.ndarray:
        """(3,) centre of a cube. Raises KeyError: no such cube."""
        return self.data.qpos[self._cube_address(name) :][:3].copy()

    def set_cube_position(self, name: str, position: np.ndarray) -> None:
        """Move a cube; it is at rest and upright. Raises KeyError: no such cube."""
        address = self._cube_address(name)
        self.data.qpos[address : address + 7] = (*position, 1.0, 0.0, 0.0, 0.0)
        joint = self.model.joint(name)
        self.data.qvel[int(joint.dofadr[0]) :][:6] = 0.0
        self._forward()

    def frame_pose(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """(R (3, 3), p (3,)) of a frame of robot.yaml in the world.

        Raises KeyError: no such frame.
        """
        if name not in self.robot.frames:
            raise KeyError(name)
        mujoco.mj_kinematics(self.model, self.data)  # after mj_step they lag qpos by a step
        site = self.data.site(name)
        return site.xmat.reshape(3, 3).copy(), site.xpos.copy()

    @property
    def fallen(self) -> bool:
        """The base leans by more than 1 rad or is below 0.6 of its standing height."""
        if not self._free_base:
            return False
        x, y = self.data.qpos[self._base_address + 4 : self._base_address + 6]
        upright = 1.0 - 2.0 * (x * x + y * y)  # cosine of the tilt
        height = self.data.qpos[self._base_address + 2]
        standing = upright > np.cos(FALLEN_TILT) and height > FALLEN_HEIGHT * self._standing_height
        return not standing

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """All contacts with their force at the last step, except those of sleeping bodies (a cube
        at rest on the table, until something moves it)."""
        found = []
        wrench = np.zeros(6)
        for i in range(self.data.ncon):
            contact = self.data.contact[i]
            mujoco.mj_contactForce(self.model, self.data, i, wrench)
            first, second = (self.model.body(self.model.geom_bodyid[g]).name for g in contact.geom)
            found.append(Contact(first, second, float(wrench[0]), tuple(contact.pos.tolist())))
        return tuple(found)

    # -- inside ----------------------------------------------------------------------------

    def _cube_address(self, name: str) -> int:
        self.scene.cube(name)
        return int(self.model.joint(name).qposadr[0])

    def _check(self, value: np.ndarray) -> None:
        if value.shape != (self.robot.n,):
            raise ValueError(f'shape {value.shape}, wanted ({self.robot.n},)')
        # A sum of squares is finite only if every term is (below 1e154): a third of the time.
        if not math.isfinite(value @ value) and not np.isfinite(value).all():
            bad = int(np.flatnonzero(~np.isfinite(value))[0])
            raise ValueError(f'{self.robot.joint_names[bad]}: {value[bad]}, wanted a finite number')

    def _write_control(self) -> None:
        position, velocity, effort = self._command
        self.data.ctrl[:] = self._kp * position + self._kv * velocity + effort

    def _base_height(self, position: np.ndarray) -> float:
        """Height at which the lowest corner of a sole is on the floor, the base upright."""
        if not self._free_base:
            return 0.0
        kinematics = self.robot.kinematics()
        kinematics.update(position)
        lowest = np.inf
        for foot, box in self.robot.foot_boxes.items():
            rotation, origin = kinematics.frame(foot)
            lowest = min(lowest, float((origin + box.corners @ rotation.T)[:, 2].min()))
        return -lowest

    def _forward(self) -> None:
        mujoco.mj_forward(self.model, self.data)
        self._sensors.restart(self.data)

    def _apply_pushes(self) -> None:
        self.data.xfrc_applied[:] = 0.0
        for push in self._pushes:
            self.data.xfrc_applied[push.body, :3] += push.force

    def _advance_pushes(self, steps: int) -> None:
        for push in self._pushes:
            push.steps_left -= steps
        self._pushes = [push for push in self._pushes if push.steps_left > 0]
        self._apply_pushes()
