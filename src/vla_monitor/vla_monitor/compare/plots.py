# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Plots of a comparison, as PNG."""

from __future__ import annotations

from collections import Counter

import numpy as np
from matplotlib.figure import Figure

from vla_common.intervals import rate, wilson
from vla_monitor.report.facts import SessionFacts, facts_of
from vla_monitor.report.latencies import SERIES, latency_of
from vla_monitor.report.load import SessionData
from vla_monitor.report.plots import png_of, timeline

COLORS = ('#0072b2', '#d55e00')
WIDTH = 10.5
_NAMES = ('A', 'B')


def plots_of(a: SessionData, b: SessionData) -> dict[str, bytes]:
    """PNG by section of the page; a section without numbers has none."""
    facts = facts_of(a), facts_of(b)
    made = {
        'success': _success(facts),
        'latency': _latencies((a, b)),
        'violation': _violations(facts),
        'timeline': _timelines((a, b)),
    }
    return {name: png_of(figure) for name, figure in made.items() if figure is not None}


def _success(both: tuple[SessionFacts, SessionFacts]) -> Figure | None:
    if not any(facts.instructions for facts in both):
        return None
    modes = sorted({*both[0].failures, *both[1].failures})
    rows = ['done', *modes]
    figure = Figure(figsize=(WIDTH, 1.0 + 0.45 * len(rows)), layout='tight')
    axes = figure.subplots()
    for side, facts in enumerate(both):
        n = len(facts.instructions)
        if not n:
            continue
        counts = [facts.successes, *(facts.failures[mode] for mode in modes)]
        at = np.arange(len(rows)) + 0.18 * (2 * side - 1)
        shares = np.array(counts) / n
        ends = np.array([wilson(count, n) for count in counts])
        errors = np.abs(ends.T - shares)
        axes.errorbar(
            100 * shares, at, xerr=100 * errors, fmt='o', capsize=4, color=COLORS[side],
            label=f'{_NAMES[side]}: {n} instructions',
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [_short(row) for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(-2, 102)
    axes.set_xlabel('% of the instructions, with 95 % interval')
    axes.grid(axis='x', alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def _latencies(both: tuple[SessionData, SessionData]) -> Figure | None:
    found = [(name, [latency_of(data, name) for data in both]) for name in SERIES]
    found = [(name, sides) for name, sides in found if any(sides)]
    if not found:
        return None
    figure = Figure(figsize=(WIDTH, 1.0 + 0.45 * len(found)), layout='tight')
    axes = figure.subplots()
    for row, (_, sides) in enumerate(found):
        for side, latency in enumerate(sides):
            if latency is None:
                continue
            at = row + 0.18 * (2 * side - 1)
            points = [latency.p50, latency.p95, latency.max]
            known = [value for value in points if value]
            if known:
                axes.plot([known[0], known[-1]], [at, at], color=COLORS[side], linewidth=1.2)
            for value, mark in zip(points, ('o', 's', '|'), strict=True):
                if value:
                    axes.plot(value, at, mark, color=COLORS[side], markersize=7)
            if latency.low is not None and latency.high is not None:
                span = [max(latency.low, 1e-3), max(latency.high, 1e-3)]
                axes.plot(span, [at, at], color=COLORS[side], linewidth=6, alpha=0.35)
    for side in (0, 1):
        axes.plot([], [], 'o', color=COLORS[side], label=_NAMES[side])
    axes.set_xscale('log')
    labels = [name.removesuffix('_ms').replace('_', ' ') for name, _ in found]
    axes.set_yticks(range(len(found)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel('ms: circle p50, square p95 (wide: its range over parts of the session), | max')
    axes.grid(axis='x', alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def _violations(both: tuple[SessionFacts, SessionFacts]) -> Figure | None:
    counts = [
        Counter(f'{e["source"]}: {e["violation"]}' for e in facts.violations)
        + Counter(f'{stop.mode}: {stop.cause}' for stop in facts.stops)
        for facts in both
    ]
    rows = sorted({*counts[0], *counts[1]})
    if not rows or not any(facts.running_hours for facts in both):
        return None
    figure = Figure(figsize=(WIDTH, 1.0 + 0.4 * len(rows)), layout='tight')
    axes = figure.subplots()
    for side, facts in enumerate(both):
        hours = facts.running_hours
        if not hours:
            continue
        at = np.arange(len(rows)) + 0.18 * (2 * side - 1)
        rates = np.array([counts[side][row] / hours for row in rows])
        ends = np.array([rate(counts[side][row], hours) for row in rows])
        axes.errorbar(
            rates, at, xerr=np.abs(ends.T - rates), fmt='o', capsize=4, color=COLORS[side],
            label=f'{_NAMES[side]}: {60.0 * hours:.1f} min RUNNING',
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [_short(row) for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(left=0.0)
    axes.set_xlabel('per hour of RUNNING, with 95 % interval')
    axes.grid(axis='x', alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def _timelines(both: tuple[SessionData, SessionData]) -> Figure | None:
    figure = Figure(figsize=(WIDTH, 4.6), layout='tight')
    axes = figure.subplots(2, 1)
    end = max(data.duration for data in both)
    drawn = [timeline(axes[side], data) for side, data in enumerate(both)]
    for side in (0, 1):
        axes[side].set_title(_NAMES[side], loc='left', fontsize=9)
        if end > 0.0:
            axes[side].set_xlim(0.0, end)
    return figure if any(drawn) else None


def _short(text: str) -> str:
    return text if len(text) <= 40 else f'{text[:39]}…'
