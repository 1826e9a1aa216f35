# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How long it takes, measured so that a busy machine favours nobody."""
