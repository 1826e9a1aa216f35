# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_validation blending [--json]`: the blending modes side by side, for delays."""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np

from vla_common.errors import ConfigError
from vla_inference.blender import Blending, BlendingParameters
from vla_robot import load_robot
from vla_safety.parameters import FilterParameters, load_parameters
from vla_validation.blending.closed_loop import TrackingOutcome, run

DELAYS = (0.1, 0.2, 0.3, 0.4)
MODES = (
    ('replace', Blending.REPLACE, False),
    ('ensemble', Blending.ENSEMBLE, False),
    # What rtc is for a policy that takes no prefix: the committed part and the lead-over only.
    ('rtc, unled', Blending.RTC, False),
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
                    run(robot, parameters, BlendingParameters(mode), delay, duration, seed, led)
                    for seed in range(seeds)
                ]
            )
            for name, mode, led in MODES
        }
    return table


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog='blending', description=__doc__)
    parser.add_argument('--robot', default='humanoid32', help='robot name or directory')
    parser.add_argument('--delay', type=float, nargs='+', default=DELAYS, help='s')
    parser.add_argument('--duration', type=float, default=20.0, help='simulated s of each run')
    parser.add_argument('--seeds', type=int, default=5, help='runs of each mode and delay')
    parser.add_argument('--json', action='store_true', help='one JSON object as the last line')
    args = parser.parse_args(arguments)
    try:
        robot = load_robot(args.robot)
        table = study(robot, load_parameters(), args.delay, args.duration, max(1, args.seeds))
    except ConfigError as error:
        print(error, file=sys.stderr)
        if args.json:
            print(json.dumps({'error': str(error)}))
        return 1
    if args.json:
        print(json.dumps(table))
        return 0
    print('error: RMS to the expert. Borders, as asked for: 95th percentile of the step in rad,')
    print('rad/s, rad/s^2. Sent by the filter: largest acceleration, RMS jerk, excess over limits.')
    print(
        f'{"delay":>6s} {"mode":10s} {"error":>7s} {"dpos":>7s} {"dvel":>7s} {"dacc":>7s} '
        f'{"acc max":>8s} {"jerk":>7s} {"beyond":>7s} {"starved":>8s} {"borders":>8s}'
    )
    for delay, modes in table.items():
        for mode, r in modes.items():
            print(
                f'{delay:>4s}ms {mode:10s} {r["error_rad"]:7.4f} {r["position_p95"]:7.4f} '
                f'{r["velocity_p95"]:7.3f} {r["acceleration_p95"]:7.2f} '
                f'{r["sent_acceleration_max"]:8.2f} {r["sent_jerk_rms"]:7.1f} '
                f'{r["beyond_limits"]:7.0e} {r["starved_s"]:7.2f}s {r["borders"]:8d}'
            )
    return 0


if __name__ == '__main__':
    sys.exit(main())
