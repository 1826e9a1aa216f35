# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Numbers of one session for comparing it with others; its bag is not needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vla_common.states import Mode
from vla_monitor.report.load import SessionData


@dataclass(frozen=True)
class Instruction:
    """An instruction that ended. t: s of the session."""

    text: str
    result: str
    success: bool
    t: float


@dataclass(frozen=True)
class Stop:
    """A stop. cause: the first one that the supervisor named."""

    t: float
    mode: str
    cause: str


@dataclass(frozen=True)
class SessionFacts:
    """What is counted. Hours are h, times s of the session, latencies ms.

    running: spans of RUNNING (begin, end). violations: episodes of level WARNING or above that did
    not begin in ESTOP, where the joints are passive.
    """

    folder: Path
    started: str
    start_ns: int
    hours: float
    running: tuple[tuple[float, float], ...]
    instructions: tuple[Instruction, ...]
    stops: tuple[Stop, ...]
    violations: tuple[dict[str, Any], ...]
    latencies: dict[str, dict[str, Any]]
    policies: tuple[str, ...]
    robot: str
    problems: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of the session's folder."""
        return self.folder.resolve().name

    @property
    def running_hours(self) -> float:
        """h in RUNNING."""
        return sum(end - begin for begin, end in self.running) / 3600.0

    @property
    def successes(self) -> int:
        """Instructions that were done."""
        return sum(one.success for one in self.instructions)

    @property
    def failures(self) -> Counter[str]:
        """Results of the others, without the numbers in them."""
        return Counter(failure_mode(one.result) for one in self.instructions if not one.success)

    def running_before(self, t: float) -> float:
        """h in RUNNING until `t`."""
        return sum(max(0.0, min(end, t) - begin) for begin, end in self.running) / 3600.0


def facts_of(data: SessionData) -> SessionFacts:
    """The facts of a session, from its events and its summary."""
    start_ns = data.description.get('start_ns') or 0
    return SessionFacts(
        data.folder,
        str(data.description.get('started') or ''),
        int(start_ns),
        data.duration / 3600.0,
        tuple(_spans(data, Mode.RUNNING)),
        tuple(instructions_of(data.events)),
        tuple(_stops(data.events)),
        tuple(_violations(data)),
        data.summary.get('latencies') or {},
        tuple(data.summary.get('policies') or ()),
        str(data.description.get('robot') or ''),
        tuple(data.problems),
    )


def instructions_of(events: Iterable[dict[str, Any]]) -> Iterable[Instruction]:
    """The instructions that ended, in order."""
    for event in events:
        if event['event'] == 'instruction_finished':
            yield Instruction(
                event.get('instruction') or '',
                event.get('result') or 'no result',
                bool(event.get('success')),
                event['t'],
            )


def failure_mode(result: str) -> str:
    """A result without what differs from one instruction to the next: after a colon, in
    brackets."""
    words = result.partition('(')[0].strip()
    head, colon, rest = words.partition(':')
    if head in ('refused', 'time limit') or not colon:
        return head.strip() or 'no result'
    return f'{head}: {rest.strip().split(":")[0]}'


def _spans(data: SessionData, mode: Mode) -> Iterable[tuple[float, float]]:
    rows = [event for event in data.events if event['event'] == 'mode']
    ends = [event['t'] for event in rows[1:]] + [data.duration]
    for event, end in zip(rows, ends, strict=True):
        if event['to'] == mode.name and end > event['t']:
            yield event['t'], end


def _violations(data: SessionData) -> Iterable[dict[str, Any]]:
    passive = list(_spans(data, Mode.ESTOP))
    for event in data.events:
        if event['event'] == 'violation':
            if not any(begin <= event['t'] <= end for begin, end in passive):
                yield event


def _stops(events: Iterable[dict[str, Any]]) -> Iterable[Stop]:
    for event in events:
        if event['event'] != 'mode' or event['to'] not in ('SAFE_STOP', 'ESTOP'):
            continue
        if is_ordinary_end(event):
            continue
        causes = [cause['name'] for cause in event.get('causes') or []]
        yield Stop(event['t'], event['to'], causes[0] if causes else 'no cause was recorded')


def is_ordinary_end(event: dict[str, Any]) -> bool:
    """Whether a stop is an operator's of a robot that did not move; each launch ends like this."""
    causes = [cause['name'] for cause in event.get('causes') or []]
    return causes == ['operator_stop'] and event.get('from') in ('READY', 'INACTIVE')
