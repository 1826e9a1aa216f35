# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The events of a what-if script, and how they are written.

One event is a time and some words: ``2.5 kill camera`` (at 2.5 s), ``+0.3 resume`` (0.3 s after the
event before), ``estop`` (1 s after the event before).
"""

import difflib
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from vla_common.errors import ConfigError
from vla_common.states import Level
from vla_supervisor.core import OperatorStep
from vla_validation.what_if.robot import PERIOD

GAP = 1.0
"""s between two events of which the second has no time."""

_LEVELS = tuple(level.name.lower() for level in Level)
_NODES = tuple(PERIOD)
ANY, SECONDS, COUNT = 'TEXT', 'S', 'N'


@dataclass(frozen=True)
class ScriptEventKind:
    """One kind of event: its first word, its arguments, and its meaning."""

    name: str
    words: tuple[str | tuple[str, ...], ...]
    meaning: str

    @property
    def usage(self) -> str:
        """As in the help."""
        shown = [w if isinstance(w, str) else '|'.join(w) for w in self.words]
        return ' '.join([self.name, *shown])


KINDS = (
    *(ScriptEventKind(step.value, (), f"operator step {step.value}") for step in OperatorStep),
    ScriptEventKind('finish', (), 'the instruction is done'),
    ScriptEventKind('kill', (_NODES,), 'the node\'s process is gone'),
    ScriptEventKind('freeze', (_NODES,), 'the node hangs: on the graph, silent'),
    ScriptEventKind('thaw', (_NODES,), 'the frozen node continues'),
    ScriptEventKind('restart', (_NODES,), 'a new process of the node, unconfigured'),
    ScriptEventKind('balance', (_LEVELS,), 'the balance monitor\'s level'),
    ScriptEventKind('filter', (('ok', 'infeasible', 'starved', *_LEVELS),),
         'the safety filter\'s state, or level'),
    ScriptEventKind('fall', (), 'the robot is on the floor'),
    ScriptEventKind('get_up', (), 'the robot is on its feet again'),
    ScriptEventKind('camera', (('frozen', 'moving'),), 'whether the images change'),
    ScriptEventKind('policy', (('loaded', 'unloaded', 'blocked'),), 'the policy\'s state'),
    ScriptEventKind('driver', (('ok', 'fault', 'disobeys', 'obeys', 'limp', 'stiff'),),
         'the driver\'s state'),
    ScriptEventKind('endpoint', (ANY, ('register', 'press', 'release', 'lose', 'find', 'leave')),
         'an e-stop endpoint (register: 0.5 s soft, 1 s hard; alive until lost)'),
    ScriptEventKind('publishers', (ANY, COUNT), 'how many publishers the topic has'),
    ScriptEventKind('stall', (SECONDS,), 'the supervisor does not run for S'),
    ScriptEventKind('clock_back', (SECONDS,), 'the steady clock goes back by S, once'),
    ScriptEventKind('wait', (), 'nothing; time passes'),
)  # fmt: skip

_BY_NAME = {kind.name: kind for kind in KINDS}
_TIME = re.compile(r'^(\+?)(\d+(?:\.\d*)?|\.\d+)$')


@dataclass(frozen=True)
class ScriptEvent:
    """One event at its time, s."""

    at: float
    kind: str
    words: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """As written, without its time."""
        return ' '.join((self.kind, *self.words))


def parse(lines: Iterable[str], place: str = 'script') -> list[ScriptEvent]:
    """Read a script: one event per line, or several separated by commas; # begins a comment.

    Raises:
        ConfigError: with the event, what was found and what is wanted.
    """
    events: list[ScriptEvent] = []
    for line in lines:
        for part in line.split('#', 1)[0].split(','):
            if part.strip():
                before = events[-1].at if events else 0.0
                events.append(parse_one(part.split(), before, place, f'event {len(events) + 1}'))
    return events


def parse_one(words: list[str], before: float, place: str, where: str) -> ScriptEvent:
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
    return ScriptEvent(at, kind.name, given)


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
    return '\n'.join(f'  {kind.usage}\n      {kind.meaning}' for kind in KINDS)
