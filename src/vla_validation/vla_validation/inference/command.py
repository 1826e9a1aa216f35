# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_validation inference [--json]`: what a chunk costs besides the model itself.

overhead: frame on the topic to chunk on the topic, through the node in its own process. openpi
loopback: the same bundle behind the openpi protocol, server in its own process. bare loop: the same
bundle called in a loop, one call after the other. All three without the model's own time, which is
model_ms. preprocess: 640 x 480 to a normalised 224 x 224. machine: how late processes that only
sleep woke meanwhile, one on each of these processors, at a priority above all else. undisturbed:
the overhead of the frames during which none of them was more than 0.5 ms late.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

import cv2
import rclpy
from rclpy.signals import SignalHandlerOptions

from vla_common.errors import ConfigError
from vla_common.testing import own_domain
from vla_policy.bundle.resolve_bundle import installed_models, locate_bundle
from vla_policy.load import load_policy
from vla_policy.types import PolicyError
from vla_robot import load_robot
from vla_validation.inference.calls import openpi_loopback, outside, preprocessing
from vla_validation.inference.distribution import distribution
from vla_validation.inference.pipeline import measure, send_images_as_the_robot_does


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Raises ConfigError and PolicyError."""
    size = (args.width, args.height)
    robot = load_robot(args.robot)
    path = str(locate_bundle(args.bundle, installed_models(), '--bundle'))
    policy = load_policy(path, robot, threads=args.threads)
    bare, model = outside(policy, robot, args.times, size)
    words = policy.bundle.tasks[0] if policy.bundle.tasks else 'wave'
    has_model = policy.bundle.has_model
    policy.close()
    table: dict[str, dict] = {
        'preprocess_ms': distribution(preprocessing(args.times, (640, 480), 224))
    }
    if has_model:
        table['openpi_loopback_ms'] = distribution(
            openpi_loopback(path, args.robot, robot, args.times, size, args.threads)
        )
    table['bare_loop_ms'] = distribution(bare)
    table['model_ms'] = distribution(model)
    send_images_as_the_robot_does()
    # Ctrl-C is main's: rclpy would end the context under the executor.
    rclpy.init(domain_id=own_domain(), signal_handler_options=SignalHandlerOptions.NO)
    try:
        found = measure(
            path, args.robot, robot, words, args.times, size, args.threads, by_stage=args.stages
        )
    finally:
        rclpy.try_shutdown()
    if not found.overheads:
        raise ConfigError('benchmark', 'chunks', 'none', 'one per frame')
    overhead = distribution(found.overheads) | {'frames_without_chunk': found.lost}
    stages = {'stages_ms': found.stages} if args.stages else {}
    result = {'overhead_ms': overhead}
    if found.undisturbed:
        result['undisturbed_ms'] = distribution(found.undisturbed)
    return result | table | {'machine_ms': found.witness} | stages


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog='inference', description=__doc__.split('\n')[0])
    parser.add_argument('--bundle', default='humanoid_vla', help='name in models/ or directory')
    parser.add_argument('--robot', default='humanoid32', help='robot name or directory')
    parser.add_argument('--times', type=int, default=300, help='frames and calls to time')
    parser.add_argument('--threads', type=int, default=1, help='threads of the runtime')
    parser.add_argument('--width', type=int, default=640, help='of the camera image')
    parser.add_argument('--height', type=int, default=480, help='of the camera image')
    parser.add_argument('--stages', action='store_true', help='where the overhead comes from')
    parser.add_argument('--json', action='store_true', help='one JSON object as the last line')
    args = parser.parse_args(arguments)
    args.times = max(2, args.times)
    cv2.setNumThreads(args.threads)
    try:
        table = run(args)
    except (ConfigError, PolicyError, KeyboardInterrupt) as error:
        told = str(error) or 'interrupted'
        print(f'benchmark: {told}', file=sys.stderr)
        if args.json:
            print(json.dumps({'error': told}))
        return 1
    if args.json:
        print(json.dumps(table))
        return 0
    print(f'{args.bundle}, {args.width} x {args.height}, load {os.getloadavg()[0]:.1f}, ms')
    stages = table.pop('stages_ms', {})
    _print(table, 20)
    lost, stolen = table['overhead_ms']['frames_without_chunk'], table['machine_ms']['stolen_ms']
    calm = table.get('undisturbed_ms', {'n': 0})['n']
    print(
        f'frames without a chunk: {lost}; undisturbed by the machine: {calm} of '
        f'{table["overhead_ms"]["n"]}; the hypervisor kept {stolen:g} ms of the processors'
    )
    if stages:
        print('the overhead, stage by stage')
        _print(stages, 42)
    return 0


def _print(table: dict[str, dict[str, float]], width: int) -> None:
    for name, row in table.items():
        times = f'p50 {row["p50"]:8.3f}  p99 {row["p99"]:8.3f}  max {row["max"]:8.3f}'
        print(f'{name:{width}s} {times}')


if __name__ == '__main__':
    sys.exit(main())
