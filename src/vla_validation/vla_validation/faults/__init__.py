# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Fault injection: every fault of the catalogue, one at a time, in simulation."""
