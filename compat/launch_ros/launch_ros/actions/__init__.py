# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What can be done in a launch of ROS nodes."""

from launch._subset import refusing_getattr

from .lifecycle_node import LifecycleNode
from .node import Node
from .push_ros_namespace import PushROSNamespace, PushRosNamespace
from .set_parameter import SetParameter, SetParametersFromFile, SetUseSimTime
from .set_remap import SetRemap

__all__ = [
    'LifecycleNode',
    'Node',
    'PushROSNamespace',
    'PushRosNamespace',
    'SetParameter',
    'SetParametersFromFile',
    'SetRemap',
    'SetUseSimTime',
]

__getattr__ = refusing_getattr(__name__)
