# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What every node of the workspace shares. Import the modules; nothing is re-exported here."""
