# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A SupervisorState as plain values and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vla_common.states import Behaviour, Mode

if TYPE_CHECKING:
    from vla_interfaces.msg import SupervisorState


def summary(state: SupervisorState) -> dict[str, Any]:
    """A state as plain values."""
    return {
        'mode': Mode(state.mode).name,
        'behaviour': Behaviour(state.behaviour).name,
        'armed': state.armed,
        'motion_epoch': state.motion_epoch,
        'speed_scale': state.speed_scale,
        'causes': [
            {key: getattr(c, key) for key in ('name', 'source', 'detail', 'clears', 'present')}
            for c in state.causes
        ],
        'nodes_active': list(state.nodes_active),
        'nodes_missing': list(state.nodes_missing),
    }


def text(state: dict[str, Any]) -> str:
    """A summary for the terminal."""
    lines = [
        f'mode {state["mode"]}, behaviour {state["behaviour"]}, speed {state["speed_scale"]:.0%}, '
        f'epoch {state["motion_epoch"]}'
    ]
    for c in state['causes']:
        lines.append(f'  {"now " if c["present"] else "gone"} {c["name"]}: {c["detail"]}')
        if c['present']:
            lines.append(f'       clears when: {c["clears"]}')
    lines += [f'  node {missing}' for missing in state['nodes_missing']]
    return '\n'.join(lines)
