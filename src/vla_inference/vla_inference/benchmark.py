# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_inference benchmark --bundle DIR [--json]`: where a chunk's time goes."""

from __future__ import annotations

import argparse
import json
import sys
import time

import cv2
import numpy as np

from vla_common.errors import ConfigError
from vla_inference.policy import Observation, PolicyError, load_policy
from vla_robot import load_robot

WARM_UP = 10


def distribution(seconds: list[float]) -> dict[str, float]:
    """p50, p99, max in ms, and how many."""
    ms = 1e3 * np.asarray(seconds)
    return {
        'p50': round(float(np.percentile(ms, 50)), 3),
        'p99': round(float(np.percentile(ms, 99)), 3),
        'max': round(float(ms.max()), 3),
        'n': len(ms),
    }


def measure(policy, robot, times: int, width: int, height: int) -> dict[str, dict[str, float]]:
    """Distributions of preprocessing and of a whole prediction, on random images and joints."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, height, width, 3), np.uint8)
    words = policy.bundle.tasks[0] if policy.bundle.tasks else 'hold still'
    preprocess, run, predict = [], [], []
    for i in range(WARM_UP + times):
        observation = Observation(
            images={camera: images[i % 4] for camera in policy.bundle.cameras},
            position=robot.poses['standing'] + 0.01 * rng.standard_normal(robot.n),
            velocity=np.zeros(robot.n),
            orientation=np.array([1.0, 0.0, 0.0, 0.0]),
            instruction=words,
            stamp_ns=0,
            elapsed=0.1 * i,
        )
        began = time.perf_counter()
        policy.predict(observation)
        took = time.perf_counter() - began
        if i < WARM_UP:
            continue
        predict.append(took)
        preprocess.append(getattr(policy, 'preprocess_s', 0.0))
        run.append(getattr(policy, 'run_s', took))
    return {
        'preprocess_ms': distribution(preprocess),
        'run_ms': distribution(run),
        'predict_ms': distribution(predict),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog='benchmark', description=__doc__)
    parser.add_argument('--bundle', required=True, help='directory of the policy bundle')
    parser.add_argument('--robot', default='humanoid32', help='robot name or directory')
    parser.add_argument('--times', type=int, default=300, help='predictions to time')
    parser.add_argument('--threads', type=int, default=1, help='threads of the runtime')
    parser.add_argument('--width', type=int, default=320, help='width of the camera image')
    parser.add_argument('--height', type=int, default=240, help='height of the camera image')
    parser.add_argument('--json', action='store_true', help='one JSON object as the last line')
    args = parser.parse_args(arguments)
    cv2.setNumThreads(args.threads)
    try:
        robot = load_robot(args.robot)
        policy = load_policy(args.bundle, robot, threads=args.threads)
        table = measure(policy, robot, max(1, args.times), args.width, args.height)
    except (ConfigError, PolicyError) as error:
        print(error, file=sys.stderr)
        if args.json:
            print(json.dumps({'error': str(error)}))
        return 1
    policy.close()
    if args.json:
        print(json.dumps(table))
        return 0
    print(f'{policy.bundle.title} ({policy.bundle.runtime}), {args.threads} threads, ms')
    for name, row in table.items():
        print(f'{name:14s} p50 {row["p50"]:8.3f}  p99 {row["p99"]:8.3f}  max {row["max"]:8.3f}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
