# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What happened in a session: events, steps and the summary, from the nodes' messages.

The same digest runs while a session is recorded and when it is recovered from the bag. Times are
ns since 1970, as received; in the results s since the begin of the session. Messages are taken by
their fields; nothing here needs ROS.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from vla_common.states import Behaviour, FilterState, InferenceState, Level, Mode
from vla_monitor.recording.histogram import Histogram
from vla_monitor.recording.violations import Violations

SUCCESS = 'done'
"""The result of an instruction that was carried out (`RunInstruction.action`)."""
_STOPS = (Mode.SAFE_STOP, Mode.ESTOP)

Emit = Callable[[dict[str, Any]], None]


def name_of(kind: type, value: int) -> str:
    """The name of a constant; the number, where a newer message has one that is not known."""
    try:
        return str(kind(value).name)  # type: ignore[attr-defined]
    except ValueError:
        return str(value)


class SessionDigest:
    """Counts what the messages report, and passes each event to `emit` when it is known.

    Args:
        start_ns: begin of the session.
        emit: receives each event: a dict with `t` (s), `event` (its kind) and the facts.
    """

    def __init__(self, start_ns: int, emit: Emit) -> None:
        self._start_ns, self._emit = start_ns, emit
        self._last_ns = start_ns
        self._violations = Violations(self.event)
        self.latencies = {
            name: Histogram()
            for name in (
                'observation_to_chunk_ms', 'policy_call_ms', 'model_ms', 'observation_age_ms',
                'filter_tick_ms', 'chunk_age_ms', 'driver_loop_ms',
            )
        }  # fmt: skip
        self._mode: int | None = None
        self._mode_since = start_ns
        self._seconds: Counter[str] = Counter()
        self._mode_changes = 0
        self._stops: list[dict[str, Any]] = []
        self._causes: dict[str, dict[str, Any]] = {}
        self._missing: list[str] = []
        self._filter: tuple[int, str] | None = None
        self._inference: tuple[int, str] | None = None
        self._driver: tuple[int, bool, str] | None = None
        self._balance = (0, False, False)
        self._instruction = ''
        self._instruction_id: int | None = None
        self._finished: int | None = None
        self._results: Counter[str] = Counter()
        self._instructions = 0
        self._interventions = 0
        self._interventions_before: int | None = None
        self._counted: Counter[str] = Counter()
        self._counted_before: dict[str, int] = {}
        self._margin: float | None = None
        self._scale: float | None = None
        self._policies: list[str] = []
        self._steps = 0

    # -- time ----------------------------------------------------------------------------------

    def seconds(self, now_ns: int) -> float:
        """s since the begin of the session."""
        return (now_ns - self._start_ns) * 1e-9

    def event(self, now_ns: int, kind: str, **facts: Any) -> None:
        """Report an event."""
        self._emit({'t': round(self.seconds(now_ns), 4), 'event': kind, **facts})

    def received(self, now_ns: int) -> None:
        """Note the time of a message, whatever it is."""
        if now_ns > self._last_ns:
            self._last_ns = now_ns

    # -- messages ------------------------------------------------------------------------------

    def supervisor(
        self, now_ns: int, mode: int, level: int, speed_scale: float, details: Any | None
    ) -> None:
        """A SupervisorState. details: the whole message, where more than numbers changed."""
        self._scale = speed_scale if self._scale is None else min(self._scale, speed_scale)
        changed = mode != self._mode
        causes = {} if details is None else {c.name: cause_of(c) for c in details.causes}
        if changed:
            before = self._mode
            self._count_mode(now_ns)
            self._mode = mode
            name = name_of(Mode, mode)
            facts: dict[str, Any] = {'to': name, 'causes': list(causes.values())}
            if details is not None:
                facts['behaviour'] = name_of(Behaviour, details.behaviour)
                facts['motion_epoch'] = details.motion_epoch
                facts['armed'] = bool(details.armed)
            facts['from'] = None if before is None else name_of(Mode, before)
            self.event(now_ns, 'mode', level=name_of(Level, level), **facts)
            self._mode_changes += before is not None
            if mode in _STOPS and before is not None:
                self._stops.append({'t': self.seconds(now_ns), 'mode': name, 'causes': []})
        if details is None:
            return
        if self._stops and mode in _STOPS:
            known = self._stops[-1]['causes']
            known += [name for name in causes if name not in known]
        for name, cause in causes.items():
            if name not in self._causes:
                self.event(now_ns, 'cause', mode=name_of(Mode, mode), **cause)
        for name in self._causes.keys() - causes.keys():
            self.event(now_ns, 'cause_cleared', name=name)
        self._causes = causes
        # With the reason after a colon, which counts seconds.
        missing = [text.partition(':')[0] for text in details.nodes_missing]
        if missing != self._missing:
            whole = list(details.nodes_missing)
            self.event(now_ns, 'nodes', missing=whole, active=list(details.nodes_active))
            self._missing = missing

    def filter(
        self,
        now_ns: int,
        state: int,
        tick_ms: float,
        chunk_age: float,
        interventions: int,
        details: Any | None,
    ) -> None:
        """A SafetyStatus. details: the whole message, where it has violations or a new text."""
        self.latencies['filter_tick_ms'].add(tick_ms)
        self.latencies['chunk_age_ms'].add(1e3 * chunk_age)
        before, self._interventions_before = self._interventions_before, interventions
        if before is not None:  # the counter begins again with the node
            self._interventions += interventions - before if interventions >= before else 0
        reason = '' if details is None else details.reason
        if details is None and self._filter is not None and self._filter[0] == state:
            reason = self._filter[1]
        if (state, reason) != self._filter:
            self._filter = (state, reason)
            self.event(now_ns, 'filter', state=name_of(FilterState, state), reason=reason)
        if details is not None:
            self._violations.update(now_ns, 'safety_filter', details.violations)
            for name, value in zip(details.counter_names, details.counter_values, strict=False):
                last = self._counted_before.get(name)
                # Before the session's first report it happened in another session.
                if last is not None:
                    self._counted[name] += value - last if value >= last else value
                self._counted_before[name] = value

    def inference(self, now_ns: int, status: Any) -> None:
        """An InferenceStatus."""
        self.latencies['observation_age_ms'].add(1e3 * status.observation_age)
        if status.policy and status.policy not in self._policies:
            self._policies.append(status.policy)
        state = (status.state, status.reason)
        if state != self._inference:
            self._inference = state
            self.event(
                now_ns, 'inference', state=name_of(InferenceState, status.state),
                reason=status.reason, policy=status.policy,
            )  # fmt: skip
        if self._finished is not None and status.instructions_finished > self._finished:
            self._results[status.last_result] += 1
            if (missed := status.instructions_finished - self._finished - 1) > 0:
                self._results['not known: the report was lost'] += missed
            self.event(
                now_ns, 'instruction_finished', instruction=self._instruction,
                result=status.last_result, success=status.last_result == SUCCESS,
            )  # fmt: skip
        self._finished = status.instructions_finished
        begun = self._instruction_id is not None and status.instruction_id != self._instruction_id
        if status.instruction and (begun or status.instruction != self._instruction):
            self._instructions += 1
            self.event(now_ns, 'instruction', instruction=status.instruction)
        self._instruction, self._instruction_id = status.instruction, status.instruction_id

    def chunk(self, now_ns: int, report: Any) -> None:
        """A ChunkReport."""
        self.latencies['observation_to_chunk_ms'].add(1e3 * report.delay)
        self.latencies['policy_call_ms'].add(report.call_ms)
        if report.model_ms > 0.0:
            self.latencies['model_ms'].add(report.model_ms)

    def balance(
        self, now_ns: int, level: int, margin: float, falling: bool, fallen: bool, details: Any
    ) -> None:
        """A BalanceState. details: the whole message, where it has violations."""
        if math.isfinite(margin):  # without contact there is none
            self._margin = margin if self._margin is None else min(self._margin, margin)
        state = (level, bool(falling), bool(fallen))
        if state != self._balance:
            self._balance = state
            self.event(
                now_ns, 'balance', level=name_of(Level, level), margin=margin,
                falling=bool(falling), fallen=bool(fallen),
                cause='' if details is None else details.cause,
            )  # fmt: skip
        if details is not None:
            self._violations.update(now_ns, 'balance_monitor', details.violations)

    def driver(
        self, now_ns: int, behaviour: int, fault: bool, loop_ms: float, details: Any | None
    ) -> None:
        """A DriverStatus. details: the whole message, where a text changed."""
        self.latencies['driver_loop_ms'].add(loop_ms)
        disagreement = self._driver[2] if self._driver is not None else ''
        if details is not None:
            disagreement = details.sensor_disagreement
        state = (behaviour, bool(fault), disagreement)
        if state != self._driver:
            self._driver = state
            facts: dict[str, Any] = {}
            if details is not None:
                facts = {
                    'reason': details.behaviour_reason,
                    'fault_detail': details.fault_detail,
                    'sensor_disagreement': disagreement,
                }
            name = name_of(Behaviour, behaviour)
            self.event(now_ns, 'driver', behaviour=name, fault=bool(fault), **facts)

    def step(self) -> None:
        """Count a step (`steps`)."""
        self._steps += 1

    # -- results -------------------------------------------------------------------------------

    def close(self) -> None:
        """End what is still open: the violations, and the time in the mode."""
        self._violations.close()
        self._count_mode(self._last_ns)

    def _count_mode(self, now_ns: int) -> None:
        if self._mode is not None:
            spent = max(0.0, 1e-9 * (now_ns - self._mode_since))
            self._seconds[name_of(Mode, self._mode)] += spent  # type: ignore[assignment]
        self._mode_since = now_ns

    def summary(self) -> dict[str, Any]:
        """The counts of the session; call `close` before."""
        failures = {text: n for text, n in self._results.items() if text != SUCCESS}
        finished = sum(self._results.values())
        return {
            'duration': self.seconds(self._last_ns),
            'modes': dict(self._seconds),
            'mode_changes': self._mode_changes,
            'stops': self._stops,
            'instructions': {
                'begun': self._instructions,
                'finished': finished,
                'successes': self._results[SUCCESS],
                'success_rate': self._results[SUCCESS] / finished if finished else None,
                'failures': dict(sorted(failures.items(), key=lambda item: -item[1])),
            },
            'policies': self._policies,
            'steps': self._steps,
            'interventions': self._interventions,
            'violations': self._violations.summary(),
            'filter_counters': {name: n for name, n in self._counted.items() if n},
            'lowest_balance_margin': self._margin,
            'lowest_speed_scale': self._scale,
            'latencies': {name: values.summary() for name, values in self.latencies.items()},
        }


def cause_of(cause: Any) -> dict[str, Any]:
    """A Cause as plain values."""
    return {
        'name': cause.name,
        'source': cause.source,
        'detail': cause.detail,
        'clears': cause.clears,
        'level': name_of(Level, cause.level),
        'present': bool(cause.present),
    }


def is_incident(event: dict[str, Any]) -> bool:
    """Whether an event is a stop, its cause, or a danger: what a person will look for."""
    kind, level = event['event'], event.get('level')
    return (
        (kind == 'mode' and event['to'] in ('SAFE_STOP', 'ESTOP'))
        or (kind == 'cause' and event['mode'] in ('SAFE_STOP', 'ESTOP'))
        or (kind in ('violation', 'balance') and level in ('DANGER', 'EMERGENCY'))
        or (kind == 'driver' and event['fault'])
        or (kind == 'instruction_finished' and not event['success'])
        or (kind == 'clock' and 'jump' in event)
    )
