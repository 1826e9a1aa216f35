# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Whether an instruction is carried out, from what the policy says before anything moves; and the
reason in the operator's words. Pure, with the time as an argument."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vla_policy.bundle.judged_outputs import WORDS, Acceptance
from vla_policy.types import Assessment

_OBJECT = re.compile(r'\b(at|the|with|for|to|your|my|a|an|both|between)\b', re.IGNORECASE)
_POLITE = re.compile(r'^(please|can you|could you)\b', re.IGNORECASE)
_LISTED = 4  # words of a refusal


@dataclass(frozen=True)
class AdmissionLimits:
    """observations: that are judged, fewer where they take longer than window, s."""

    observations: int = 3
    window: float = 0.3


@dataclass(frozen=True)
class Ruling:
    """refusal: why not; empty if the instruction is carried out. assessment: the mean."""

    assessment: Assessment
    refusal: str = ''


class Admission:
    """tasks: what the policy knows, as in its bundle."""

    def __init__(self, limits: AdmissionLimits) -> None:
        self._limits = limits
        self._seen: list[Assessment] = []
        self._since = 0.0

    def begin(self) -> None:
        """A new instruction."""
        self._seen.clear()

    def judge(
        self,
        assessment: Assessment,
        acceptance: Acceptance,
        text: str,
        tasks: Sequence[str],
        now: float,
    ) -> Ruling | None:
        """Take the assessment of one more observation; None: more of them are needed."""
        if not self._seen:
            self._since = now
        self._seen.append(assessment)
        late = now - self._since >= self._limits.window
        if len(self._seen) < self._limits.observations and not late:
            return None
        found = mean(self._seen)
        return Ruling(found, refusal(found, acceptance, text, tasks))


def mean(seen: Sequence[Assessment]) -> Assessment:
    """Of one instruction over several observations."""
    last = seen[-1]
    averages = {
        name: float(np.mean([getattr(one, name) for one in seen]))
        for name in ('understood', 'possible', 'done')
    }
    words = np.mean([[p for _, p in one.words] for one in seen], axis=0)
    named = tuple((w, float(p)) for (w, _), p in zip(last.words, words, strict=True))
    reasons = tuple(np.mean([one.reasons for one in seen], axis=0).tolist())
    return replace(last, **averages, words=named, reasons=reasons)


def refusal(found: Assessment, acceptance: Acceptance, text: str, tasks: Sequence[str]) -> str:
    """Why the instruction is not carried out, in the operator's words; empty if it is."""
    if acceptance.understood is not None and not found.understood >= acceptance.understood:
        return not_understood(found, acceptance.understood, text, tasks)
    if acceptance.possible is not None and not found.possible >= acceptance.possible:
        return not_possible(found, acceptance, text)
    return ''


def not_understood(found: Assessment, accept: float, text: str, tasks: Sequence[str]) -> str:
    """`I know wave, point; not "make", "coffee"`."""
    wrong = [word for word, fits in found.words if not fits >= accept]
    wrong = list(dict.fromkeys((*wrong, *found.unknown)))
    quoted = ', '.join(f'"{word}"' for word in wrong[:_LISTED]) if wrong else f'"{text}"'
    if len(wrong) > _LISTED:
        quoted += ' …'
    known = known_tasks(tasks)
    return f'I know {", ".join(known)}; not {quoted}' if known else f'I do not know {quoted}'


def not_possible(found: Assessment, acceptance: Acceptance, text: str) -> str:
    """The most probable reason of the bundle."""
    reason = acceptance.reasons[int(np.argmax(found.reasons))]
    return reason.replace(WORDS, text)


def known_tasks(tasks: Sequence[str]) -> list[str]:
    """What the examples of a bundle ask for, each once: "please touch the blue cube" is "touch"."""
    short = []
    for task in tasks:
        words = _POLITE.sub('', task.strip()).strip()
        short.append(_OBJECT.split(words, maxsplit=1)[0].strip() or words)
    return list(dict.fromkeys(name for name in short if name))
