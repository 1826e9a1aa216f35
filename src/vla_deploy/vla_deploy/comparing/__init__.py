# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Two policies side by side: on recordings, in the same scenes, and beside the running robot."""
