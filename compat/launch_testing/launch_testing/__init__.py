# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for the ROS 2 package `launch_testing` (Jazzy): what tests of launch files use."""
# ruff: noqa: F401

import sys

from launch._subset import refuse_unknown_names

from . import actions, asserts, markers, util
from .markers import post_shutdown_test, ready_to_test_action_timeout

refuse_unknown_names(sys.modules[__name__], actions, asserts, markers, util)
