# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A robot behind topics: JointState in, Float64MultiArray out, as ros2_control's forward command
controller takes it.

A position controller has no time-out and no damping: where the servo loop damps, the driver sends
the measured position once, and then nothing; the controller holds it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import rclpy
from geometry_msgs.msg import WrenchStamped
from rcl_interfaces.srv import GetParameters
from rclpy.experimental.events_executor import EventsExecutor
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import Float64MultiArray

from vla_common import qos
from vla_common.cdr import Reader, Writer
from vla_common.errors import ConfigError
from vla_common.executor_thread import ExecutorThread
from vla_common.parameters import Parameters
from vla_hardware.drivers.base import DeviceJoints, DriverError, Gains, require_finite
from vla_hardware.drivers.topic_state import TopicConfig, TopicState
from vla_robot import Reading, RobotModel

CONNECT = 3.0  # s in which the first state has to come, and the controller to be there
LOOK = 0.05  # s between two looks at the other side of the command topic


class TopicsDriver:
    """See the module and `Driver`. It has a ROS context of its own, in the robot's domain."""

    stiffen_time = 0.5
    when_killed = 'the controller of the robot holds the last commanded position'

    def __init__(self, robot: RobotModel, config: TopicConfig, clock: Callable[[], float]) -> None:
        self._robot, self._config, self._clock = robot, config, clock
        self.can_fall = bool(robot.foot_boxes and config.imu and config.left_contact)
        self._lock = threading.Lock()
        self._state = TopicState(robot, config)
        index = robot.index
        self._order = [index[name] for name in config.joints if name in index]
        self._stopped: DriverError | None = None
        self._stiff = False
        self._looked = 0.0
        self._thread: ExecutorThread | None = None
        self._context: rclpy.Context | None = None

    @classmethod
    def from_parameters(
        cls, robot: RobotModel, params: Parameters, clock: Callable[[], float]
    ) -> Self:
        graph = rclpy.utilities.get_default_context()
        domain = graph.get_domain_id() if graph.ok() else int(os.environ.get('ROS_DOMAIN_ID') or 0)
        return cls(robot, TopicConfig.load(params.driver_config, domain), clock)

    @property
    def real_time_factor(self) -> float:
        return 1.0

    def connect(self) -> None:
        config = self._config
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=config.domain_id)
        node = rclpy.create_node(
            'topics_driver', context=self._context, start_parameter_services=False,
            enable_rosout=False,
        )  # fmt: skip
        self._node = node
        self._writer = Writer(Float64MultiArray(data=[0.0] * len(config.joints)), 'data')
        self._out = node.create_publisher(Float64MultiArray, config.command, qos.COMMAND)
        joints = ('name', 'position', 'velocity', 'effort', 'header.stamp')
        self._subscribe(JointState, config.joint_states, joints, self._state.offer_joints)
        if config.imu:
            fields = (
                *('orientation', 'angular_velocity', 'linear_acceleration'),
                'orientation_covariance',
            )
            self._subscribe(Imu, config.imu, fields, self._on_imu)
        for side in ('left', 'right'):
            topic = getattr(config, f'{side}_contact')
            if topic:
                fields = ('wrench',)
                self._subscribe(WrenchStamped, topic, fields, self._on_wrench(side))
        self._controller = (
            node.create_client(GetParameters, f'{config.controller}/get_parameters')
            if config.controller
            else None
        )
        self._thread = ExecutorThread(node, EventsExecutor(context=self._context))
        try:
            self._wait(
                lambda: self._out.get_subscription_count() > 0,
                f'{config.command}: nobody subscribes',
                'start the controller of the robot',
            )
            self._wait(self._complete, '', '')
            self._check_controller()
        except BaseException:
            self.close()
            raise

    def _subscribe(
        self, kind: type, topic: str, fields: tuple[str, ...], offer: Callable[..., bool]
    ) -> None:
        reader = Reader(kind, *fields)

        def received(message: bytes) -> None:
            values = reader.read(message)
            with self._lock:
                offer(*values, self._clock())

        self._node.create_subscription(kind, topic, received, qos.STATE_SUB, raw=True)

    def _on_imu(
        self, orientation: Any, velocity: Any, acceleration: Any, covariance: Any, now: float
    ) -> bool:
        known = covariance[0] >= 0.0  # REP 145
        return self._state.offer_imu(orientation, velocity, acceleration, known, now)

    def _on_wrench(self, side: str) -> Callable[..., bool]:
        return lambda wrench, now: self._state.offer_wrench(side, wrench, now)

    def _complete(self) -> bool:
        with self._lock:
            return self._state.complete(self._clock())

    def _wait(self, done: Callable[[], bool], cause: str, action: str) -> None:
        end = time.monotonic() + CONNECT
        while not done():
            if time.monotonic() > end:
                if not cause:
                    with self._lock:
                        self._state.reading(self._clock())  # raises what is stale
                    return
                raise DriverError(cause, action)
            time.sleep(0.005)

    def _check_controller(self) -> None:
        """The controller's own joint order, where it is known, is that of the file."""
        config = self._config
        if self._controller is None:
            return
        if not self._controller.wait_for_service(CONNECT):
            raise DriverError(
                f'{config.controller}: no such node', 'start the controller, or correct its name'
            )
        future = self._controller.call_async(GetParameters.Request(names=['joints']))
        self._wait(future.done, f'{config.controller}: does not answer', 'restart the controller')
        values = future.result().values
        found = tuple(values[0].string_array_value) if values else ()
        if found != config.joints:
            raise ConfigError(
                config.file,
                'joints',
                ', '.join(config.joints),
                f'those of {config.controller}: {", ".join(found) or "it has none"}',
            )

    def device_joints(self) -> DeviceJoints:
        # A message of joint states names its joints; the command's array is read by the file.
        names, known = self._config.joints, self._robot.joint_names
        ordered = [name for name in known if name in names]
        ordered += [name for name in names if name not in known]
        unlimited = np.full(len(ordered), np.inf)
        return DeviceJoints(tuple(ordered), -unlimited, unlimited)

    def read(self) -> Reading:
        now = self._clock()
        if now - self._looked > LOOK:
            self._looked = now
            self._stopped = self._look()
        if self._stopped is not None:
            raise self._stopped
        with self._lock:
            return self._state.reading(now)

    def _look(self) -> DriverError | None:
        """What is wrong with the other side of the command topic."""
        command = self._config.command
        if self._thread is None or self._thread.failure is not None:
            return DriverError('the topics are not received any more', 'restart the driver')
        if self._out.get_subscription_count() == 0:
            return DriverError(
                f'{command}: the controller of the robot has gone',
                'start it again, then reset',
                stopped=True,
            )
        if self._node.count_publishers(command) > 1:
            return DriverError(
                f'{command}: somebody else commands the robot too',
                'end the other publisher, then reset',
                stopped=True,
            )
        return None

    def write(
        self, position: np.ndarray, velocity: np.ndarray, effort: np.ndarray, gains: Gains
    ) -> None:
        require_finite(position, velocity, effort)
        if gains.kp.any():
            self._stiff = True
            self._out.publish(self._writer.write(position[self._order]))
        elif self._stiff:
            self._stiff = False
            with self._lock:
                measured = self._state.reading(self._clock()).position
            self._out.publish(self._writer.write(measured[self._order]))

    def power(self, on: bool) -> None:
        """A position controller has no power switch: passive is holding."""

    def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.close(0.5)
        context, self._context = self._context, None
        if context is not None:
            self._node.destroy_node()
            context.try_shutdown()
