# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What blending does to an arm's path when inference is late; nothing here runs on a robot."""
