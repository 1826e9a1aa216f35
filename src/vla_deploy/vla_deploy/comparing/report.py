# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Report of `compare`: Markdown with a chart, and JSON."""

from pathlib import Path

from vla_deploy.atomic_io import as_json, write_whole
from vla_deploy.charts import Bar, draw_bars
from vla_deploy.comparing.comparison import ClosedLoopComparison, Interval, RecordedComparison
from vla_deploy.comparing.shadow import ShadowSummary


def write_report(
    out: Path,
    names: tuple[str, str],
    recorded: RecordedComparison | None = None,
    scenes: ClosedLoopComparison | None = None,
    shadow: ShadowSummary | None = None,
) -> dict:
    """report.md, compare.json and, of a recording, joints.png in `out`. Returns the JSON."""
    out.mkdir(parents=True, exist_ok=True)
    found: dict = {'a': names[0], 'b': names[1]}
    lines = [f'# {names[0]} (A) and {names[1]} (B)', '']
    if recorded is not None:
        found['recorded'] = recorded.to_dict()
        lines += _recorded(recorded)
        bars = [Bar(joint, mean, largest) for joint, (largest, mean) in recorded.joints.items()]
        draw_bars(out / 'joints.png', 'B minus A: mean, and largest as the line', 'rad', bars)
    if scenes is not None:
        found['scenes'] = scenes.to_dict()
        lines += _scenes(scenes)
    if shadow is not None:
        found['shadow'] = shadow.to_dict()
        lines += _shadow(shadow)
    write_whole(out / 'compare.json', as_json(found) + '\n')
    write_whole(out / 'report.md', '\n'.join(lines) + '\n')
    return found


def _span(x: Interval, digits: int = 4) -> str:
    return f'{x.mean:.{digits}f} ({x.low:.{digits}f} to {x.high:.{digits}f})'


def _recorded(r: RecordedComparison) -> list[str]:
    faster = r.latency_ms[0] / max(1e-9, r.latency_ms[1])
    return [
        f'## The same {r.observations} observations ({r.source})',
        '',
        '| | |',
        '|---|---|',
        f'| difference, RMS, rad | {_span(r.rms_rad)} |',
        f'| largest of a joint at any step, rad | {r.largest_rad:.4f} (observation {r.worst}) |',
        f'| A, a chunk, p50 | {r.latency_ms[0]:.2f} ms |',
        f'| B, a chunk, p50 | {r.latency_ms[1]:.2f} ms, {faster:.2f} times as fast |',
        f'| B saves, ms, in turns | {_span(r.saved_ms, 3)} |',
        '',
        'In brackets: 95 % bootstrap interval of the mean. The times include preprocessing.',
        '',
        '![by joint](joints.png)',
        '',
    ]


def _scenes(a: ClosedLoopComparison) -> list[str]:
    s = a.success
    low, high = s.interval
    lines = [
        f'## The same {s.scenes} simulated scenes',
        '',
        f'**B: {s.verdict}**: success {s.before:.0%} and {s.after:.0%}, '
        f'difference {s.difference:+.0%} (95 % interval {low:+.0%} to {high:+.0%}, paired); '
        f'{s.lost} succeeded with A only, {s.won} with B only. '
        f'Falls: {a.falls[0]} and {a.falls[1]}.',
        '',
    ]
    if a.later_s is not None:
        lines += [f'Where both succeeded, B was later by {_span(a.later_s, 2)} s.', '']
    lines += ['| task | A | B | scenes |', '|---|---|---|---|']
    lines += [f'| {kind} | {x} | {y} | {n} |' for kind, (x, y, n) in a.tasks.items()]
    return [*lines, '']


def _shadow(s: ShadowSummary) -> list[str]:
    lines = [f'## Shadow mode beside the running robot: {s.chunks} chunks', '']
    if s.rms_rad is not None:
        lines += [
            f'B would have differed by {_span(s.rms_rad)} rad RMS, at most {s.largest_rad:.4f} '
            f'rad; B took {s.latency_ms[0]:.1f} ms (p50), {s.latency_ms[1]:.1f} ms (p99) a chunk. '
            'Nothing was executed; shadow.jsonl has a line for each chunk.',
            '',
        ]
    lines += [f'- not compared: {n} × {reason}' for reason, n in s.skipped.items()]
    return [*lines, '']
