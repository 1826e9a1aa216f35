# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Physics: the robot at its table, stepped by MuJoCo, with sensors as a real robot has them."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import mujoco
import numpy as np

from vla_robot import Reading, RobotModel
from vla_sim.mujoco_model import FREE_JOINT, build
from vla_sim.scene import Scene

_SENSORS = int(mujoco.mjtDisableBit.mjDSBL_SENSOR)
FALLEN_TILT = 1.0  # rad of the base from upright
FALLEN_HEIGHT = 0.6  # of the base's height when it stands


@dataclass(frozen=True)
class SensorNoise:
    """Standard deviations, white: rad, rad/s, Nm, rad, rad/s, m/s^2, N, Nm."""

    position: float = 0.0
    velocity: float = 0.0
    effort: float = 0.0
    orientation: float = 0.0
    angular_velocity: float = 0.0
    linear_acceleration: float = 0.0
    force: float = 0.0
    torque: float = 0.0

    @classmethod
    def typical(cls) -> SensorNoise:
        """About what good encoders, a MEMS IMU and strain-gauge feet have."""
        return cls(
            position=2e-4,
            velocity=5e-3,
            effort=0.1,
            orientation=1e-3,
            angular_velocity=5e-3,
            linear_acceleration=0.05,
            force=1.0,
            torque=0.05,
        )


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
        seed: of the sensor noise and the start jitter; the same seed and the same calls give
            the same numbers.
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
        self._noise = sensor_noise
        self._seed = seed
        self._random = np.random.default_rng(seed)
        n = robot.n
        joint_ids = [self.model.joint(name).id for name in robot.joint_names]
        self._q_address = self.model.jnt_qposadr[joint_ids]
        self._free_base = bool(robot.foot_boxes)
        self._base_body = self.model.body(robot.frames['base']).id
        self._base_address = int(self.model.joint(FREE_JOINT).qposadr[0]) if self._free_base else -1
        # Sensors were added in this order: positions, velocities, efforts, then the rest.
        self._positions, self._velocities, self._efforts = (
            slice(k * n, (k + 1) * n) for k in range(3)
        )
        self._orientation = self._sensor('orientation')
        self._angular_velocity = self._sensor('angular_velocity')
        self._linear_acceleration = self._sensor('linear_acceleration')
        self._wrenches = [
            slice(self._sensor(f'{foot}/force').start, self._sensor(f'{foot}/torque').stop)
            for foot in (('left_foot', 'right_foot') if self._free_base else ())
        ]
        self._kp, self._kv = robot.servo.kp.copy(), robot.servo.kv.copy()
        self._zeros = np.zeros(n)
        self._command = (robot.poses['standing'].copy(), np.zeros(n), np.zeros(n))
        self._pushes: list[_Push] = []
        delay_steps = round(sensor_delay / timestep)
        self._history: deque[np.ndarray] | None = (
            deque(maxlen=delay_steps + 1) if delay_steps else None
        )
        self._standing_height = self._base_height(robot.poses['standing'])
        self.reset()

    # -- running ---------------------------------------------------------------------------

    def reset(self, pose: str | np.ndarray = 'standing') -> None:
        """Back to time 0: the robot in a pose (by name, or (n,) rad), its soles on the floor.

        The random numbers start again too, so that two runs after a reset are the same. Commands
        are to hold the start position with the robot's own gains.

        Raises:
            KeyError: no such pose.
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
            if self._history is not None:
                count = 1
            self._advance(count)
            n -= count
            if self._history is not None:
                self._history.append(self.data.sensordata.copy())
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

        Raises:
            ValueError: a wrong shape or a value that is not finite; the old command stays.
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
        """Servo gains, (n,) each or scalars: kp = 0 damps, both 0 is off (limp).

        Raises:
            ValueError: negative or not finite.
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
        """Push a URDF link at its centre of mass: (3,) N in the world frame, from now on.

        Raises:
            ValueError: force or duration is not finite, or the link does not exist.
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
        """What the sensors say now (or `sensor_delay` ago), with noise; fresh arrays.

        MuJoCo's sensors are of the state before the last step.
        """
        values = (self._history[0] if self._history else self.data.sensordata).copy()
        if self._noise is not None:
            self._disturb(values, self._noise)
        for foot in self._wrenches:
            # MuJoCo reads what the ankle exerts on the sole; the massless sole passes the ground's
            # wrench on, so the ground's is the opposite.
            np.negative(values[foot], out=values[foot])
        left, right = self._wrenches or (None, None)
        return Reading(
            position=values[self._positions],
            velocity=values[self._velocities],
            effort=values[self._efforts],
            orientation=values[self._orientation],
            angular_velocity=values[self._angular_velocity],
            linear_acceleration=values[self._linear_acceleration],
            left_wrench=np.zeros(6) if left is None else values[left],
            right_wrench=np.zeros(6) if right is None else values[right],
        )

    def _disturb(self, values: np.ndarray, noise: SensorNoise) -> None:
        for where, deviation in (
            (self._positions, noise.position),
            (self._velocities, noise.velocity),
            (self._efforts, noise.effort),
            (self._angular_velocity, noise.angular_velocity),
            (self._linear_acceleration, noise.linear_acceleration),
            *(
                (slice(wrench.start + half, wrench.start + half + 3), deviation)
                for wrench in self._wrenches
                for half, deviation in ((0, noise.force), (3, noise.torque))
            ),
        ):
            if deviation > 0.0:
                part = values[where]
                part += deviation * self._random.standard_normal(len(part))
        if noise.orientation > 0.0:
            error = noise.orientation * self._random.standard_normal(3)
            mujoco.mju_quatIntegrate(values[self._orientation], error, 1.0)

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
        """Put the world into a state; time goes on.

        Raises:
            ValueError: a wrong shape, or not finite.
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
        """(3,) centre of a cube.

        Raises:
            KeyError: no such cube.
        """
        return self.data.qpos[self._cube_address(name) :][:3].copy()

    def set_cube_position(self, name: str, position: np.ndarray) -> None:
        """Put a cube somewhere else, at rest and upright.

        Raises:
            KeyError: no such cube.
        """
        address = self._cube_address(name)
        self.data.qpos[address : address + 7] = (*position, 1.0, 0.0, 0.0, 0.0)
        joint = self.model.joint(name)
        self.data.qvel[int(joint.dofadr[0]) :][:6] = 0.0
        self._forward()

    def frame_pose(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """(R (3, 3), p (3,)) of a frame of robot.yaml in the world.

        Raises:
            KeyError: no such frame.
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
        """Everything that touches, with its force at the last step; not what sleeps (a cube that
        rests on the table costs nothing until something moves it)."""
        found = []
        wrench = np.zeros(6)
        for i in range(self.data.ncon):
            contact = self.data.contact[i]
            mujoco.mj_contactForce(self.model, self.data, i, wrench)
            first, second = (self.model.body(self.model.geom_bodyid[g]).name for g in contact.geom)
            found.append(Contact(first, second, float(wrench[0]), tuple(contact.pos.tolist())))
        return tuple(found)

    # -- inside ----------------------------------------------------------------------------

    def _sensor(self, name: str) -> slice:
        """Where a sensor's values are."""
        sensor = self.model.sensor(name)
        start = int(sensor.adr[0])
        return slice(start, start + int(sensor.dim[0]))

    def _cube_address(self, name: str) -> int:
        self.scene.cube(name)
        return int(self.model.joint(name).qposadr[0])

    def _check(self, value: np.ndarray) -> None:
        if value.shape != (self.robot.n,):
            raise ValueError(f'shape {value.shape}, wanted ({self.robot.n},)')
        # A sum of squares is finite only if every term is (or one is beyond 1e154): the usual case
        # in a third of the time.
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
        if self._history is not None:
            self._history.clear()
            self._history.append(self.data.sensordata.copy())

    def _apply_pushes(self) -> None:
        self.data.xfrc_applied[:] = 0.0
        for push in self._pushes:
            self.data.xfrc_applied[push.body, :3] += push.force

    def _advance_pushes(self, steps: int) -> None:
        for push in self._pushes:
            push.steps_left -= steps
        self._pushes = [push for push in self._pushes if push.steps_left > 0]
        self._apply_pushes()
