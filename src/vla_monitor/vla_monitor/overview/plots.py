# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Plots of many sessions, as PNG: success, failure modes and hours, session by session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vla_common.intervals import wilson
from vla_monitor.report.facts import SessionFacts
from vla_monitor.report.plots import png_of

SHADES = ('#e69f00', '#56b4e9', '#cc79a7', '#d55e00', '#f0e442', '#0072b2', '#999999')
_LABELS = 25


def plots_of(sessions: Sequence[SessionFacts]) -> list[tuple[str, bytes]]:
    """Title and PNG of each plot."""
    made = []
    for title, height, draw in (
        ('Success rate over time', 3.0, _success),
        ('Failure modes over time', 3.0, _failures),
        ('Operation over time', 2.6, _hours),
    ):
        figure = Figure(figsize=(10.5, height), layout='tight')
        axes = figure.subplots()
        if draw(axes, sessions):
            _label(axes, sessions)
            made.append((title, png_of(figure)))
    return made


def _label(axes: Axes, sessions: Sequence[SessionFacts]) -> None:
    """Each session has the same room: times between them say nothing."""
    step = max(1, len(sessions) // _LABELS)
    at = range(0, len(sessions), step)
    labels = [sessions[i].name.replace('_', '\n', 1) for i in at]
    axes.set_xticks(list(at), labels, fontsize=6, rotation=0 if len(sessions) < 12 else 90)
    axes.set_xlim(-0.6, len(sessions) - 0.4)
    axes.grid(axis='y', alpha=0.3)


def _success(axes: Axes, sessions: Sequence[SessionFacts]) -> bool:
    rows = [(i, s.successes, len(s.instructions)) for i, s in enumerate(sessions)]
    rows = [row for row in rows if row[2]]
    if not rows:
        return False
    at = np.array([i for i, _, _ in rows])
    shares = np.array([k / n for _, k, n in rows])
    ends = np.array([wilson(k, n) for _, k, n in rows])
    axes.errorbar(
        at, 100 * shares, yerr=100 * np.abs(ends.T - shares), fmt='o', capsize=3, color='#0072b2',
        label='a session, 95 % interval',
    )  # fmt: skip
    done = np.cumsum([k for _, k, _ in rows])
    all_of = np.cumsum([n for _, _, n in rows])
    label = f'all so far ({done[-1]} of {all_of[-1]})'
    axes.plot(at, 100 * done / all_of, color='#009e73', linewidth=1.5, label=label)
    bounds = np.array([wilson(int(k), int(n)) for k, n in zip(done, all_of, strict=True)])
    axes.fill_between(at, 100 * bounds[:, 0], 100 * bounds[:, 1], color='#009e73', alpha=0.15)
    axes.set_ylim(-3, 103)
    axes.set_ylabel('% done')
    axes.legend(fontsize=8, loc='lower left')
    return True


def _failures(axes: Axes, sessions: Sequence[SessionFacts]) -> bool:
    total: Counter[str] = Counter()
    for facts in sessions:
        total += facts.failures
    if not total:
        return False
    shown = [mode for mode, _ in total.most_common(len(SHADES) - 1)]
    bottom = np.zeros(len(sessions))
    for shade, mode in zip(SHADES, [*shown, ''], strict=False):
        counts = np.array(
            [
                facts.failures[mode]
                if mode
                else sum(n for m, n in facts.failures.items() if m not in shown)
                for facts in sessions
            ]
        )
        if counts.any():
            label = (mode or 'others')[:60]
            axes.bar(range(len(sessions)), counts, bottom=bottom, color=shade, label=label)
            bottom += counts
    axes.set_ylabel('instructions')
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize=7)
    return True


def _hours(axes: Axes, sessions: Sequence[SessionFacts]) -> bool:
    minutes = np.array([60.0 * facts.running_hours for facts in sessions])
    if not minutes.any():
        return False
    axes.bar(range(len(sessions)), minutes, color='#56b4e9', label='RUNNING')
    marked = [i for i, facts in enumerate(sessions) if facts.stops]
    axes.plot(marked, minutes[marked], 'v', color='#d55e00', label='with a stop')
    axes.set_ylabel('min')
    axes.legend(fontsize=8)
    return True
