# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Draws doc/step.png of vla_safety: the commands for a step beyond a joint's limit.

    python -m vla_validation.filter.plot_step [FILE.png]

Top: position with the chunks' target and the position limits. Bottom: velocity with the bounds that
the filter computed for each tick and the velocity limits.
"""

import argparse
import dataclasses
import sys

import matplotlib
import numpy as np

from vla_safety.chunk import Chunk
from vla_safety.filter import SafetyFilter
from vla_safety.testing.synthetic import SyntheticRobot
from vla_validation.filter.benchmark import PARAMETERS

DURATION = 2.5


def record() -> dict[str, np.ndarray]:
    """A joint of ±1 rad, 2 rad/s, 10 rad/s²; chunks at 10 Hz target 1.4, then −0.5 rad."""
    robot = SyntheticRobot.uniform(1)
    subject = SafetyFilter(robot, dataclasses.replace(PARAMETERS, braking_lag=1.0))
    q, v = np.array([-0.8]), np.zeros(1)
    subject.reset(q)
    times = (np.arange(16) + 1) * 0.1
    rows = []
    for k in range(round(DURATION / 0.01)):
        now = 10.0 + k * 0.01
        wish = 1.4 if k < 120 else -0.5
        if k % 10 == 0:
            subject.accept(Chunk(np.array([0]), times, np.full((16, 1), wish), now), now, q)
        output = subject.tick(now, 0.01, q, v)
        q, v = output.position, output.velocity
        rows.append((k * 0.01, wish, q[0], v[0], subject.box.low[0], subject.box.high[0]))
    names = ('time', 'wish', 'position', 'velocity', 'low', 'high')
    return dict(zip(names, np.array(rows).T, strict=True))


def draw(track: dict[str, np.ndarray], file: str) -> None:
    """Save the figure."""
    matplotlib.use('Agg')
    from matplotlib import pyplot

    figure, (position, velocity) = pyplot.subplots(
        2, sharex=True, figsize=(8, 5), layout='constrained'
    )
    time = track['time']
    position.plot(time, track['wish'], color='gray', label='target')
    position.plot(time, track['position'], label='command')
    position.set_ylabel('position [rad]')
    for name in ('low', 'high'):
        label = 'bounds' if name == 'low' else None
        velocity.plot(time, track[name], color='orange', label=label)
    velocity.plot(time, track['velocity'], label='command')
    velocity.set_ylabel('velocity [rad/s]')
    velocity.set_xlabel('time [s]')
    for axes, limit in ((position, 1.0), (velocity, 2.0)):
        axes.axhline(limit, color='red', label='limits')
        axes.axhline(-limit, color='red')
        axes.grid(alpha=0.3)
        axes.legend(loc='upper right')
    figure.savefig(file, dpi=100)


def main(args: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog='plot_step', description='Draw the step into a limit.')
    parser.add_argument(
        'file', nargs='?', default='step.png', help='PNG to write (default step.png)'
    )
    options = parser.parse_args(args)
    draw(record(), options.file)
    print(options.file)
    return 0


if __name__ == '__main__':
    sys.exit(main())
