# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which actions an event is meant for."""

from collections.abc import Callable

from ..action import Action


def matches_action(target_action: Action) -> Callable[[Action], bool]:
    """Exactly this action."""
    return lambda action: action is target_action
