# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What two sessions were run with, and where it differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vla_monitor.report.load import SessionData

NOT_GIVEN = 'default'
LEFT_OUT = {
    ('recorder', 'directory'),
    ('recorder', 'configuration'),
    ('supervisor', 'preflight_configuration'),
}
"""Parameters that say where a session lies, and the digest of all others."""


@dataclass(frozen=True)
class Setting:
    """Something that both sessions were run with. what: its kind; name: which one."""

    what: str
    name: str
    a: str
    b: str


def different_settings(a: SessionData, b: SessionData) -> list[Setting]:
    """What differs: bundle first, then robot, code, parameters by node, machine."""
    return [one for one in _settings(a, b) if one.a != one.b]


def unknown_settings(a: SessionData, b: SessionData) -> list[str]:
    """What cannot be compared, because a session lacks it."""
    found = []
    for label, data in (('A', a), ('B', b)):
        prints = data.description.get('fingerprints') or {}
        if not data.configuration:
            found.append(f'{label} has no parameter files (configuration/)')
        found += [
            f'{label} has no hash of the {name}'
            + (f': {prints[name]["error"]}' if (prints.get(name) or {}).get('error') else '')
            for name in ('bundle', 'robot')
            if not (prints.get(name) or {}).get('sha256')
        ]
        if not prints.get('code'):
            found.append(f'{label} has no hashes of the code')
        elif prints.get('changed'):
            found.append(f'{label} was run with code that differs from its commit')
    return found


def _settings(a: SessionData, b: SessionData) -> Iterator[Setting]:
    one, two = (data.description.get('fingerprints') or {} for data in (a, b))
    for name in ('bundle', 'robot'):
        yield Setting(name, '', *(_hashed(prints.get(name) or {}) for prints in (one, two)))
    policies = (', '.join(data.summary.get('policies') or []) or 'none ran' for data in (a, b))
    yield Setting('policy', '', *policies)
    commits = (str(prints.get('commit') or 'not known')[:12] for prints in (one, two))
    yield Setting('code', 'commit', *commits)
    if one.get('code') and two.get('code'):
        for package in sorted({*one['code'], *two['code']}):
            digests = (str(prints['code'].get(package, 'none'))[:12] for prints in (one, two))
            yield Setting('code', package, *digests)
    if a.configuration and b.configuration:
        for node in sorted({*a.configuration, *b.configuration}):
            first, second = a.configuration.get(node, {}), b.configuration.get(node, {})
            for name in sorted({*first, *second}):
                if (node, name) not in LEFT_OUT:
                    values = (_text(values.get(name)) for values in (first, second))
                    yield Setting(f'/{node}', name, *values)
    machines = [data.description.get('machine') or {} for data in (a, b)]
    for key in sorted({*machines[0], *machines[1]}):
        yield Setting('machine', key, *(str(machine.get(key, '–')) for machine in machines))


def _hashed(facts: dict[str, Any]) -> str:
    digest = (facts.get('sha256') or '')[:12]
    return f'{facts.get("name", "")} {digest}'.strip() or 'not known'


def _text(value: Any) -> str:
    return NOT_GIVEN if value is None else str(value)
