# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Report of `size`: Markdown with charts, and JSON."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vla_deploy.atomic_io import as_json, write_whole
from vla_deploy.charts import new_chart, write_chart
from vla_deploy.sizing.advice import Advice, Fits
from vla_deploy.sizing.calibration import RooflineCalibration
from vla_deploy.sizing.deployment import bundle_for
from vla_deploy.sizing.graph_cost import GraphCost
from vla_deploy.sizing.hardware import BYTES

COLORS = {Fits.YES: '#3c9650', Fits.PERHAPS: '#dca03c', Fits.NO: '#c85050'}


def to_dict(
    name: str,
    cost: GraphCost,
    advice: Sequence[Advice],
    rate_hz: float,
    calibration: RooflineCalibration,
) -> dict:
    """The JSON of `size`. devices are in the order of the recommendation."""
    return {
        'bundle': name,
        'rate_hz': rate_hz,
        'mega_operations': round(cost.operations / 1e6, 3),
        'weights_mb': round(cost.weight_bytes / 1e6, 3),
        'activations_mb': round(cost.activation_bytes / 1e6, 3),
        'operators': len(cost.nodes),
        'not_counted': list(cost.unknown),
        'calibration': vars(calibration),
        'devices': [one.to_dict() for one in advice],
        'recommended': next((a.device.name for a in advice if a.fits.value == 'yes'), None),
    }


def write_report(
    out: Path,
    bundle: Path,
    cost: GraphCost,
    advice: Sequence[Advice],
    rate_hz: float,
    calibration: RooflineCalibration,
    profiles: Sequence[Path],
) -> Path:
    """report.md, latency.png, roofline.png and fit.json in `out`."""
    name = bundle.resolve().name
    out.mkdir(parents=True, exist_ok=True)
    found = to_dict(name, cost, advice, rate_hz, calibration)
    write_whole(out / 'fit.json', as_json(found) + '\n')
    draw_ranges(out / 'latency.png', advice, 1e3 / rate_hz)
    draw_rooflines(out / 'roofline.png', cost, advice)
    recommended = next((a for a in advice if a.fits is Fits.YES), None)
    lines = [f'# Computers for {name} at {rate_hz:g} Hz', '']
    if recommended is None:
        lines.append('**None of these computers is certain to be fast enough.**')
    else:
        lines += [
            f'**{recommended.device.title}, in {recommended.chosen.precision}: '
            f'{_span(recommended)} ms a chunk; {recommended.why}.** It needs the least power of '
            'those that are fast enough even at the slow end of their range.',
            '',
            'The bundle for it:',
            '',
            f'    {bundle_for(recommended, str(bundle))}',
        ]
    lines += [
        '',
        f'One chunk: {cost.operations / 1e6:.1f} million operations '
        f'({100 * cost.matrix_operations / max(1.0, cost.operations):.0f} % of them in matrix '
        f'products and convolutions) in {len(cost.nodes)} operators, {cost.weight_bytes / 1e6:.2f} '
        f'MB of weights, {cost.activation_bytes / 1e6:.2f} MB of activations read and written.',
        '',
        '| computer | fits | precision | ms, range | expected | binds | MB | W | mJ, at most |',
        '|---|---|---|---|---|---|---|---|---|',
    ]
    for one in advice:
        chosen = one.chosen
        lines.append(
            f'| {one.device.title} | {one.fits.value} | {chosen.precision} | {_span(one)} | '
            f'{chosen.expected_ms:.2f} | {chosen.binds} | {chosen.memory_mb:.0f} | '
            f'{one.device.power_w.value:g} | {one.energy_mj:.1f} |'
        )
    lines += [
        '',
        '![latency](latency.png)',
        '',
        '![rooflines](roofline.png)',
        '',
        'These are estimates. No machine reaches its peak rate: the share that is reached was '
        f'measured on one machine ({calibration.machine}, {calibration.date}, '
        f'{calibration.bundle}: {100 * calibration.efficiency:.0f} % of {calibration.peak_gflops:g}'
        f' GFLOPS, {calibration.overhead_us:.2f} us of overhead per operator) and is applied to '
        'the others with a factor of 2 each way. Measure with `ros2 run vla_deploy benchmark` on '
        'the computer itself before you decide.',
    ]
    if cost.unknown:
        lines += ['', f'Not counted: {", ".join(cost.unknown)}.']
    lines += ['', '## Reasons and limits', '']
    for one in advice:
        lines.append(f'- **{one.device.title}**: {one.why}.')
        lines += [f'  - {remark}.' for remark in one.chosen.remarks]
        lines += [f'  - not: {word}.' for word in one.device.cannot]
    lines += ['', '## Figures', '', '| computer | figure | value | source |', '|---|---|---|---|']
    for one in advice:
        for key, figure in one.device.figures.items():
            lines.append(f'| {one.device.name} | {key} | {figure.value:g} | {figure.source} |')
    if profiles:
        lines += ['', '## Deployment profiles', '']
        lines += [f'- `{path}`' for path in profiles]
    path = out / 'report.md'
    write_whole(path, '\n'.join(lines) + '\n')
    return path


