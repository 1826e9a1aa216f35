# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the robot did during one fault, from the unaltered messages of its nodes."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from sensor_msgs.msg import JointState

from vla_common import qos, topics
from vla_common.messages import stamp_to_ns
from vla_common.states import Behaviour, Mode
from vla_interfaces.msg import DriverStatus, SupervisorState, WorldState
from vla_robot import RobotModel
from vla_validation.system_harness.robot import PASSIVE

LOW = 0.6
"""Share of the standing pelvis height below which the robot is down."""
LYING = 0.9  # rad
REST_SPEED = 0.2  # rad/s; a balancing robot sways (the supervisor's safe_stop.rest_speed)
RESTING_NS = 300_000_000
"""ns below that speed that are rest: between two swings joints are slow too."""


class Observer:
    """Subscribes all the time, records from `begin` on.

    Args:
        node: for the subscriptions.
        robot: for its joint limits.
        unaltered: name under which a topic is published before any relay.
    """

    def __init__(
        self,
        node: Any,
        robot: RobotModel,
        unaltered: Callable[[topics.Topic], str] = lambda topic: topic.name,
    ) -> None:
        self._lower, self._upper = robot.limits.lower, robot.limits.upper
        self._height: float | None = None
        self._passive = False
        self.begin()
        for topic, callback in (
            (topics.JOINT_STATES, self._on_joints),
            (topics.WORLD_STATE, self._on_world),
        ):
            kind, profile = topic.message_type(), qos.subscriber(topic)
            node.create_subscription(kind, unaltered(topic), callback, profile)

    def begin(self) -> None:
        """Clear the record."""
        self.states: list[tuple[int, Mode]] = []  # ns, mode: where it changed
        self.behaviours: list[tuple[int, Behaviour]] = []
        self._last_fast = self._last_report = 0  # ns
        self.causes: set[str] = set()
        self.worst_excess = 0.0  # rad beyond a joint's limit, while the servos are stiff
        self.fell = False  # went down while the servos were stiff
        self.sank = False  # went down after it was damped

    def record(self, message: Any) -> None:
        """Record a SupervisorState or DriverStatus."""
        ns = stamp_to_ns(message.header.stamp)
        if isinstance(message, SupervisorState):
            _note(self.states, ns, Mode(message.mode))
            self.causes.update(c.name for c in message.causes)
        elif isinstance(message, DriverStatus):
            behaviour = Behaviour(message.behaviour)
            self._passive = behaviour in PASSIVE
            _note(self.behaviours, ns, behaviour)
            self._last_report = ns
            if not message.max_joint_speed <= REST_SPEED:
                self._last_fast = ns

    def _on_joints(self, message: JointState) -> None:
        q = np.array(message.position)
        if self._passive or len(q) != len(self._lower):
            return  # a passive joint rests on its mechanical stop
        excess = float(np.maximum(q - self._upper, self._lower - q).max())
        if excess > self.worst_excess:
            self.worst_excess = excess

    def _on_world(self, message: WorldState) -> None:
        height, (x, y) = message.qpos[2], message.qpos[4:6]
        if self._height is None:
            self._height = height
        tilt = math.acos(min(max(1.0 - 2.0 * (x * x + y * y), -1.0), 1.0))
        if height < LOW * self._height or tilt > LYING:
            if self._passive:
                self.sank = True
            elif not self.sank:
                self.fell = True

    def detection_ms(self, since: int) -> float | None:
        """ms until the mode was a stop, or the driver left TRACK by itself."""
        stops = [ns for ns, mode in self.states if mode in (Mode.SAFE_STOP, Mode.ESTOP)]
        stops += [
            ns for ns, behaviour in self.behaviours if behaviour in (Behaviour.STAND, *PASSIVE)
        ]
        later = [ns for ns in stops if ns >= since]
        return (min(later) - since) * 1e-6 if later else None

    def rest_ms(self, since: int) -> float | None:
        """ms until the joints came to rest; None while they move."""
        if self._last_report - self._last_fast < RESTING_NS:
            return None
        return max((self._last_fast - since) * 1e-6, 0.0)


def _note(history: list, ns: int, value: Any) -> None:
    if not history or history[-1][1] is not value:
        history.append((ns, value))
