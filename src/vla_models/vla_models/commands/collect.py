# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_models collect`: make training data in the simulator."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from vla_common.errors import ConfigError
from vla_models.collection import FRAMES_PER_EPISODE, Collector, shard_arrays
from vla_models.commands.terminal import console, guarded, parser, positive, progress
from vla_models.dataset import DatasetInfo, shard_path, write_shard
from vla_models.parallel import each
from vla_robot import load_robot

EPISODES_PER_SHARD = 16


class ShardMaker:
    """Makes one shard at a time, in a process of its own."""

    def __init__(self, robot: str, seed: int, out: str, episodes: int) -> None:
        self.collector = Collector(load_robot(robot), seed)
        self.out, self.episodes = Path(out), episodes

    def __call__(self, number: int) -> int:
        first = number * EPISODES_PER_SHARD
        numbers = range(first, min(first + EPISODES_PER_SHARD, self.episodes))
        write_shard(shard_path(self.out, number), shard_arrays(self.collector, numbers))
        return len(numbers)


def collect(robot: str, episodes: int, out: Path, seed: int, jobs: int) -> int:
    """Write the shards that are missing in `out`; returns how many episodes were made.

    Raises ConfigError where `out` holds data of another kind or seed.
    """
    info = Collector(load_robot(robot), seed).info()
    if (out / 'dataset.json').exists():
        found = DatasetInfo.load(out)
        if found != info:
            raise ConfigError(out / 'dataset.json', '(all)', found, info)
    info.save(out)
    numbers = [
        n for n in range(-(-episodes // EPISODES_PER_SHARD)) if _unfinished(out, n, episodes)
    ]
    made = 0
    with progress('episodes') as bar:
        line = bar.add_task('collecting', total=episodes)
        finished = episodes - sum(_length(n, episodes) for n in numbers)
        bar.advance(line, finished)
        for _, count in each(ShardMaker, (robot, seed, str(out), episodes), numbers, jobs):
            made += count
            bar.advance(line, count)
    return made


def _length(number: int, episodes: int) -> int:
    return min(EPISODES_PER_SHARD, episodes - number * EPISODES_PER_SHARD)


def _unfinished(out: Path, number: int, episodes: int) -> bool:
    path = shard_path(out, number)
    if not (path / 'done').exists():
        return True
    # A last shard that was short when fewer episodes were asked for.
    frames = len(np.load(path / 'episode.npy', mmap_mode='r'))
    return frames < _length(number, episodes) * FRAMES_PER_EPISODE


def _run(arguments: list[str] | None) -> int:
    p = parser(
        'collect',
        'Sample scenes, postures and head camera images in the simulator, and write down what\n'
        'the expert would do for several instructions in each.',
        f'An episode is one scene, seen from {FRAMES_PER_EPISODE} postures; 1000 episodes take'
        ' about 0.3 GB.\nInterrupt it and run it again: it goes on. The format is described in'
        ' vla_models/dataset.py.\n\nexample:\n'
        '  ros2 run vla_models collect --episodes 3000 --out data --jobs 2',
    )
    p.add_argument('--episodes', type=positive, required=True, metavar='N', help='scenes to make')
    p.add_argument('--out', type=Path, required=True, metavar='DIR', help='dataset directory')
    p.add_argument('--seed', type=int, default=0, help='same seed, same data (default 0)')
    p.add_argument('--jobs', type=positive, default=1, help='processes (default 1)')
    p.add_argument('--robot', default='humanoid32', help='name or path (default humanoid32)')
    a = p.parse_args(arguments)
    made = collect(a.robot, a.episodes, a.out, a.seed, a.jobs)
    console.print(f'{made} new episodes, {a.episodes} in {a.out}')
    return 0


def main(arguments: list[str] | None = None) -> int:
    return guarded(_run, arguments)


if __name__ == '__main__':
    sys.exit(main())
