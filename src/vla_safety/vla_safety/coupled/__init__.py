# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Limits that tie joints together: collisions, workspace, center of mass, proximity, power.

`limits` is the interface to the filter, `barriers` the one of a single barrier.
"""

from vla_safety.coupled.limits import CoupledLimits, Infeasible, MotionState

__all__ = ['CoupledLimits', 'Infeasible', 'MotionState']
