# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The state of a robot that is read from topics: newest complete messages, by joint name."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from vla_common import topics
from vla_common.errors import ConfigError
from vla_common.yaml_file import ConfigReader, load_yaml
from vla_hardware.drivers.base import DriverError
from vla_robot import Reading, RobotModel

OURS = tuple(
    topic.name
    for topic in (
        *(topics.JOINT_STATES, topics.IMU, topics.JOINT_COMMAND, topics.JOINT_REFERENCE),
        *(topics.LEFT_FOOT_WRENCH, topics.RIGHT_FOOT_WRENCH),
    )
)
"""Topics that this workspace publishes: a robot in the same domain uses others."""
SET_BACK = 500_000_000  # ns; a stamp this much older is a clock that was set, not an old message
SHORTEST = 1e-4  # s between two states


@dataclass(frozen=True)
class TopicConfig:
    """The file that `driver_config` names.

    joint_states, command: topic names. joints: order of the command's array, the parameter `joints`
    of the controller. imu, left_contact, right_contact: topic names, '' for none. controller: node
    whose parameter `joints` is compared, '' for none. domain_id: None for this graph's. max_age: s.
    """

    file: str
    joint_states: str
    command: str
    joints: tuple[str, ...]
    imu: str
    left_contact: str
    right_contact: str
    controller: str
    domain_id: int | None
    max_age: float

    @classmethod
    def load(cls, path: str, domain: int) -> Self:
        """domain: of this graph. Raises ConfigError."""
        if not path:
            raise ConfigError(
                'parameters', 'driver_config', 'nothing', 'a YAML file with the topics of the robot'
            )
        fields = ConfigReader(path, load_yaml(path))
        contacts = fields.section('contacts', default={})
        config = cls(
            file=os.fspath(path),
            joint_states=fields.text('joint_states'),
            command=fields.text('command'),
            joints=tuple(fields.texts('joints')),
            imu=fields.text('imu', default=''),
            left_contact=contacts.text('left', default=''),
            right_contact=contacts.text('right', default=''),
            controller=fields.text('controller', default=''),
            domain_id=fields.integer('domain_id', default=None, lo=0, hi=232),
            max_age=fields.number('max_age', default=0.05, lo=0.01, hi=0.1),
        )
        contacts.close()
        fields.close()
        if bool(config.left_contact) != bool(config.right_contact):
            raise fields.error('contacts', 'one foot', 'left and right, or none')
        if config.domain_id in (None, domain):
            for key in ('joint_states', 'command', 'imu'):
                if getattr(config, key) in OURS:
                    wanted = "a topic of the robot's own, or a domain_id of its own"
                    raise fields.error(
                        key, f'{getattr(config, key)}, which this driver uses', wanted
                    )
        return config


class TopicState:
    """The newest state, from messages that are complete, finite and newer than the last.

    robot: whose joint order the arrays have. config: see `TopicConfig`. Not thread-safe.
    """

    def __init__(self, robot: RobotModel, config: TopicConfig) -> None:
        self._names, self._config = robot.joint_names, config
        n = robot.n
        self._index: list[int] = []
        self._seen: Sequence[str] | None = None
        self._stamp_ns: int | None = None
        self._at = -math.inf
        self._position, self._velocity, self._effort = (np.zeros(n) for _ in range(3))
        self._imu_at = -math.inf
        self._imu = (np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3), np.array([0.0, 0.0, 9.81]))
        self._has_orientation = True
        self._wrench_at = {'left': -math.inf, 'right': -math.inf}
        self._wrenches = {'left': np.zeros(6), 'right': np.zeros(6)}
        self.rejected = 0
        self.last_rejection = ''

    def offer_joints(
        self,
        names: Sequence[str],
        position: np.ndarray,
        velocity: np.ndarray,
        effort: np.ndarray,
        stamp_ns: int,
        now: float,
    ) -> bool:
        """Take one JointState; whether it was accepted. Further joints in it are ignored."""
        if names is not self._seen:
            missing = [name for name in self._names if name not in names]
            if missing:
                return self._reject(f'joint states without {", ".join(missing)}')
            self._index = [list(names).index(name) for name in self._names]
            self._seen = names
        last = self._stamp_ns
        if last is not None and last - SET_BACK < stamp_ns <= last:
            return self._reject('joint states that are repeated or out of order')
        if len(position) != len(names):
            return self._reject(f'{len(position)} positions of {len(names)} joints')
        q = position[self._index]
        dt = max(now - self._at, SHORTEST)
        if len(velocity) == len(names):
            v = velocity[self._index]
        else:
            v = (q - self._position) / dt if math.isfinite(dt) else np.zeros(len(q))
        tau = effort[self._index] if len(effort) == len(names) else np.zeros(len(q))
        if not math.isfinite(q @ q + v @ v + tau @ tau):
            return self._reject('joint states that are not finite')
        self._position, self._velocity, self._effort = q, v, tau
        self._stamp_ns, self._at = stamp_ns, now
        return True

    def offer_imu(
        self,
        orientation: np.ndarray,
        angular_velocity: np.ndarray,
        acceleration: np.ndarray,
        has_orientation: bool,
        now: float,
    ) -> bool:
        """Take one Imu. orientation: (4,) xyzw, as ROS has it."""
        values = np.concatenate((orientation, angular_velocity, acceleration))
        if not math.isfinite(values @ values):
            return self._reject('IMU data that are not finite')
        wxyz = np.array(orientation)[[3, 0, 1, 2]]
        self._imu = wxyz, np.array(angular_velocity), np.array(acceleration)
        self._has_orientation, self._imu_at = has_orientation, now
        return True

    def offer_wrench(self, side: str, wrench: np.ndarray, now: float) -> bool:
        """Take one wrench of a foot; side: left or right; (6,) N, Nm."""
        if not math.isfinite(wrench @ wrench):
            return self._reject(f'contact of the {side} foot that is not finite')
        self._wrenches[side], self._wrench_at[side] = np.array(wrench), now
        return True

    def _reject(self, why: str) -> bool:
        self.rejected += 1
        self.last_rejection = why
        return False

    def complete(self, now: float) -> bool:
        """Whether everything that is configured is there and fresh."""
        return not self._stale(now)

    def reading(self, now: float) -> Reading:
        """The newest state. Raises DriverError: a part of it is older than `max_age`."""
        stale = self._stale(now)
        if stale:
            raise DriverError(stale, 'start what publishes it, or look at the network')
        orientation, angular_velocity, acceleration = self._imu
        return Reading(
            position=self._position,
            velocity=self._velocity,
            effort=self._effort,
            orientation=orientation,
            angular_velocity=angular_velocity,
            linear_acceleration=acceleration,
            left_wrench=self._wrenches['left'],
            right_wrench=self._wrenches['right'],
            has_orientation=self._has_orientation,
        )

    def _stale(self, now: float) -> str:
        config = self._config
        parts = [(config.joint_states, self._at)]
        if config.imu:
            parts.append((config.imu, self._imu_at))
        if config.left_contact:
            parts += [
                (config.left_contact, self._wrench_at['left']),
                (config.right_contact, self._wrench_at['right']),
            ]
        for topic, at in parts:
            age = now - at
            if not age <= config.max_age:
                past = 'nothing was received' if at == -math.inf else f'{age * 1e3:.0f} ms old'
                rejected = f' ({self.last_rejection})' if self.last_rejection else ''
                return f'{topic}: {past}{rejected}'
        return ''
