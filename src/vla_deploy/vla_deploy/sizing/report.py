# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What `fit` found: Markdown with pictures for people, JSON for machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vla_deploy.atomic_io import as_json, write_whole
from vla_deploy.sizing.advice import Advice
from vla_deploy.sizing.calibration import RooflineCalibration
from vla_deploy.sizing.deployment import bundle_for
from vla_deploy.sizing.graph_cost import GraphCost
from vla_deploy.sizing.pictures import draw_ranges, draw_rooflines


def to_dict(
    name: str,
    cost: GraphCost,
    advice: Sequence[Advice],
    rate_hz: float,
    calibration: RooflineCalibration,
) -> dict:
    """The JSON of `fit`. devices are in the order of the recommendation."""
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
    recommended = next((a for a in advice if a.device.name == found['recommended']), None)
    lines = [f'# Where {name} fits, at {rate_hz:g} Hz', '']
    if recommended is None:
        lines.append('**No computer of those asked for is fast enough for certain.**')
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
        'These are estimates. Ranges are wide on purpose: rates on paper are not reached, and the '
        f'share that is was measured on one machine ({calibration.machine}, {calibration.date}, '
        f'{calibration.bundle}: {100 * calibration.efficiency:.0f} % of {calibration.peak_gflops:g}'
        f' GFLOPS, {calibration.overhead_us:.2f} us around an operator) and taken over with a '
        'factor of 2 each way. `ros2 run vla_deploy benchmark` on the computer itself decides.',
    ]
    if cost.unknown:
        lines += ['', f'Counted as no arithmetic: {", ".join(cost.unknown)}.']
    lines += ['', '## Why, and what each cannot do', '']
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
