# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The report as one HTML file that needs no network."""

from __future__ import annotations

from typing import Any

from vla_monitor.diagnosis.diagnose import diagnose, findings_of
from vla_monitor.recording import session
from vla_monitor.recording.digest import is_incident
from vla_monitor.report.load import SessionData
from vla_monitor.report.page import inline, number, rendered
from vla_monitor.report.plots import plots_of
from vla_monitor.report.stills import stills_at

MOST_STILLS = 12


def html_of(data: SessionData) -> str:
    """The report."""
    diagnoses = diagnose(data)
    return rendered(
        'session.html',
        name=data.folder.resolve().name,
        description=data.description,
        summary=data.summary,
        facts=_facts(data),
        diagnoses=diagnoses,
        findings=findings_of(diagnoses),
        plots=[(title, inline(png, 'png')) for title, png in plots_of(data)],
        stills=_stills(data),
        events=[(event, words_of(event)) for event in data.events],
        violations=[event for event in data.events if event['event'] == 'violation'],
        latencies=data.summary.get('latencies') or {},
        topics=data.summary.get('topics') or {},
    )


def _facts(data: SessionData) -> list[tuple[str, str]]:
    """Name and value of what the head of the report shows."""
    summary, description = data.summary, data.description
    prints = description.get('fingerprints') or {}
    bundle, robot = prints.get('bundle') or {}, prints.get('robot') or {}
    work = summary.get('instructions') or {}
    rate = work.get('success_rate')
    modes = ', '.join(f'{mode} {s:.1f} s' for mode, s in (summary.get('modes') or {}).items())
    commit = prints.get('commit', '')
    return [
        ('Begin', str(description.get('started', 'not known'))),
        ('Duration', f'{data.duration:.1f} s'),
        ('Robot', hashed(robot)),
        ('Policy', ', '.join(summary.get('policies') or []) or hashed(bundle)),
        ('Bundle', hashed(bundle)),
        ('Code', f'{commit[:12]}{", changed" * bool(prints.get("changed"))}' or 'not known'),
        ('Modes', modes or 'not known'),
        (
            'Instructions',
            f'{work.get("successes", 0)} of {work.get("finished", 0)} done'
            + (f' ({100.0 * rate:.0f} %)' if rate is not None else ''),
        ),
        ('Stops', str(len(summary.get('stops') or []))),
        ('Ticks changed by the filter', str(summary.get('interventions', 0))),
        ('Lowest balance margin', f'{number(summary.get("lowest_balance_margin"))} m'),
    ]


def hashed(facts: dict[str, Any]) -> str:
    digest = facts.get('sha256', '')[:12] or facts.get('error', '')
    return f'{facts.get("name", "")} {digest}'.strip() or 'not known'


def _stills(data: SessionData) -> list[tuple[float, str, list[tuple[str, str]]]]:
    """(t, words, (camera, picture)) of the incidents; without any, of the instructions."""
    chosen = [event for event in data.events if is_incident(event)]
    if not chosen:
        kinds = ('instruction', 'instruction_finished')
        chosen = [event for event in data.events if event['event'] in kinds]
    at: dict[float, str] = {}
    for event in chosen:  # several events of one instant have one picture
        if not at or event['t'] - max(at) > 0.5:
            at[event['t']] = words_of(event)
    times = list(at)[:MOST_STILLS]
    start_ns = data.description.get('start_ns') or 0
    found = stills_at(data.folder / session.VIDEOS, start_ns, times)
    return [
        (t, at[t], [(still.camera, inline(still.jpeg, 'jpeg')) for still in found[t]])
        for t in times
        if found[t]
    ]


def words_of(event: dict[str, Any]) -> str:
    """An event as text."""
    e, kind = event, event['event']
    if kind == 'mode':
        causes = '; '.join(f'{c["name"]} ({c["detail"]})' for c in e.get('causes') or [])
        return f'{e.get("from") or "begin"} → {e["to"]}' + (f': {causes}' if causes else '')
    if kind == 'cause':
        return f'{e["name"]} ({e["source"]}): {e["detail"]}. Clears: {e["clears"]}'
    if kind == 'cause_cleared':
        return f'{e["name"]} is no cause any more'
    if kind == 'instruction':
        return f'"{e["instruction"]}"'
    if kind == 'instruction_finished':
        return f'"{e["instruction"]}": {e["result"]}'
    if kind == 'violation':
        words = f'{e["source"]}: {e["violation"]} {e["subject"]} {number(e["value"], 4)}, limit '
        return f'{words}{number(e["limit"], 4)}, {e["seconds"]:.2f} s, {e["level"]}'
    if kind == 'nodes':
        return f'not active: {", ".join(e["missing"])}' if e['missing'] else 'all nodes active'
    facts = {key: value for key, value in e.items() if key not in ('t', 'event')}
    return ', '.join(f'{key} {number(value)}' for key, value in facts.items() if value != '')
