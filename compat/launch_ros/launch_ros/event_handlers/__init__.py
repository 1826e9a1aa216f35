# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Reacting to what nodes do."""

from launch._subset import refusing_getattr

from .on_state_transition import OnStateTransition

__all__ = ['OnStateTransition']

__getattr__ = refusing_getattr(__name__)
