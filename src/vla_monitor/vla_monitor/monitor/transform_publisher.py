# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""/tf and /tf_static from the topics of the robot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vla_common import topics
from vla_common.clock import steady_now
from vla_common.errors import first_line
from vla_common.lifecycle import VlaLifecycleNode
from vla_common.messages import JointOrder, has_orientation
from vla_common.polled_topic import PolledTopic
from vla_monitor.monitor.messages import TransformWriter
from vla_monitor.monitor.transforms import LONGEST_AGE, WORLD, BasePose, Edge, LinkTransforms
from vla_robot import RobotModel


class TransformPublisher:
    """/tf from the newest joint state, stamped with its time; /tf_static once.

    drop: called with the topic and the reason of a message that is not used.
    """

    def __init__(
        self, node: VlaLifecycleNode, robot: RobotModel, drop: Callable[[str, str], None]
    ) -> None:
        self._links = LinkTransforms(robot)
        self._base = BasePose(robot)
        self._order = JointOrder(robot.joint_names)
        self._position = np.zeros(robot.n)
        self._drop = drop
        # A new stamp is a new joint state; what failed stops is not published again and again.
        self._joints = node.poll(topics.JOINT_STATES, ('name', 'position', 'header.stamp'))
        self._imu = node.poll(topics.IMU, ('orientation', 'orientation_covariance'))
        self._world = node.poll(topics.WORLD_STATE, ('qpos',))
        self._kept: dict[PolledTopic, list[Any]] = {}
        self._out = node.add_publisher(topics.TF)
        self._static_out = node.add_publisher(topics.TF_STATIC)
        root = (Edge(WORLD, robot.frames['base']),)
        # Messages name frames as robot.yaml does: 'imu', 'left_foot'.
        links = {robot.frames['base']}
        links |= {edge.child for edge in (*self._links.fixed, *self._links.moving)}
        aliases = [Edge(link, name) for name, link in robot.frames.items() if name not in links]
        still = (*(root if self._base.is_fixed else ()), *self._links.fixed, *aliases)
        moving = self._links.moving if self._base.is_fixed else root + self._links.moving
        self._static = TransformWriter(still)
        self._still_poses = np.zeros((len(still), 7))
        self._still_poses[:, 6] = 1.0
        first = 1 if self._base.is_fixed else 0
        self._still_poses[first : first + len(self._links.fixed)] = self._links.fixed_poses
        self._moving = TransformWriter(moving)
        self._clock = node.get_clock()
        self._known = False
        self.published = 0

    @property
    def base_source(self) -> str:
        """Where the pose of the base comes from."""
        return self._base.source.value

    def publish_static(self) -> None:
        stamp_ns = self._clock.now().nanoseconds
        self._static_out.publish(self._static.write(stamp_ns, self._still_poses))

    @property
    def position(self) -> np.ndarray | None:
        """(n,) joint positions of the newest usable joint state; None: none yet."""
        return self._position if self._known else None

    def publish(self, needed: bool = False) -> None:
        """Publish if somebody subscribes; read the joint state also if `needed` otherwise."""
        watched = self._out.get_subscription_count() > 0
        if not (watched or needed):
            return
        newest = self._joints.newest()
        if newest is None:
            return
        names, values, stamp_ns = newest
        self._known = False
        try:
            self._order.read(names, values, self._position)
        except (KeyError, ValueError) as error:
            self._drop(topics.JOINT_STATES.name, first_line(error))
            return
        if not np.isfinite(self._position).all():
            self._drop(topics.JOINT_STATES.name, 'a position is not finite')
            return
        self._known = True
        if not watched:
            return
        poses = self._links.moved(self._position)
        if not self._base.is_fixed:
            poses = np.concatenate([self._base_pose()[None], poses])
        self._out.publish(self._moving.write(stamp_ns, poses))
        self.published += 1

    def _base_pose(self) -> np.ndarray:
        # The base's free joint is the first of the simulator's model.
        world = self._fresh(self._world)
        simulated = None if world is None or len(world[0]) < 7 else world[0][:7]
        imu = self._fresh(self._imu)
        orientation = imu[0] if imu is not None and has_orientation(imu[1]) else None
        return self._base.of(self._position, orientation, simulated)

    def _fresh(self, topic: PolledTopic) -> list[Any] | None:
        values = topic.newest()
        if values is not None:
            self._kept[topic] = values
        if steady_now() - topic.arrived > LONGEST_AGE:
            return None
        return self._kept.get(topic)
