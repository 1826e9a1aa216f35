# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The robot's reports as plain values for the page. JSON has no NaN: such a number is null."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from vla_common.messages import stamp_to_ns
from vla_common.states import Behaviour, FilterState, InferenceState, Level, Mode
from vla_monitor.dashboard.requests import Situation
from vla_supervisor.state_summary import summary


def number(value: float, digits: int = 4) -> float | None:
    """A finite number, rounded; None for any other."""
    return round(float(value), digits) if math.isfinite(value) else None


def numbers(values: Iterable[float], digits: int = 4) -> list[float | None]:
    """`number` of each."""
    return [number(value, digits) for value in values]


def dump(values: dict[str, Any]) -> str:
    """As JSON; a NaN that was forgotten raises ValueError here, not in each browser."""
    return json.dumps(values, allow_nan=False, separators=(',', ':'))


def name_of(kind: type, value: int) -> str:
    """Name of an enumeration's member; the number itself where there is none."""
    try:
        return kind(value).name
    except ValueError:
        return str(value)


def situation(state: Any) -> Situation:
    """What a step of an operator is compared with."""
    return Situation(
        name_of(Mode, state.mode),
        int(state.motion_epoch),
        tuple(f'{cause.name} ({cause.source})' for cause in state.causes),
    )


def supervisor(state: Any) -> dict[str, Any]:
    """Of a SupervisorState; `seen` of each cause is what a step has to name."""
    if state.mode not in list(Mode) or state.behaviour not in list(Behaviour):
        raise ValueError(f'mode {state.mode}, behaviour {state.behaviour} do not exist')
    values = summary(state)
    stamp = stamp_to_ns(state.header.stamp)
    seen = situation(state).causes
    for cause, shown, name in zip(state.causes, values['causes'], seen, strict=True):
        shown['level'] = name_of(Level, cause.level)
        shown['ago'] = number(1e-9 * (stamp - stamp_to_ns(cause.since)), 1)
        shown['seen'] = name
    values['level'] = name_of(Level, state.level)
    values['speed_scale'] = number(state.speed_scale)
    return values


def inference(status: Any) -> dict[str, Any]:
    """Of an InferenceStatus."""
    return {
        'state': name_of(InferenceState, status.state),
        'reason': status.reason,
        'policy': status.policy,
        'instruction': status.instruction,
        'phase': status.phase,
        'last_result': status.last_result,
        'elapsed': number(status.elapsed, 1),
        'confidence': number(status.confidence, 2),
        'understood': number(status.understood, 2),
        'possible': number(status.possible, 2),
        'done': number(status.done, 2),
        'held_by': list(status.held_by),
        'observation_age_ms': number(1e3 * status.observation_age, 1),
        'inference_ms': number(status.inference_ms, 1),
        'cycle_ms': number(status.cycle_ms, 1),
    }


def safety(status: Any) -> dict[str, Any]:
    """Of a SafetyStatus."""
    return {
        'state': name_of(FilterState, status.state),
        'level': name_of(Level, status.level),
        'reason': status.reason,
        'tick_ms': number(status.tick_ms, 3),
        'chunk_age_ms': number(1e3 * status.chunk_age, 1),
        'speed_scale': number(status.speed_scale),
        'interventions': int(status.interventions),
        'limited_by': status.limited_by,
        'motion_ended': status.motion_ended,
        'violations': [violation(v) for v in status.violations],
    }


def violation(v: Any) -> dict[str, Any]:
    """Of a Violation."""
    return {
        'kind': v.kind,
        'subject': v.subject,
        'value': number(v.value),
        'limit': number(v.limit),
        'level': name_of(Level, v.level),
    }


def driver(status: Any) -> dict[str, Any]:
    """Of a DriverStatus."""
    return {
        'behaviour': name_of(Behaviour, status.behaviour),
        'reason': status.behaviour_reason,
        'at_rest': bool(status.at_rest),
        'standing': bool(status.standing),
        'fault': status.fault_detail if status.fault else '',
        'sensors': status.sensor_disagreement,
        'loop_ms': number(status.loop_ms, 3),
    }


def balance(state: Any) -> dict[str, Any]:
    """Of a BalanceState; m, frame "support"."""
    com, capture = state.com, state.capture_point
    return {
        'level': name_of(Level, state.level),
        'cause': state.cause,
        'margin': number(state.margin),
        'tilt': number(state.tilt),
        'com': numbers((com.x, com.y, com.z)),
        'capture_point': numbers((capture.x, capture.y)),
        'polygon': [numbers((p.x, p.y)) for p in state.support_polygon],
    }
