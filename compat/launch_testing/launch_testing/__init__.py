# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for the ROS 2 package `launch_testing` (Jazzy): what tests of launch files use."""

from launch._subset import refusing_getattr

from . import actions, asserts, markers, util
from .decorator import post_shutdown_test
from .io_handler import ActiveIoHandler, IoHandler
from .parametrize import parametrize
from .proc_info_handler import ActiveProcInfoHandler, ProcInfoHandler
from .ready_to_test_action_timeout import ready_to_test_action_timeout

__all__ = [
    'ActiveIoHandler',
    'ActiveProcInfoHandler',
    'IoHandler',
    'ProcInfoHandler',
    'actions',
    'asserts',
    'markers',
    'parametrize',
    'post_shutdown_test',
    'ready_to_test_action_timeout',
    'util',
]

__getattr__ = refusing_getattr(__name__)
