# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""``ros2 run vla_validation inference``: what a chunk costs besides the model itself."""

import argparse
import os
from collections.abc import Sequence
from typing import Any

import cv2
import rclpy
from rclpy.signals import SignalHandlerOptions

from vla_common.distribution import distribution
from vla_common.errors import ConfigError
from vla_policy.bundle.resolve_bundle import installed_models, locate_bundle
from vla_policy.load import load_policy
from vla_robot import load_robot
from vla_validation import report
from vla_validation.inference.calls import call_times, openpi_loopback, preprocessing
from vla_validation.inference.pipeline import measure, send_images_as_the_robot_does
from vla_validation.system_harness.robot import own_domain

COLUMNS = ('p50', 'p99', 'max', 'n')


def _ms(seconds: Sequence[float]) -> dict[str, Any]:
    return distribution([1e3 * s for s in seconds])


def run(args: argparse.Namespace) -> dict[str, dict]:
    """The distributions by name. Raises ConfigError and PolicyError."""
    size = (args.width, args.height)
    robot = load_robot(args.robot)
    path = str(locate_bundle(args.bundle, installed_models(), '--bundle'))
    policy = load_policy(path, robot, threads=args.threads)
    bare, model = call_times(policy, robot, args.times, size)
    instruction = policy.bundle.tasks[0] if policy.bundle.tasks else 'wave'
    has_model = policy.bundle.has_model
    policy.close()
    found: dict[str, dict] = {'preprocess_ms': _ms(preprocessing(args.times, (640, 480), 224))}
    if has_model:
        times = openpi_loopback(path, args.robot, robot, args.times, size, args.threads)
        found['openpi_loopback_ms'] = _ms(times)
    found['bare_loop_ms'] = _ms(bare)
    found['model_ms'] = _ms(model)
    send_images_as_the_robot_does()
    with own_domain() as domain:
        # Ctrl-C is the command's: rclpy would end the context under the executor.
        rclpy.init(domain_id=domain, signal_handler_options=SignalHandlerOptions.NO)
        try:
            pipeline = measure(
                path, args.robot, robot, instruction, args.times, size, args.threads,
                by_stage=args.stages,
            )  # fmt: skip
        finally:
            rclpy.try_shutdown()
    if not pipeline.overheads:
        raise ConfigError('inference', 'chunks', 'none', 'one per frame')
    result = {
        'overhead_ms': distribution(pipeline.overheads) | {'frames_without_chunk': pipeline.lost}
    }
    if pipeline.undisturbed:
        result['undisturbed_ms'] = distribution(pipeline.undisturbed)
    stages = {'stages_ms': pipeline.stages} if args.stages else {}
    return result | found | {'machine_ms': pipeline.machine} | stages


def text(args: argparse.Namespace, result: dict[str, dict]) -> str:
    """The result, for the operator."""

    def rows(found: dict[str, dict]) -> str:
        cells = [
            (name, *(report.number(row[key], 3 * (key != 'n')) for key in COLUMNS))
            for name, row in found.items()
        ]
        return report.table(('', *COLUMNS), cells)

    stages = result.get('stages_ms', {})
    overhead, machine = result['overhead_ms'], result['machine_ms']
    calm = result.get('undisturbed_ms', {'n': 0})['n']
    lines = [
        f'{args.bundle}, {args.width} x {args.height}, load {os.getloadavg()[0]:.1f}, ms',
        rows({name: row for name, row in result.items() if name != 'stages_ms'}),
        f'frames without a chunk: {overhead["frames_without_chunk"]}; undisturbed by the machine: '
        f'{calm} of {overhead["n"]}; stolen by the hypervisor: {machine["stolen_ms"]:g} ms',
    ]
    return '\n'.join(lines + ([f'overhead by stage, ms\n{rows(stages)}'] if stages else []))


def main(arguments: list[str] | None = None) -> int:
    parser = report.parser(
        'inference',
        'Measure what a chunk costs besides the model itself.',
        'overhead: frame on the topic to chunk on the topic, through the node in its own process.\n'
        'openpi_loopback: the same bundle behind the openpi protocol, server in its own process.\n'
        "bare_loop: the same bundle called in a loop. All three without the model's own time,\n"
        'which is model. preprocess: 640 x 480 to a normalised 224 x 224. machine: how late\n'
        'observing processes, one on each processor at a priority above all else, woke meanwhile.\n'
        'undisturbed: the overhead of frames during which none of them was over 0.5 ms late.\n\n'
        'Exit status 0: measured; 1: not.\n\nexamples:\n'
        '  ros2 run vla_validation inference\n'
        '  ros2 run vla_validation inference --bundle models/my_policy --stages --json',
    )
    parser.add_argument('--bundle', default='humanoid_vla', help='name in models/ or directory')
    parser.add_argument('--robot', default='humanoid32', help='robot name or directory')
    parser.add_argument('--times', type=int, default=300, help='frames and calls to time')
    parser.add_argument('--threads', type=int, default=1, help='threads of the runtime')
    parser.add_argument('--width', type=int, default=640, help='width of the camera image')
    parser.add_argument('--height', type=int, default=480, help='height of the camera image')
    parser.add_argument(
        '--stages', action='store_true', help='measure the overhead of each stage too'
    )
    args = parser.parse_args(arguments)
    args.times = max(2, args.times)
    cv2.setNumThreads(args.threads)

    def work() -> tuple[dict[str, Any], int]:
        result = run(args)
        if not args.json:
            print(text(args, result))
        return result, 0

    return report.run('inference', work, args.json, failed=1)
