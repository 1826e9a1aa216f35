# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Draws doc/step.png: what leaves the filter when a chunk asks for a step beyond a joint's limit.

    python -m vla_validation.filter.plot_step [FILE.png]

Needs nothing but NumPy: a plotting library is no dependency of a safety path. Left to right time,
0 … 2.5 s. Top: position (blue) with what the chunks ask for (grey) and the position limits (red).
Bottom: velocity (blue) with the bounds that the filter computed for each tick (orange) and the
velocity limits (red).
"""

from __future__ import annotations

import argparse
import dataclasses
import struct
import sys
import zlib

import numpy as np

from vla_safety.chunk import Chunk
from vla_safety.filter import SafetyFilter
from vla_safety.testing.synthetic import SyntheticRobot
from vla_validation.filter.benchmark import PARAMETERS

WIDTH, PANEL, EDGE = 760, 210, 14
INK = {
    'grid': (228, 228, 228),
    'grey': (140, 140, 140),
    'red': (200, 40, 40),
    'orange': (240, 160, 60),
    'blue': (30, 90, 200),
}
DURATION = 2.5


class Panel:
    """A rectangle of an image with axes: time across, a value up."""

    def __init__(self, image: np.ndarray, top: int, low: float, high: float) -> None:
        self._image, self._top = image, top
        self._low, self._high = low, high
        for value in np.arange(np.ceil(low), high + 1e-9):
            self.line([0.0, DURATION], [value, value], 'grid')
        for time in np.arange(0.0, DURATION + 1e-9, 0.5):
            self.line([time, time], [low, high], 'grid')

    def line(self, times, values, ink: str, width: int = 1) -> None:
        """A polyline."""
        x = EDGE + np.asarray(times, dtype=float) / DURATION * (WIDTH - 2 * EDGE)
        share = (np.asarray(values, dtype=float) - self._low) / (self._high - self._low)
        y = self._top + (1.0 - share) * PANEL
        for i in range(len(x) - 1):
            steps = int(max(abs(x[i + 1] - x[i]), abs(y[i + 1] - y[i]), 1)) * 2
            for s in np.linspace(0.0, 1.0, steps + 1):
                column = round(x[i] + s * (x[i + 1] - x[i]))
                row = round(y[i] + s * (y[i + 1] - y[i]))
                self._image[row : row + width, column : column + width] = INK[ink]


def record() -> dict[str, np.ndarray]:
    """A joint of ±1 rad, 2 rad/s, 10 rad/s²; chunks at 10 Hz ask for 1.4, then for −0.5 rad."""
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


def draw(track: dict[str, np.ndarray]) -> np.ndarray:
    """(H, W, 3) uint8."""
    image = np.full((2 * PANEL + 3 * EDGE, WIDTH, 3), 255, np.uint8)
    time = track['time']
    position = Panel(image, EDGE, -1.1, 1.5)
    position.line([0, DURATION], [1.0, 1.0], 'red')
    position.line([0, DURATION], [-1.0, -1.0], 'red')
    position.line(time, track['wish'], 'grey')
    position.line(time, track['position'], 'blue', 2)
    velocity = Panel(image, PANEL + 2 * EDGE, -2.3, 2.3)
    velocity.line([0, DURATION], [2.0, 2.0], 'red')
    velocity.line([0, DURATION], [-2.0, -2.0], 'red')
    velocity.line(time, track['low'], 'orange')
    velocity.line(time, track['high'], 'orange')
    velocity.line(time, track['velocity'], 'blue', 2)
    return image


def png(image: np.ndarray) -> bytes:
    """The smallest PNG encoder there is: one IDAT chunk, no filter."""
    height, width, _ = image.shape
    rows = b''.join(b'\0' + row.tobytes() for row in image)

    def block(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', check)

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return (
        b'\x89PNG\r\n\x1a\n'
        + block(b'IHDR', header)
        + block(b'IDAT', zlib.compress(rows, 9))
        + block(b'IEND', b'')
    )


def main(args: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog='plot_step', description='Draw the step into a limit.')
    parser.add_argument('file', nargs='?', default='step.png', help='default step.png')
    options = parser.parse_args(args)
    with open(options.file, 'wb') as stream:
        stream.write(png(draw(record())))
    print(options.file)
    return 0


if __name__ == '__main__':
    sys.exit(main())
