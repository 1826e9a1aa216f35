# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Analyzers of diagnostics: which status belongs to which group, and the level of a group.

The semantics are diagnostic_aggregator's of Jazzy, so that one file gives the same groups here and
there. Time is injected, in s of any steady clock.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Protocol

DEFAULT_TIMEOUT = 5.0
"""s without an update after which an item is stale, unless its analyzer says otherwise."""
OTHER = 'Other'


class StatusLevel(IntEnum):
    """Levels of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3

    @property
    def text(self) -> str:
        """As diagnostic_aggregator writes it in a group's message."""
        return {0: 'OK', 1: 'Warning', 2: 'Error', 3: 'Stale'}[int(self)]


@dataclass(frozen=True)
class Status:
    """One status, received or reported. values: (key, value) pairs."""

    name: str
    level: StatusLevel
    message: str = ''
    hardware_id: str = ''
    values: tuple[tuple[str, str], ...] = ()


class Analyzer(Protocol):
    """Takes the statuses whose names it matches, and reports them under its path."""

    name: str
    path: str

    def match(self, name: str) -> bool:
        """Whether a status of this name belongs to it."""

    def analyze(self, status: Status, now: float) -> bool:
        """Take a status that matches; whether it was taken."""

    def report(self, now: float) -> list[Status]:
        """The group's own status and those in it; empty for an analyzer that reports nothing."""


@dataclass
class _Items:
    """Newest status of each name, with the time of its reception (None: never received)."""

    path: str
    timeout: float = DEFAULT_TIMEOUT
    num_items: int = -1
    discard_stale: bool = False
    kept: dict[str, tuple[Status, float | None]] = field(default_factory=dict)

    def report(self, now: float, began: float) -> list[Status]:
        """The header first. began: time from which an item that never came counts as silent."""
        level, all_stale, any_stale = StatusLevel.OK, True, False
        values, items = [], []
        for name in sorted(self.kept):
            status, received = self.kept[name]
            age = now - (began if received is None else received)
            stale = self.timeout > 0.0 and age > self.timeout
            if stale and self.discard_stale:
                del self.kept[name]
                continue
            level = max(level, status.level)
            any_stale |= stale
            all_stale &= stale or status.level == StatusLevel.STALE
            values.append((name, status.message))
            shown = StatusLevel.STALE if stale else status.level
            items.append(
                replace(status, name=f'{self.path}/{output_name(status.name)}', level=shown)
            )
        if all_stale:
            level = StatusLevel.OK if self.discard_stale else StatusLevel.STALE
        elif any_stale or level == StatusLevel.STALE:
            level = StatusLevel.ERROR
        message, found = level.text, len(self.kept)
        if self.num_items == 0 and not found:
            level, message = StatusLevel.OK, 'OK'
        elif 0 < self.num_items != found:
            level = max(level, StatusLevel.ERROR)
            message = f'Expected {self.num_items}, found {found}'
            if not found:
                message = f'No items found, expected {self.num_items}'
        return [Status(self.path, level, message, values=tuple(values)), *items]


class GenericAnalyzer:
    """Statuses whose names begin with, contain or match what it names.

    Args:
        name, path: its name, and the whole path, '/Robot/Cameras'.
        expected: names that are reported as missing, STALE, until they come. They must also be
            matched by one of the others.
        remove_prefix: texts that are cut off the begin of the reported names.
        num_items: number of statuses that must be there; -1: any, 0: an empty group is OK.
        discard_stale: forget a status that is stale; needs a positive timeout.
    """

    def __init__(
        self,
        name: str,
        path: str,
        *,
        startswith: Sequence[str] = (),
        contains: Sequence[str] = (),
        regex: Sequence[str] = (),
        names: Sequence[str] = (),
        expected: Sequence[str] = (),
        remove_prefix: Sequence[str] = (),
        timeout: float = DEFAULT_TIMEOUT,
        num_items: int = -1,
        discard_stale: bool = False,
    ) -> None:
        self.name, self.path = name, path
        self._startswith, self._contains = tuple(startswith), tuple(contains)
        self._regex = tuple(re.compile(expression) for expression in regex)
        self._names = frozenset(names)
        self._prefixes = tuple(output_name(prefix) for prefix in remove_prefix)
        self._items = _Items(path, timeout, num_items, discard_stale and timeout > 0.0)
        missing = {n: (Status(n, StatusLevel.STALE, 'Missing'), None) for n in expected}
        self._items.kept.update(missing)
        self._began: float | None = None

    def match(self, name: str) -> bool:
        return (
            name in self._names
            or name.startswith(self._startswith)
            or any(part in name for part in self._contains)
            or any(expression.fullmatch(name) for expression in self._regex)
        )

    def analyze(self, status: Status, now: float) -> bool:
        self._items.kept[status.name] = status, now
        return True

    def report(self, now: float) -> list[Status]:
        if self._began is None:
            self._began = now
        found = self._items.report(now, self._began)
        return [replace(s, name=self._without_prefix(s.name)) for s in found]

    def _without_prefix(self, name: str) -> str:
        for prefix in self._prefixes:
            path, _, last = name.rpartition('/')
            last = last.removeprefix(prefix)
            name = f'{path}/{last.removeprefix(":").lstrip(" ")}' if prefix else name
        return name


