# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The table applied to a session."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from vla_common.states import Level
from vla_monitor.diagnosis.rows import Cause, CauseResult, Result, Symptom
from vla_monitor.diagnosis.table import TABLE
from vla_monitor.report.load import NotRecordedError, SessionData

MOST = 12
"""Findings of a report."""


@dataclass(frozen=True)
class Diagnosis:
    """A symptom with its causes, in the order of the table."""

    symptom: Symptom
    causes: tuple[CauseResult, ...]

    @property
    def result(self) -> Result:
        """SEEN where a cause was; NOT_KNOWN where the session decides less than half of them."""
        results = [cause.result for cause in self.causes]
        if Result.SEEN in results:
            return Result.SEEN
        unknown = results.count(Result.NOT_KNOWN)
        return Result.NOT_KNOWN if 2 * unknown > len(results) else Result.NOT_SEEN

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            'symptom': self.symptom.key,
            'title': self.symptom.value,
            'result': self.result.value,
            'causes': [cause.as_dict() for cause in self.causes],
        }


@dataclass(frozen=True)
class Finding:
    """One thing to look at, and what to do. t: s of the session, or None."""

    level: Level
    text: str
    t: float | None
    row: Cause


def diagnose(data: SessionData) -> list[Diagnosis]:
    """Each symptom of the table in a session."""
    return [
        Diagnosis(
            symptom, tuple(_checked(data, row) for row in TABLE if row.symptom is symptom)
        )
        for symptom in Symptom
    ]  # fmt: skip


def _checked(data: SessionData, row: Cause) -> CauseResult:
    try:
        evidence = tuple(row.check(data, row))
    except NotRecordedError as error:
        return CauseResult(row, Result.NOT_KNOWN, reason=str(error))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # Files of another version: the other rows are still of use.
        reason = f'the session has it in another form ({type(error).__name__}: {error})'
        return CauseResult(row, Result.NOT_KNOWN, reason=reason)
    return CauseResult(row, Result.SEEN if evidence else Result.NOT_SEEN, evidence)


def findings_of(diagnoses: list[Diagnosis]) -> list[Finding]:
    """What to look at first: the most severe evidence, at most MOST."""
    found = [
        Finding(evidence.level, evidence.text, evidence.t, cause.row)
        for diagnosis in diagnoses
        for cause in diagnosis.causes
        for evidence in cause.evidence
    ]
    # Of equal severity the earlier first: what follows a stop is often its consequence.
    found.sort(key=lambda f: (-f.level, math.inf if f.t is None else f.t))
    return found[:MOST]
