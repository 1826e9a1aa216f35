# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The record of a preflight: what was checked, with which result, when, and for how long it counts.

`ros2 run vla_bringup preflight` writes it, the supervisor reads it. Pure, but for
`read` and `write`.
"""

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from vla_common.digests import tree_digest
from vla_common.errors import ConfigError

FORMAT = 1
LARGEST = 1_000_000  # bytes; a record has about 10 000

NOT_COUNTED = {
    'inference': ('instruction', 'time_limit'),
    'supervisor': ('preflight', 'preflight_record', 'preflight_bundle', 'preflight_configuration'),
}
"""Parameters by node that the digest of a configuration leaves out: what the robot is instructed to
do, and where the record is."""
OBSERVERS = ('recorder', 'dashboard', 'monitor')
"""Nodes whose parameters are not part of it: nothing on the control path depends on them."""


class CheckState(StrEnum):
    """CHECK: a person has to look, and confirms by name."""

    PASS = 'PASS'
    FAIL = 'FAIL'
    CHECK = 'CHECK'


@dataclass(frozen=True)
class Moment:
    """A time by the wall clock and by the clock that nobody sets: s since the boot `boot`."""

    wall: float
    uptime: float
    boot: str

    @classmethod
    def now(cls) -> Self:
        try:
            boot = Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii').strip()
        except OSError:
            boot = ''
        return cls(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), boot)

    def since(self, earlier: 'Moment') -> float:
        """s from `earlier` to this one. After a reboot the wall clock alone can tell; a negative
        age is a clock that was set back."""
        if self.boot and self.boot == earlier.boot:
            return self.uptime - earlier.uptime
        return self.wall - earlier.wall


@dataclass(frozen=True)
class CheckReport:
    """The result of one check. valid_for: s from `at` on in which it counts."""

    name: str
    result: CheckState
    evidence: str
    remedy: str = ''
    valid_for: float = 0.0
    at: Moment | None = None
    confirmed_by: str = ''

    def summary(self) -> dict[str, str]:
        """As in --json; the remedy of a passed check is not needed."""
        passed = self.result is CheckState.PASS
        return {
            'name': self.name,
            'result': str(self.result),
            'evidence': self.evidence,
            'remedy': '' if passed else self.remedy,
        }


@dataclass(frozen=True)
class PreflightRecord:
    """All checks of one robot, and the digests of what they looked at (`robot`, `bundle`,
    `configuration`)."""

    robot: str
    digests: Mapping[str, str]
    checks: tuple[CheckReport, ...]

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(c.result is CheckState.PASS for c in self.checks)

    def expired(self, now: Moment) -> str:
        """Why a result counts no more; empty while all do."""
        for check in self.checks:
            age = now.since(check.at) if check.at is not None else math.nan
            if age < 0.0:
                return f'{check.name}: made {-age:.0f} s from now (the clock was set back)'
            if not age <= check.valid_for:
                return f'{check.name}: {_hours(age)} old, valid for {_hours(check.valid_for)}'
        return ''

    def why_not(self, digests: Mapping[str, str], now: Moment) -> str:
        """Why this record does not permit motion; empty where it does.

        digests: of what the robot runs now; one that could not be made is empty and matches none.
        """
        for what in sorted(digests):
            if not digests[what]:
                return f'the {what} that runs has no digest'
            if self.digests.get(what) != digests[what]:
                return f'it was made for another {what}'
        open_ones = [f'{c.name} {c.result}' for c in self.checks if c.result is not CheckState.PASS]
        if open_ones or not self.checks:
            return f'not passed: {", ".join(open_ones) or "no check in it"}'
        return self.expired(now)

    def with_check(self, report: CheckReport) -> 'PreflightRecord':
        """With the check of the same name replaced."""
        checks = tuple(report if c.name == report.name else c for c in self.checks)
        return replace(self, checks=checks)

    def write(self, path: Path) -> None:
        """Write it, whole or not at all. Raises OSError."""
        body = {'format': FORMAT, 'passed': self.passed, **asdict(self)}
        text = json.dumps(body | {'sha256': _seal(body)}, indent=1)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f'.{path.name}.{os.getpid()}')
        with open(draft, 'w', encoding='utf-8') as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises ConfigError: it is missing, or is not what `write` wrote."""
        wanted = 'a record written by: ros2 run vla_bringup preflight'
        try:
            with open(path, 'rb') as file:
                body = json.loads(file.read(LARGEST))
            seal = body.pop('sha256')
            if body['format'] != FORMAT or seal != _seal(body):
                raise ConfigError(path, 'sha256', 'another content than was written', wanted)
            checks = tuple(_check(entry) for entry in body['checks'])
            return cls(str(body['robot']), dict(body['digests']), checks)
        except OSError as error:
            raise ConfigError(path, '', error.strerror or str(error), wanted) from None
        except ConfigError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            found = f'no record ({type(error).__name__})'
            raise ConfigError(path, '', found, wanted) from None


def _check(entry: Mapping[str, Any]) -> CheckReport:
    moment = Moment(**entry['at'])
    numbers = (moment.wall, moment.uptime, entry['valid_for'])
    if not all(type(n) in (int, float) and math.isfinite(n) for n in numbers):
        raise ValueError('a time that is no number')
    return CheckReport(**{**entry, 'result': CheckState(entry['result']), 'at': moment})


def _seal(body: Mapping[str, Any]) -> str:
    """Against edits by hand and torn files; it protects against nobody who means harm."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _hours(seconds: float) -> str:
    return f'{seconds:.0f} s' if seconds < 600.0 else f'{seconds / 3600.0:.1f} h'


def record_file(robot: str) -> Path:
    """Where the record of a robot is: ~/.ros/preflight/ROBOT.json ($ROS_HOME, as for ROS' logs).
    robot: the parameter, a name or a path."""
    home = os.environ.get('ROS_HOME') or '~/.ros'
    return Path(home).expanduser() / 'preflight' / f'{Path(robot).name or "robot"}.json'


def configuration_digest(parameters: Mapping[str, Mapping[str, Any]]) -> str:
    """SHA-256 of the values of all parameters, by node and name, but `NOT_COUNTED`."""
    counted = {
        node: {k: v for k, v in values.items() if k not in NOT_COUNTED.get(node, ())}
        for node, values in parameters.items()
        if node not in OBSERVERS
    }
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()


def bundle_digest(place: str) -> str:
    """SHA-256 of a policy bundle: of its policy.yaml, which lists the hash of every other file (the
    inference node loads no other bytes). Of the address, for a policy server. Raises OSError."""
    if '://' in place:
        return hashlib.sha256(place.encode()).hexdigest()
    return hashlib.sha256((Path(place) / 'policy.yaml').read_bytes()).hexdigest()


def robot_digest(directory: Path) -> str:
    """SHA-256 of a robot directory. Raises OSError."""
    return tree_digest(directory.resolve())


def digests_of(robot: Path | None, bundle: str, configuration: str) -> dict[str, str]:
    """The digests of what runs, or is to run, from its files as they are now; empty where one
    cannot be read. robot: its directory; bundle: its place; None and empty: not known."""
    return {
        'robot': _or_empty(robot_digest, robot),
        'bundle': _or_empty(bundle_digest, bundle),
        'configuration': configuration,
    }


def _or_empty(make: Callable[[Any], str], place: Any) -> str:
    try:
        return make(place) if place else ''
    except OSError:
        return ''


def summary(checks: Sequence[CheckReport]) -> dict[str, Any]:
    """As in --json."""
    passed = all(c.result is CheckState.PASS for c in checks)
    return {'passed': passed, 'checks': [c.summary() for c in checks]}
