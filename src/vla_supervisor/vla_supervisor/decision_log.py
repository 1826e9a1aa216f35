# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Log of what each decision was made from, and its replay.

A decision depends on time, on the conditions and reports of that instant, on the operator's steps,
and on the decisions before. A message of the log is a JSON object: a keyframe, from which a replay
can begin, and the decisions since then, each with what changed in its inputs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from vla_common.states import Level
from vla_supervisor.conditions import Condition, Reaction
from vla_supervisor.core import Supervisor
from vla_supervisor.decision import (
    Decision,
    DriverReport,
    OperatorStep,
    SupervisorConfig,
    SupervisorInputs,
)

VERSION = 1
FORBID, CLOSE = 'forbid_auto_arm', 'close'
LARGEST = 2000
"""Entries that wait; 50 a second are usual."""


def outcome(decision: Decision) -> dict[str, Any]:
    """What is compared: all of a decision but times and texts."""
    return {
        'mode': decision.mode.name,
        'behaviour': decision.behaviour.name,
        'motion_epoch': decision.motion_epoch,
        'speed_scale': decision.speed_scale,
        'level': decision.level.name,
        'armed': decision.armed,
        'causes': sorted(f'{c.condition.name} {c.present}' for c in decision.causes),
    }


class DecisionLog:
    """Collects what a supervisor passes to it; see `Supervisor`."""

    def __init__(self) -> None:
        self._entries: list[tuple] = []
        self._keyframe: dict[str, Any] | None = None
        self._number = 0
        self.enabled = False

    def decided(
        self, now: float, inputs: SupervisorInputs, new: frozenset[OperatorStep], decision: Decision
    ) -> None:
        """A decision. Nothing is serialized here: it is the stop path."""
        if self.enabled:
            self._entries.append((now, inputs, new, decision))
            if len(self._entries) > LARGEST:  # nobody takes them: the gap shows in the numbers
                self._entries.clear()
                self.enabled = False

    def called(self, name: str) -> None:
        """FORBID or CLOSE."""
        if self.enabled:
            self._entries.append((name,))

    def take(self, core: Supervisor, enabled: bool) -> str | None:
        """The message since the last call, if there is one; from now on collect, or not."""
        text = None
        if self._entries:
            content = {
                'version': VERSION,
                'number': self._number,
                'keyframe': self._keyframe,
                'entries': list(_changes(self._entries)),
            }
            text = json.dumps(content)
        self._number += 1
        self._entries.clear()
        self.enabled, self._keyframe = enabled, core.keyframe()
        return text


def _changes(entries: list[tuple]) -> Iterator[Any]:
    """The entries; inputs and outcome that are as before are null."""
    inputs_before, outcome_before = None, None
    for entry in entries:
        if len(entry) == 1:
            yield entry[0]
            continue
        now, inputs, new, decision = entry
        steps = [step.value for step in new]
        result = outcome(decision)
        yield [
            now,
            steps,
            None if inputs == inputs_before else _plain(inputs),
            None if result == outcome_before else result,
        ]
        inputs_before, outcome_before = inputs, result


def _plain(inputs: SupervisorInputs) -> dict[str, Any]:
    return _values(inputs) | {
        'conditions': [_values(condition) for condition in inputs.conditions],
        'driver': None if inputs.driver is None else _values(inputs.driver),
        'steps': [step.value for step in inputs.steps],
    }


def _values(given: Any) -> dict[str, Any]:
    """A dataclass without copies: `asdict` takes three times as long, in the thread that stops
    the robot."""
    return {field.name: getattr(given, field.name) for field in fields(given)}


def _inputs(plain: dict[str, Any]) -> SupervisorInputs:
    conditions = tuple(
        Condition(**c | {'reaction': Reaction(c['reaction']), 'level': Level(c['level'])})
        for c in plain['conditions']
    )
    driver = None if plain['driver'] is None else DriverReport(**plain['driver'])
    steps = frozenset(OperatorStep(step) for step in plain['steps'])
    given = {'conditions': conditions, 'driver': driver, 'steps': steps}
    return SupervisorInputs(**plain | given)


@dataclass(frozen=True)
class ReplayedDecision:
    """now: steady, s. recorded, replayed: see `outcome`."""

    now: float
    recorded: dict[str, Any]
    replayed: dict[str, Any]


class DecisionReplay:
    """Feeds a log to a supervisor.

    Attributes:
        skipped: decisions before the first keyframe, or after a gap until the next.
        gaps: places where messages are missing.
    """

    def __init__(self, config: SupervisorConfig) -> None:
        self._config = config
        self._core: Supervisor | None = None
        self._number: int | None = None
        self.skipped = self.gaps = 0

    def feed(self, text: str) -> Iterator[ReplayedDecision]:
        """The decisions of one message. Raises ValueError: another version."""
        content = json.loads(text)
        if content['version'] != VERSION:
            raise ValueError(f'log of version {content["version"]}, wanted {VERSION}')
        if self._number is not None and content['number'] != self._number + 1:
            self.gaps += 1
            self._core = None
        self._number = content['number']
        if self._core is None and content['keyframe'] is not None:
            self._core = Supervisor.resume(self._config, content['keyframe'])
        inputs, recorded = None, None
        for entry in content['entries']:
            core = self._core
            if isinstance(entry, str):
                if core is not None:
                    getattr(core, {FORBID: 'forbid_auto_arm', CLOSE: 'close'}[entry])()
                continue
            now, steps, changed, result = entry
            inputs = inputs if changed is None else _inputs(changed)
            recorded = recorded if result is None else result
            if core is None:
                self.skipped += 1
                continue
            decision = core.decide(now, inputs, frozenset(map(OperatorStep, steps)))
            yield ReplayedDecision(now, recorded, outcome(decision))
