# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Success against speed scale and clearance, with 95 % intervals."""

from pathlib import Path

from vla_validation.filter_cost.episodes import FREE, OBSTACLES


def draw(result: dict, file: Path) -> None:
    """Save the figure (PNG, SVG or PDF)."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    figure, (speeds, clearances) = pyplot.subplots(
        1, 2, sharey=True, figsize=(10, 4), layout='constrained'
    )
    lines: dict[str, list[tuple[float, dict]]] = {}
    for name, group in result['settings'].items():
        agent, mode, scale, world = name.split(' ')
        lines.setdefault(f'{agent}, {mode}, {world}', []).append((float(scale), group))
        if world == OBSTACLES and scale == '1':
            steps = [(float(at), part) for at, part in group['by_clearance_m'].items()]
            _line(clearances, f'{agent}, {mode}', sorted(steps), 1000.0)
    for name, points in lines.items():
        _line(speeds, name, sorted(points, key=lambda point: point[0]), 1.0)
    speeds.set_xlabel('speed scale')
    speeds.set_ylabel('success [%]')
    clearances.set_xlabel('clearance of the scripted path [mm]')
    for axes in (speeds, clearances):
        axes.grid(alpha=0.3)
        if axes.has_data():
            axes.legend(fontsize='x-small')
    speeds.set_title(f'{FREE} and {OBSTACLES}')
    clearances.set_title('obstacles, speed scale 1')
    figure.savefig(file, dpi=120)
    pyplot.close(figure)


def _line(axes: object, name: str, points: list[tuple[float, dict]], factor: float) -> None:
    points = [(at, part) for at, part in points if part['n']]
    if not points:
        return
    success = [100 * part['success'] for _, part in points]
    low = [100 * (part['success'] - part['ci95'][0]) for _, part in points]
    high = [100 * (part['ci95'][1] - part['success']) for _, part in points]
    places = [factor * at for at, _ in points]
    axes.errorbar(places, success, (low, high), marker='o', capsize=3, alpha=0.8, label=name)
