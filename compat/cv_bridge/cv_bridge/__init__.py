# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for ROS 2 Jazzy's ``cv_bridge`` (Python): images between NumPy and messages.

Same names and semantics, written for this workspace and used only where the real package is
missing. ``cv2`` is imported when a conversion first needs it.
"""

from .core import CvBridge, CvBridgeError

__all__ = ['CvBridge', 'CvBridgeError']


def __getattr__(name: str) -> object:
    raise AttributeError(
        f'cv_bridge.{name} is not part of the stand-in in compat/; install the real package'
    )
