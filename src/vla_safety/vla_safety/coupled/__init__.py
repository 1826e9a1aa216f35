# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Limits that tie joints together: collisions, workspace, centre of mass, proximity, power.

`limits` is the seam that the filter knows; `barriers` the one that is behind it.
"""

from vla_safety.coupled.limits import CoupledLimits, Infeasible, MotionState

__all__ = ['CoupledLimits', 'Infeasible', 'MotionState']
