# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Shape of the table of causes (`table.py`) and of what its checks return."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from vla_common.states import Level
from vla_monitor.report.load import SessionData


class Symptom(Enum):
    """What an operator notices. The value is its heading in the guide."""

    STOPPED = 'The robot stopped or fell'
    LATENCY = 'High latency'
    JERKY = 'Jerky motion'
    UNRESPONSIVE = 'Robot not responding'
    SUCCESS = 'Poor task success'
    FILTER = 'Filter triggering often'
    RECORDING = 'The recording is not complete'

    @property
    def key(self) -> str:
        """Name in JSON."""
        return self.name.lower()


class Result(Enum):
    """What a session shows of a cause."""

    SEEN = 'seen'
    NOT_SEEN = 'not seen'
    NOT_KNOWN = 'not known'


@dataclass(frozen=True)
class Evidence:
    """One observation in a session. t: s of the session, or None. level: how severe."""

    text: str
    t: float | None = None
    level: Level = Level.WARNING


@dataclass(frozen=True)
class Cause:
    """A row of the table.

    Attributes:
        key: name in JSON.
        symptom: under which it is listed.
        cause: what is wrong.
        evidence: where the session shows it; `{above}` stands for the threshold.
        remedy: what to do. Markdown; links are relative to docs/.
        check: returns the evidence in a session, or raises NotRecordedError.
        above: threshold of `check`, in the unit that `evidence` names.
        names: names or kinds that `check` looks for.
    """

    key: str
    symptom: Symptom
    cause: str
    evidence: str
    remedy: str
    check: Callable[[SessionData, Cause], list[Evidence]]
    above: float = 0.0
    names: tuple[str, ...] = ()

    @property
    def shown_at(self) -> str:
        """`evidence` with the threshold."""
        return self.evidence.replace('{above}', f'{self.above:g}').replace(
            '{percent}', f'{100.0 * self.above:g} %'
        )

    @property
    def plain_remedy(self) -> str:
        """`remedy` as text: a link is `words (docs/target)`."""
        return _LINK.sub(_link_as_text, self.remedy).replace('`', '')


_LINK = re.compile(r'\[([^\]]+)\]\(([^)#]+)[^)]*\)')


def _link_as_text(link: re.Match[str]) -> str:
    target = link[2].removeprefix('../') if link[2].startswith('../') else f'docs/{link[2]}'
    return f'{link[1]} ({target})'


@dataclass(frozen=True)
class CauseResult:
    """What a session shows of a cause. reason: why it is not known."""

    row: Cause
    result: Result
    evidence: tuple[Evidence, ...] = ()
    reason: str = ''

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            'cause': self.row.key,
            'result': self.result.value,
            'evidence': [{'text': e.text, 't': e.t, 'level': e.level.name} for e in self.evidence],
            'reason': self.reason,
            'remedy': self.row.remedy,
        }
