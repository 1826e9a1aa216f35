# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the safety filter costs a task: success with it and without, and why it stopped."""
