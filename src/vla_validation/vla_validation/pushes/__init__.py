# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How hard a push the standing robot survives, tried in simulated time, without ROS.

Needs vla_sim, which the node does not.
"""
