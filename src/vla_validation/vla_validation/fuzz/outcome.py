# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Outcomes of fuzzed cases, and how the outcome of reading a broken file is assessed."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from vla_common.errors import ConfigError, first_line


class Outcome(Enum):
    """What became of a case. The last four are findings."""

    WORKS = 'works'
    REFUSED = 'refused'
    SILENT = 'silent'
    TRACEBACK = 'traceback'
    HANG = 'hang'
    MOTION = 'unexpected_motion'

    @property
    def is_finding(self) -> bool:
        return self not in (Outcome.WORKS, Outcome.REFUSED)


@dataclass(frozen=True)
class CaseResult:
    """changed: the mistakes that were made. detail: the refusal, or what is wrong."""

    outcome: Outcome
    changed: str
    detail: str = ''


class Subject(Protocol):
    """Something that reads what others bring. Constructed once per process."""

    def run(self, seed: int) -> CaseResult:
        """One case; the same seed gives the same case."""
        ...


class SilentlyAccepted(AssertionError):  # noqa: N818 - an outcome
    """Something that must be refused was used."""


class UnexpectedMotion(AssertionError):  # noqa: N818 - an outcome
    """A command moves where nothing may move, or leaves the limits."""


def assess(
    work: Callable[[], object], changed: str, must_refuse: bool = False, folder: Path | None = None
) -> CaseResult:
    """Do the work of a case: it returns where the input works, and raises where it does not.

    Args:
        changed: the mistakes that were made.
        must_refuse: whether they cannot be harmless.
        folder: temporary folder of the broken files, which a refusal has to name.
    """

    def shown(text: str) -> str:
        return text.replace(str(folder), '…') if folder is not None else text

    try:
        work()
    except ConfigError as refusal:
        wrong = _malformed(refusal, folder)
        outcome = Outcome.TRACEBACK if wrong else Outcome.REFUSED
        return CaseResult(outcome, changed, shown(f'{wrong}{refusal}'))
    except SilentlyAccepted as error:
        return CaseResult(Outcome.SILENT, changed, shown(str(error)))
    except UnexpectedMotion as error:
        return CaseResult(Outcome.MOTION, changed, shown(str(error)))
    except Exception as error:
        return CaseResult(Outcome.TRACEBACK, changed, shown(where(error)))
    if must_refuse:
        return CaseResult(Outcome.SILENT, changed, 'accepted')
    return CaseResult(Outcome.WORKS, changed)


def where(error: BaseException) -> str:
    """An exception, and the line of code that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f' ({Path(frames[-1].filename).name}:{frames[-1].lineno})' if frames else ''
    return f'{type(error).__name__}: {first_line(error)}{place}'


def _malformed(refusal: ConfigError, folder: Path | None) -> str:
    """What a refusal lacks, in words; empty for a good one."""
    if '\n' in str(refusal):
        return 'a refusal of several lines: '
    if folder is not None and not refusal.file.startswith(str(folder)):
        return 'a refusal that does not name the file: '
    if 'found , ' in str(refusal) or not refusal.wanted:
        return 'a refusal without found and wanted: '
    return ''
