# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What tuning found, as Markdown with pictures, and as JSON."""

from __future__ import annotations

import datetime
from pathlib import Path

from vla_deploy.atomic_io import as_json, write_whole
from vla_deploy.charts import Bar, Dot, draw_bars, draw_scatter
from vla_deploy.timing.benchmark import EAGER
from vla_deploy.timing.platform import load, processor
from vla_deploy.tuning import TuningOutcome

WANTED = 4.0  # times faster than eager float32


def to_dict(outcome: TuningOutcome) -> dict:
    """The JSON of `tune`."""
    loop = outcome.closed_loop
    return {
        'bundles': [entry.to_dict() for entry in outcome.entries],
        'best': outcome.best,
        'refused': outcome.refused,
        'closed_loop': None
        if loop is None
        else {
            'scenes': loop.scenes,
            'before': loop.before,
            'after': loop.after,
            'difference': loop.difference,
            'ci95': list(loop.interval),
            'equal': loop.equal,
        },
        'machine': processor(),
        'load': load(),
    }


def write_report(
    out: Path, bundle: Path, target: str, threads: int, outcome: TuningOutcome
) -> Path:
    """report.md, latency.png, tradeoff.png and tune.json in `out`. Returns the report's path."""
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / 'tune.json', as_json(to_dict(outcome)) + '\n')
    _draw(out, outcome)
    lines = [
        f'# {bundle.resolve().name} on {target}',
        '',
        f'{datetime.date.today().isoformat()}, {processor()}, {threads} thread(s), load {load()}. '
        f'All candidates take turns on the same observations ({outcome.observations}); '
        f'compared with: {outcome.reference}.',
        '',
        f'**{_verdict(outcome)}**',
        '',
        *_table(outcome),
        '',
        '![latency](latency.png)',
        '',
        '![error against latency](tradeoff.png)',
        '',
        'p50 and p99 are wall time of one chunk, CPU the median of processor time. MB is the '
        'model file. cosine is the smallest of an observation, rad the largest error of a joint '
        'at any step. Speed-ups are measured here, against the first row.',
    ]
    loop = outcome.closed_loop
    if loop is not None:
        low, high = loop.interval
        lines += [
            '',
            f'Closed loop, the same {loop.scenes} scenes: success {loop.before:.0%} before, '
            f'{loop.after:.0%} after ({loop.lost} lost, {loop.won} won; difference '
            f'{loop.difference:+.0%}, 95 % interval {low:+.0%} to {high:+.0%}): '
            f'{loop.verdict}.',
        ]
    if outcome.refused:
        lines += ['', '## Refused', '']
        lines += [f'- {name}: {reason}' for name, reason in outcome.refused.items()]
    path = out / 'report.md'
    write_whole(path, '\n'.join(lines) + '\n')
    return path


def _verdict(outcome: TuningOutcome) -> str:
    if outcome.best is None:
        return 'No candidate is the same policy.'
    best = next(entry for entry in outcome.entries if entry.name == outcome.best)
    first = outcome.entries[0].name
    said = (
        f'Best: {best.name} ({outcome.titles.get(best.name, "")}), {best.speedup:.2f} times as '
        f'fast as {first} by wall time, {best.cpu_speedup:.2f} by CPU time, at cosine '
        f'{best.parity.cosine:.5f}'
        + (', the same policy by what it gets done.' if best.judged else '.')
    )
    if first == EAGER:
        enough = best.speedup >= WANTED
        said += f' {WANTED:g} times was wanted: {"reached" if enough else "not reached"}.'
        if not enough and 'pruned' not in outcome.titles:
            said += (
                ' Not tried: a pruned network, which is faster, but takes data (--data) to train '
                'on and scenes (--scenes) to be judged in.'
            )
    return said


def _table(outcome: TuningOutcome) -> list[str]:
    head = ('candidate', 'p50 ms', 'p99 ms', 'CPU ms', 'MB', 'cosine', 'rad', 'success', 'times')
    rows = ['| ' + ' | '.join(head) + ' |', '|' + '---|' * len(head)]
    for entry in outcome.entries:
        row = entry.to_dict()
        name = f'**{entry.name}**' if entry.name == outcome.best else entry.name
        success = '–' if entry.success is None else f'{entry.success:.0%}'
        cells = (
            f'{name} {outcome.titles.get(entry.name, "")}'.strip(),
            f'{row["p50_ms"]:.2f}',
            f'{row["p99_ms"]:.2f}',
            f'{row["cpu_p50_ms"]:.2f}',
            f'{row["size_mb"]:.2f}',
            f'{row["cosine"]:.5f}',
            f'{row["max_error_rad"]:.1e}',
            success,
            f'{row["speedup"]:.2f}',
        )
        rows.append('| ' + ' | '.join(cells) + ' |')
    return rows


def _draw(out: Path, outcome: TuningOutcome) -> None:
    bars, dots = [], []
    for entry in outcome.entries:
        kind = 'best' if entry.name == outcome.best else 'plain' if entry.passed else 'bad'
        figures = entry.times.figures()
        p50, p99 = figures['p50_ms'], figures['p99_ms']
        bars.append(Bar(entry.name, p50, p99, f'{entry.speedup:.2f} x', kind))
        dots.append(Dot(entry.name, p50, entry.parity.max_error_rad, kind))
    draw_bars(out / 'latency.png', 'one chunk: p50, and p99 as the line', 'ms', bars)
    axes = ('p50, ms', 'largest error, rad')
    draw_scatter(out / 'tradeoff.png', 'error against latency', axes, dots)
