# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation blending``: the blending modes side by side, for delays of a chunk."""

from typing import Any

import numpy as np

from vla_inference.blender import Blending, BlendingParameters
from vla_robot import load_robot
from vla_safety.parameters import FilterParameters, load_parameters
from vla_validation import report
from vla_validation.blending.closed_loop import TrackingOutcome, run

DELAYS = (0.1, 0.2, 0.3, 0.4)
MODES = (
    ('replace', Blending.REPLACE, False),
    ('ensemble', Blending.ENSEMBLE, False),
    # rtc for a policy that takes no prefix: the committed part and the blend time only.
    ('rtc, no prefix', Blending.RTC, False),
    ('rtc', Blending.RTC, True),
)


def row(outcomes: list[TrackingOutcome]) -> dict[str, float]:
    """The mean over the runs' errors, and the borders of all runs together."""
    jumps = np.concatenate([outcome.jumps for outcome in outcomes])
    p50, p95 = np.percentile(jumps, 50, axis=0), np.percentile(jumps, 95, axis=0)
    return {
        'error_rad': round(float(np.mean([outcome.error for outcome in outcomes])), 4),
        'position_p50': round(float(p50[0]), 4),
        'position_p95': round(float(p95[0]), 4),
        'velocity_p95': round(float(p95[1]), 3),
        'acceleration_p95': round(float(p95[2]), 2),
        'sent_acceleration_max': round(max(outcome.acceleration for outcome in outcomes), 2),
        'sent_jerk_rms': round(float(np.mean([outcome.jerk for outcome in outcomes])), 1),
        'beyond_limits': max(outcome.beyond for outcome in outcomes),
        'starved_s': round(float(np.sum([outcome.starved for outcome in outcomes])), 2),
        'borders': len(jumps),
    }


def study(
    robot, parameters: FilterParameters, delays, duration: float, seeds: int
) -> dict[str, dict[str, dict[str, float]]]:
    """delay in ms -> mode -> row."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for delay in delays:
        table[f'{1e3 * delay:.0f}'] = {
            name: row(
                [
                    run(robot, parameters, BlendingParameters(mode), delay, duration, seed, guided)
                    for seed in range(seeds)
                ]
            )
            for name, mode, guided in MODES
        }
    return table


COLUMNS = {
    'error_rad': 'error',
    'position_p95': 'dpos',
    'velocity_p95': 'dvel',
    'acceleration_p95': 'dacc',
    'sent_acceleration_max': 'acc max',
    'sent_jerk_rms': 'jerk',
    'beyond_limits': 'beyond',
    'starved_s': 'starved s',
    'borders': 'borders',
}


def main(arguments: list[str] | None = None) -> int:
    parser = report.parser(
        'blending',
        'Compare the blending modes in simulation, for delays of a chunk.',
        'error: RMS to the expert. At the borders between chunks, as requested: 95th percentile\n'
        'of the step in rad (dpos), rad/s (dvel), rad/s^2 (dacc). Sent by the filter: largest\n'
        'acceleration, RMS jerk, excess over the limits (beyond).\n\n'
        'Exit status 0: measured; 1: not.\n\n'
        'example:\n  ros2 run vla_validation blending --delay 0.1 0.3 --seeds 10',
    )
    parser.add_argument('--robot', default='humanoid32', help='robot name or directory')
    parser.add_argument(
        '--delay', type=float, nargs='+', default=DELAYS, help='delays of a chunk, s'
    )
    parser.add_argument(
        '--duration',
        type=float,
        default=20.0,
        help='simulated duration of each run, s (default 20)',
    )
    parser.add_argument(
        '--seeds', type=int, default=5, help='runs of each mode and delay (default 5)'
    )
    args = parser.parse_args(arguments)

    def work() -> tuple[dict[str, Any], int]:
        robot = load_robot(args.robot)
        found = study(robot, load_parameters(), args.delay, args.duration, max(1, args.seeds))
        if not args.json:
            rows = [
                (f'{delay} ms', mode, *(f'{row[key]:g}' for key in COLUMNS))
                for delay, modes in found.items()
                for mode, row in modes.items()
            ]
            print(report.table(('delay', 'mode', *COLUMNS.values()), rows))
        return found, 0

    return report.run('blending', work, args.json, failed=1)
