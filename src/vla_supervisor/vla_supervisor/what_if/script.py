# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The events that a person may let happen, and how they are written.

One event is a time and some words: ``2.5 kill camera`` (at 2.5 s), ``+0.3 resume`` (0.3 s after the
event before), ``estop`` (1 s after the event before).
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from vla_common.errors import ConfigError
from vla_common.levels import Level
from vla_supervisor.core import Step
from vla_supervisor.what_if.robot import PERIOD

GAP = 1.0
"""s between two events of which the second has no time."""

_LEVELS = tuple(level.name.lower() for level in Level)
_NODES = tuple(PERIOD)
ANY, SECONDS, COUNT = 'TEXT', 'S', 'N'


@dataclass(frozen=True)
class Kind:
    """One kind of event: its first word, what follows it, and what it means."""

    name: str
    words: tuple[str | tuple[str, ...], ...]
    told: str

    @property
    def usage(self) -> str:
        """As in the help."""
        shown = [w if isinstance(w, str) else '|'.join(w) for w in self.words]
        return ' '.join([self.name, *shown])


KINDS = (
    *(Kind(step.value, (), f'the operator\'s step {step.value}') for step in Step),
    Kind('finish', (), 'the instruction is done'),
    Kind('kill', (_NODES,), 'the node\'s process is gone'),
    Kind('freeze', (_NODES,), 'the node hangs: on the graph, saying nothing'),
    Kind('thaw', (_NODES,), 'the frozen node goes on'),
    Kind('restart', (_NODES,), 'a new process of the node, unconfigured'),
    Kind('balance', (_LEVELS,), 'the balance monitor\'s level'),
    Kind('filter', (('ok', 'infeasible', 'starved', *_LEVELS),),
         'the safety filter\'s state, or level'),
    Kind('fall', (), 'the robot lies'),
    Kind('get_up', (), 'the robot is on its feet again'),
    Kind('camera', (('frozen', 'moving'),), 'whether the pictures change'),
    Kind('policy', (('loaded', 'unloaded', 'blocked'),), 'the policy\'s state'),
    Kind('driver', (('ok', 'fault', 'disobeys', 'obeys', 'limp', 'stiff'),),
         'what the driver does'),
    Kind('endpoint', (ANY, ('register', 'press', 'release', 'lose', 'find', 'leave')),
         'an e-stop endpoint (register: 0.5 s soft, 1 s hard; alive until lost)'),
    Kind('publishers', (ANY, COUNT), 'how many publishers the topic has'),
    Kind('stall', (SECONDS,), 'the supervisor itself does not run for so long'),
    Kind('clock_back', (SECONDS,), 'the steady clock runs backwards by so much, once'),
    Kind('wait', (), 'nothing; only the time'),
)  # fmt: skip

_BY_NAME = {kind.name: kind for kind in KINDS}
_TIME = re.compile(r'^(\+?)(\d+(?:\.\d*)?|\.\d+)$')


@dataclass(frozen=True)
class Happening:
    """One event at its time, s."""

    at: float
    kind: str
    words: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """As written, without its time."""
        return ' '.join((self.kind, *self.words))


def parse(lines: Iterable[str], place: str = 'script') -> list[Happening]:
    """Read a script: one event per line, or several separated by commas; # begins a comment.

    Raises:
        ConfigError: naming the line, what stands there and what may.
    """
    told: list[Happening] = []
    for line in lines:
        for part in line.split('#', 1)[0].split(','):
            if part.strip():
                before = told[-1].at if told else 0.0
                told.append(parse_one(part.split(), before, place, f'event {len(told) + 1}'))
    return told


def parse_one(words: list[str], before: float, place: str, where: str) -> Happening:
    """Read one event that follows one at ``before`` s. Raises ConfigError."""
    at = before + GAP
    match = _TIME.match(words[0])
    if match:
        at = float(match[2]) + (before if match[1] else 0.0)
        words = words[1:] or ['wait']
    if at < before:
        raise ConfigError(
            place, where, f'time {at:g} s', f'not before the last event ({before:g} s)'
        )
    kind = _BY_NAME.get(words[0])
    if kind is None:
        near = difflib.get_close_matches(words[0], _BY_NAME, n=1)
        wanted = f'{near[0]}?' if near else 'one of ' + ', '.join(_BY_NAME)
        raise ConfigError(place, where, words[0], wanted)
    given = tuple(words[1:])
    if len(given) != len(kind.words) or not all(map(_fits, given, kind.words)):
        raise ConfigError(place, where, ' '.join(words), kind.usage)
    return Happening(at, kind.name, given)


def _fits(given: str, wanted: str | tuple[str, ...]) -> bool:
    if isinstance(wanted, tuple):
        return given in wanted
    if wanted == ANY:
        return True
    check: Callable[[str], float] = int if wanted == COUNT else float
    try:
        return math.isfinite(check(given)) and check(given) >= 0
    except ValueError:
        return False


def usage() -> str:
    """All events, one per line."""
    return '\n'.join(f'  {kind.usage}\n      {kind.told}' for kind in KINDS)
