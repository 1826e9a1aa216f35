# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_validation filter_cost`: what the safety filter costs a task."""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vla_common.errors import ConfigError
from vla_common.terminal import positive, progress
from vla_models.evaluation import DURATION
from vla_models.parallel import each
from vla_policy.bundle.bundle import load_bundle
from vla_robot import load_robot
from vla_safety.parameters import load_parameters
from vla_validation import report
from vla_validation.filter_cost.episodes import (
    AGENTS,
    MODES,
    WORLDS,
    CostEpisodes,
    Setting,
    settings,
    work,
)  # fmt: skip
from vla_validation.filter_cost.plot import draw
from vla_validation.filter_cost.summary import LIMITS, judged, summarise

SCALES = (1.0, 0.5, 0.25)
Item = tuple[Setting, int, int]


class Results:
    """Finished episodes in a file, a JSON line each, so that an interrupted campaign continues.

    Args:
        file: created with the first episode.
        digest: of everything that the episodes depend on but the code: others are not counted.
    """

    def __init__(self, file: Path, digest: str) -> None:
        self._file, self._digest = file, digest
        self.found: dict[Item, dict] = {}
        if not file.is_file():
            return
        for number, line in enumerate(file.read_text(encoding='utf-8').splitlines(), 1):
            try:
                record = json.loads(line)
                setting = Setting(*(record[key] for key in ('agent', 'mode', 'scale', 'world')))
                item = setting, record['seed'], record['number']
                mine = record['digest'] == digest
            except (ValueError, KeyError, TypeError):
                # The last line of a campaign that was killed.
                print(f'{file}, line {number}: not an episode, skipped', file=sys.stderr)
                continue
            if mine:
                self.found[item] = record

    def add(self, item: Item, record: dict) -> None:
        """Keep an episode, at once."""
        self.found[item] = record
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open('a', encoding='utf-8') as out:
            out.write(json.dumps({**record, 'digest': self._digest}) + '\n')


def digest(bundle: Path, robot: str, parameters: str | None, duration: float) -> str:
    """16 hexadecimal digits of what the episodes depend on."""
    parts = (
        (bundle / 'policy.yaml').read_text(encoding='utf-8'),
        load_robot(robot).urdf_text,
        repr(load_parameters(parameters)),
        repr(duration),
    )
    return hashlib.sha256('\0'.join(parts).encode()).hexdigest()[:16]


def measure(
    items: Sequence[Item],
    results: Results,
    arguments: tuple[str, str, str | None, float],
    jobs: int,
) -> list[dict]:
    """Records of `items`, of which those in `results` are not run again."""
    missing = [item for item in items if item not in results.found]
    with progress('episodes') as bar:
        line = bar.add_task('filter cost', total=len(items), completed=len(items) - len(missing))
        for item, record in each(CostEpisodes, arguments, missing, jobs):
            results.add(item, record)
            bar.advance(line)
    return [results.found[item] for item in items]


def _parser() -> argparse.ArgumentParser:
    p = report.parser(
        'filter_cost',
        'Run the same episodes with the safety filter and without it (in simulation only), at\n'
        'several speed scales, on the table as it is and with obstacles at the edge of what the\n'
        'task needs: success, stops, contacts.',
        'agents: policy (the bundle), scripted (knows the places of the cubes), noisy (scripted,\n'
        'with a random offset on every chunk). modes: off, and those of barriers.mode.\n'
        'An episode at speed scale s lasts 1/s times as long. The same scenarios serve every\n'
        'setting; differences are of pairs. Ctrl-C keeps what was measured; the same command\n'
        'continues. Exit status: 0 within the limits, 1 not, 2 not measured.\n\nexamples:\n'
        '  ros2 run vla_validation filter_cost --episodes 200 --jobs 2 --json --plot cost.png\n'
        '  ros2 run vla_validation filter_cost --agents scripted --scales 1 --episodes 20',
    )
    p.add_argument(
        '--bundle', type=Path, default=Path('models/humanoid_vla'), metavar='DIR',
        help='policy bundle (default models/humanoid_vla)',
    )  # fmt: skip
    p.add_argument('--agents', nargs='+', choices=AGENTS, default=AGENTS)
    p.add_argument('--modes', nargs='+', choices=MODES, default=MODES)
    p.add_argument('--scales', nargs='+', type=float, default=SCALES, metavar='S')
    p.add_argument('--worlds', nargs='+', choices=WORLDS, default=WORLDS)
    p.add_argument(
        '--episodes', type=positive, default=200, metavar='N', help='of each setting (default 200)'
    )
    p.add_argument(
        '--seeds', nargs='+', type=int, default=(1, 2, 3), metavar='SEED',
        help='the episodes are spread over them (default 1 2 3)',
    )  # fmt: skip
    p.add_argument('--jobs', type=positive, default=1, help='processes (default 1)')
    p.add_argument('--robot', default='humanoid32', help='name or path (default humanoid32)')
    p.add_argument('--filter', metavar='FILE', help='safety filter parameters (default: installed)')
    p.add_argument('--duration', type=float, default=DURATION, help='s at speed scale 1')
    p.add_argument(
        '--out', type=Path, default=Path('out/filter_cost'), metavar='DIR',
        help='where episodes.jsonl is kept (default out/filter_cost)',
    )  # fmt: skip
    p.add_argument('--plot', type=Path, metavar='FILE', help='draw success (PNG, SVG, PDF)')
    return p


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], int]:
    for scale in options.scales:
        if not 0.05 <= scale <= 1.0:
            raise ConfigError('command line', '--scales', scale, '0.05 to 1')
    load_bundle(options.bundle, load_robot(options.robot))  # before anything starts
    parameters = load_parameters(options.filter)
    arguments = (str(options.bundle), options.robot, options.filter, options.duration)
    results = Results(
        options.out / 'episodes.jsonl',
        digest(options.bundle, options.robot, options.filter, options.duration),
    )
    chosen = settings(options.agents, options.modes, options.scales, options.worlds)
    items = work(chosen, options.episodes, list(options.seeds))
    records = measure(items, results, arguments, options.jobs)
    result = summarise(records, parameters.coupled.mode.value, parameters.coupled.margin)
    result['machine'] = report.machine()
    if options.plot:
        draw(result, options.plot)
    failures = report.outside(judged(result), LIMITS)
    _show(result, failures)
    return result, 1 if failures else 0


def _show(result: dict, failures: list[str]) -> None:
    """Tables and what is outside its limit, on standard error."""
    columns = ('setting', 'success', '95 %', 'stops', 'nuisances', 'held s', 'contacts', 'off path')
    rows = []
    for name, part in result['settings'].items():
        low, high = (100 * value for value in part['ci95'])
        rows.append((
            name, f'{100 * part["success"]:.1f} % of {part["n"]}', f'{low:.0f}–{high:.0f}',
            part['stops']['n'], part['stops']['nuisance_share'], part['held_s'], part['contacts'],
            part['deviation_mean_rad'],
        ))  # fmt: skip
    print(report.table(columns, rows), file=sys.stderr)
    for failure in failures:
        print(f'outside its limit: {failure}', file=sys.stderr)


def main(args: list[str] | None = None) -> int:
    options = _parser().parse_args(args)
    return report.run('filter_cost', lambda: _run(options), options.json)


if __name__ == '__main__':
    sys.exit(main())
