# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Messages of the node monitor."""

from collections.abc import Sequence

import numpy as np
from geometry_msgs.msg import TransformStamped
from tf2_msgs.msg import TFMessage

from vla_common.cdr import Writer
from vla_monitor.monitor.transforms import Edge


class TransformWriter:
    """Serializes /tf: the same edges each time, other poses.

    rclpy converts 34 transforms in 0.5 ms; here only their numbers are written.
    """

    def __init__(self, edges: Sequence[Edge]) -> None:
        fields = [
            field
            for i in range(len(edges))
            for field in (f'transforms.{i}.header.stamp', f'transforms.{i}.transform')
        ]
        self._writer = Writer(TFMessage(transforms=[_transform(edge) for edge in edges]), *fields)

    def write(self, stamp_ns: int, poses: np.ndarray) -> bytes:
        """The message of poses (k, 7), x y z m and quaternion x y z w, all with one stamp."""
        return self._writer.write(*(value for pose in poses for value in (stamp_ns, pose)))


def _transform(edge: Edge) -> TransformStamped:
    result = TransformStamped(child_frame_id=edge.child)
    result.header.frame_id = edge.parent
    return result