def _span(advice: Advice) -> str:
    return f'{advice.chosen.low_ms:.2g} to {advice.chosen.high_ms:.2g}'


def draw_ranges(path: Path, advice: Sequence[Advice], period_ms: float) -> None:
    """Range of latency (bar), expected latency (tick) and period (line), logarithmic."""
    title = 'one chunk: estimated range, tick: expected, line: period'
    figure, axes = new_chart(940, 100 + 30 * len(advice), title)
    for row, one in enumerate(advice):
        low, high = one.chosen.low_ms, one.chosen.high_ms
        axes.barh(row, high - low, left=low, color=COLORS[one.fits], height=0.55)
        axes.plot(one.chosen.expected_ms, row, '|', color='#282828', markersize=14)
        text = f'{one.chosen.precision}, {one.chosen.binds}'
        axes.annotate(text, (1.01, row), xycoords=('axes fraction', 'data'), va='center')
    axes.axvline(period_ms, color='#c83c3c')
    axes.set_xscale('log')
    axes.set_yticks(range(len(advice)), [one.device.name for one in advice])
    axes.invert_yaxis()
    axes.set_xlabel('ms')
    write_chart(path, figure)


def draw_rooflines(path: Path, cost: GraphCost, advice: Sequence[Advice]) -> None:
    """Operations per second over operations per byte, logarithmic: the roofline of each device in
    its chosen precision, and the attainable rate of this bundle on it (dot)."""
    title = 'rooflines in the chosen precision, and this bundle'
    figure, axes = new_chart(940, 520, title)
    axes.set(xlim=(0.1, 1e4), ylim=(1e9, 10**15.5), xscale='log', yscale='log')
    intensities = np.logspace(-1, 4, 200)
    height = 0.0
    for one in sorted(advice, key=lambda a: a.device.tops[a.chosen.precision].value):
        device, precision = one.device, one.chosen.precision
        peak, bandwidth = 1e12 * device.tops[precision].value, 1e9 * device.bandwidth_gbs.value
        rates = np.minimum(peak, bandwidth * intensities)
        axes.plot(intensities, rates, color=COLORS[one.fits], linewidth=1)
        here = cost.intensity * 4 / BYTES[precision]
        axes.plot(here, min(peak, bandwidth * here), 'o', color=COLORS[one.fits])
        height = max(peak, height * 1.5)  # names of similar rates do not overlap
        axes.annotate(device.name, (1.1e4, height), va='center', fontsize=8, annotation_clip=False)
    axes.set_xlabel('operations per byte of weights, inputs and outputs')
    axes.set_ylabel('operations/s')
    write_chart(path, figure)
