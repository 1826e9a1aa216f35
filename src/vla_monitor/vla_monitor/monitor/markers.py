# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Markers for rviz and Foxglove: the workspace of the hands, the nearest pair of links.

Support polygon, centre of mass and capture point are the balance monitor's, /balance/markers.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from rcl_interfaces.srv import GetParameters
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from vla_common import topics
from vla_common.lifecycle import VlaLifecycleNode
from vla_robot import RobotModel

CLOSE = 0.05
"""m between two links, below which the pair is red."""
WORKSPACE = ('workspace.lower', 'workspace.upper')
LIFETIME = Duration(sec=2)
"""After it a viewer removes what is no longer published."""


def box_edges(lower: Any, upper: Any) -> np.ndarray:
    """(24, 3): the ends of the twelve edges of a box, pairwise. lower, upper: (3,) m."""
    corners = np.array(list(product(*zip(lower, upper, strict=True))))
    return np.array(
        [
            end
            for i, first in enumerate(corners)
            for second in corners[i + 1 :]
            if np.count_nonzero(first != second) == 1
            for end in (first, second)
        ]
    ).reshape(-1, 3)


class MarkerPublisher:
    """/monitor/markers, in the frame of the base; nothing is computed while nobody subscribes.

    The workspace is the one in force: parameters of the node safety_filter, read once.
    """

    def __init__(self, node: VlaLifecycleNode, robot: RobotModel) -> None:
        self._node = node
        self._base = robot.frames['base']
        self._kinematics = robot.kinematics()
        self._out = node.add_publisher(topics.MONITOR_MARKERS)
        self._edges: np.ndarray | None = None
        self._client = node.create_client(GetParameters, '/safety_filter/get_parameters')
        node.track(lambda: node.destroy_client(self._client))
        self._asked: Any = None

    @property
    def watched(self) -> bool:
        """Whether somebody subscribes."""
        return self._out.get_subscription_count() > 0

    def publish(self, position: np.ndarray | None) -> None:
        """Publish for joint positions (n,); None: without the nearest pair."""
        if not self.watched:
            return
        self._read_workspace()
        markers = []
        if self._edges is not None:
            box = self._marker('workspace', 0, Marker.LINE_LIST, (0.3, 0.6, 1.0))
            box.scale.x = 0.005
            box.points = [_point(p) for p in self._edges]
            markers.append(box)
        if position is not None and self._kinematics.pairs:
            markers += self._nearest(position)
        self._out.publish(MarkerArray(markers=markers))

    def _nearest(self, position: np.ndarray) -> list[Marker]:
        self._kinematics.update(position)
        distances = self._kinematics.distances()
        pair = int(distances.argmin())
        first, second = self._kinematics.witness(pair)
        color = (0.9, 0.1, 0.1) if distances[pair] < CLOSE else (0.2, 0.8, 0.2)
        line = self._marker('nearest_pair', 0, Marker.LINE_LIST, color)
        line.scale.x = 0.008
        line.points = [_point(first), _point(second)]
        text = self._marker('nearest_pair', 1, Marker.TEXT_VIEW_FACING, color)
        text.scale.z = 0.04
        text.pose.position = _point(0.5 * (first + second))
        text.text = f'{" – ".join(self._kinematics.pairs[pair])}: {1000 * distances[pair]:.0f} mm'
        return [line, text]

    def _marker(self, ns: str, number: int, kind: int, color: tuple[float, ...]) -> Marker:
        result = Marker(ns=ns, id=number, type=kind, action=Marker.ADD, lifetime=LIFETIME)
        result.header.stamp = self._node.stamp()
        result.header.frame_id = self._base
        result.pose.orientation.w = 1.0
        result.color = ColorRGBA(r=color[0], g=color[1], b=color[2], a=1.0)
        return result

    def _read_workspace(self) -> None:
        if self._edges is not None:
            return
        if self._asked is not None and self._asked.done():
            values = [list(v.double_array_value) for v in self._asked.result().values]
            self._asked = None
            if len(values) == 2 and all(len(value) == 3 for value in values):
                self._edges = box_edges(*values)
            return
        if self._asked is None and self._client.service_is_ready():
            self._asked = self._client.call_async(GetParameters.Request(names=list(WORKSPACE)))


def _point(values: Any) -> Point:
    x, y, z = (float(value) for value in values)
    return Point(x=x, y=y, z=z)
