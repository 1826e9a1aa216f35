# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The events of lifecycle nodes."""

from launch._subset import refusing_getattr

from ..matchers import matches_node_name
from .change_state import ChangeState
from .state_transition import StateTransition

__all__ = ['ChangeState', 'StateTransition', 'matches_node_name']

__getattr__ = refusing_getattr(__name__)
