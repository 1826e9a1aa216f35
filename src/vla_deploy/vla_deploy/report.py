# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Report of `tune`: Markdown with charts, and JSON."""

import datetime
from collections.abc import Sequence
from pathlib import Path

from vla_deploy.atomic_io import as_json, write_whole
from vla_deploy.charts import Bar, Dot, draw_bars, draw_scatter
from vla_deploy.timing.benchmark import EAGER, Entry
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
        'closed_loop': None if loop is None else loop.to_dict(),
        'machine': processor(),
        'load': load(),
    }


def write_report(
    out: Path, bundle: Path, target: str, threads: int, outcome: TuningOutcome
) -> Path:
    """report.md, latency.png, tradeoff.png and tune.json in `out`. Returns the report's path."""
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / 'tune.json', as_json(to_dict(outcome)) + '\n')
    draw_latency(out / 'latency.png', outcome.entries, outcome.best)
    dots = [
        Dot(e.name, e.times.figures()['p50_ms'], e.parity.max_error_rad, kind(e, outcome.best))
        for e in outcome.entries
    ]
    axes = ('p50, ms', 'largest error, rad')
    draw_scatter(out / 'tradeoff.png', 'error against latency', axes, dots)
    lines = [
        f'# {bundle.resolve().name} on {target}',
        '',
        f'{datetime.date.today().isoformat()}, {processor()}, {threads} thread(s), load {load()}. '
        f'All candidates were timed in turns on the same observations ({outcome.observations}). '
        f'Reference: {outcome.reference}.',
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
        'size of the model file. cosine is the smallest of any observation, rad the largest error '
        'of any joint at any step. Speed-ups are measured, relative to the first row.',
    ]
    if outcome.closed_loop is not None:
        loop = outcome.closed_loop
        lines += ['', f'Closed loop, the same {loop.scenes} scenes: success {loop.summary}.']
    if outcome.refused:
        lines += ['', '## Rejected', '']
        lines += [f'- {name}: {reason}' for name, reason in outcome.refused.items()]
    path = out / 'report.md'
    write_whole(path, '\n'.join(lines) + '\n')
    return path


def _verdict(outcome: TuningOutcome) -> str:
    if outcome.best is None:
        return 'No candidate is the same policy.'
    best = next(entry for entry in outcome.entries if entry.name == outcome.best)
    first = outcome.entries[0].name
    text = (
        f'Best: {best.name} ({outcome.titles.get(best.name, "")}), {best.speedup:.2f} times as '
        f'fast as {first} by wall time, {best.cpu_speedup:.2f} by CPU time, at cosine '
        f'{best.parity.cosine:.5f}' + (', accepted by the closed loop.' if best.judged else '.')
    )
    if first == EAGER:
        enough = best.speedup >= WANTED
        text += f' The goal of {WANTED:g} times was {"reached" if enough else "not reached"}.'
        if not enough and 'pruned' not in outcome.titles:
            text += (
                ' Not tried: a pruned network, which is faster. It needs a dataset to train on '
                '(--data) and a closed loop to accept it (--scenes).'
            )
    return text


def figures_of(entry: Entry) -> tuple[str, ...]:
    """p50, p99, CPU p50, size, cosine, error and speed-up of an entry, as text for a table."""
    row = entry.to_dict()
    times = (f'{row[key]:.2f}' for key in ('p50_ms', 'p99_ms', 'cpu_p50_ms', 'size_mb'))
    return (*times, f'{row["cosine"]:.5f}', f'{row["max_error_rad"]:.1e}', f'{row["speedup"]:.2f}')


def success_of(entry: Entry) -> str:
    """Success in closed loop as text."""
    return '–' if entry.success is None else f'{entry.success:.0%}'


def _table(outcome: TuningOutcome) -> list[str]:
    head = ('candidate', 'p50 ms', 'p99 ms', 'CPU ms', 'MB', 'cosine', 'rad', 'success', 'times')
    rows = ['| ' + ' | '.join(head) + ' |', '|' + '---|' * len(head)]
    for entry in outcome.entries:
        name = f'**{entry.name}**' if entry.name == outcome.best else entry.name
        title = f'{name} {outcome.titles.get(entry.name, "")}'.strip()
        *figures, speedup = figures_of(entry)
        rows.append('| ' + ' | '.join((title, *figures, success_of(entry), speedup)) + ' |')
    return rows


def kind(entry: Entry, best: str | None) -> str:
    """Color of an entry in a chart."""
    return 'best' if entry.name == best else 'plain' if entry.passed else 'bad'


def draw_latency(path: Path, entries: Sequence[Entry], best: str | None) -> None:
    """Median and p99 of each entry."""
    bars = []
    for entry in entries:
        figures = entry.times.figures()
        remark = f'{entry.speedup:.2f} x'
        p50, p99 = figures['p50_ms'], figures['p99_ms']
        bars.append(Bar(entry.name, p50, p99, remark, kind(entry, best)))
    draw_bars(path, 'one chunk: p50, and p99 as the line', 'ms', bars)