class AnalyzerGroup:
    """Analyzers under one path; a status goes to each that matches it.

    path: '/Robot'; empty: the members report without a header.
    """

    def __init__(self, name: str, path: str, analyzers: Sequence[Analyzer]) -> None:
        self.name, self.path = name, path
        self.analyzers = tuple(analyzers)
        self._matches: dict[str, tuple[Analyzer, ...]] = {}

    def match(self, name: str) -> bool:
        return bool(self._matching(name))

    def analyze(self, status: Status, now: float) -> bool:
        # Each of them, not only until the first.
        return any([analyzer.analyze(status, now) for analyzer in self._matching(status.name)])

    def report(self, now: float) -> list[Status]:
        if not self.analyzers:
            name = self.path if self.path not in ('', '/') else '/AnalyzerGroup'
            return [Status(name, StatusLevel.ERROR, 'No analyzers')]
        level, all_stale = StatusLevel.OK, True
        found: list[Status] = []
        values: list[tuple[str, str]] = []
        for analyzer in self.analyzers:
            reported = analyzer.report(now)
            found += reported
            for status in reported:
                if status.name == analyzer.path:
                    values.append((analyzer.name, status.message))
                    all_stale &= status.level == StatusLevel.STALE
                    level = max(level, status.level)
        if level == StatusLevel.STALE and not all_stale:
            level = StatusLevel.ERROR
        if self.path not in ('', '/'):
            found.append(Status(self.path, level, level.text, values=tuple(values)))
        return found

    def _matching(self, name: str) -> tuple[Analyzer, ...]:
        if name not in self._matches:
            self._matches[name] = tuple(a for a in self.analyzers if a.match(name))
        return self._matches[name]


class SilentAnalyzer:
    """IgnoreAnalyzer (matches nothing) and DiscardAnalyzer (`matcher`: what it swallows)."""

    def __init__(self, name: str, path: str, matcher: GenericAnalyzer | None = None) -> None:
        self.name, self.path, self._matcher = name, path, matcher

    def match(self, name: str) -> bool:
        return self._matcher is not None and self._matcher.match(name)

    def analyze(self, status: Status, now: float) -> bool:
        return self._matcher is not None

    def report(self, now: float) -> list[Status]:
        return []


class Aggregator:
    """All diagnostics of a robot, by the analyzers of one file.

    other_as_errors: a status that belongs to no analyzer is an error of the group "Other".
    """

    def __init__(self, root: AnalyzerGroup, other_as_errors: bool = False) -> None:
        self._root = root
        self._other = _Items(f'{root.path}/{OTHER}', discard_stale=True)
        self._other_as_errors = other_as_errors

    def add(self, status: Status, now: float) -> None:
        """Take one status that was received at `now`, s."""
        if not self._root.analyze(status, now):
            self._other.kept[status.name] = status, now

    def report(self, now: float) -> tuple[list[Status], StatusLevel]:
        """All groups and statuses, and the top level: the worst; ERROR where some are stale."""
        found = self._root.report(now)
        other = self._other.report(now, now)
        if len(other) > 1:
            if self._other_as_errors:
                text = 'Unanalyzed items found in "Other"'
                other[0] = replace(other[0], level=StatusLevel.ERROR, message=text)
            found += other
        levels = [status.level for status in found]
        if not levels:
            return found, StatusLevel.ERROR
        mixed = max(levels) == StatusLevel.STALE and min(levels) < StatusLevel.STALE
        return found, StatusLevel.ERROR if mixed else max(levels)


def output_name(name: str) -> str:
    """A status's name as the last part of a path: without slashes."""
    return name.replace('/', ' ')
