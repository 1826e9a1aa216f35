# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Loops of a tick over joints, quantities and rows; see `vla_safety.compiled`."""
