# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy help`: what the verbs are, and where to begin."""

from __future__ import annotations

import sys

VERBS = {
    'from data to a policy': {
        'reproduce': 'the next four in one command, as the shipped policy was made',
        'collect': 'demonstrations in the simulator, as a LeRobot dataset',
        'train': 'a policy from a dataset; also fine-tuning (--init)',
        'export': 'a training run, or a module of your own, becomes a policy bundle',
        'evaluate': 'success of a bundle in simulated scenes',
    },
    'from a bundle to one that fits your computer': {
        'tune': 'the whole way: tries what there is, verifies, races, leaves the best and a report',
        'verify': 'is it still the same policy? by its answers, or by what it gets done',
        'optimise': 'the same arithmetic in fewer steps',
        'quantise': 'fewer bits',
        'prune': 'fewer weights',
        'benchmark': 'bundles timed against each other',
        'compare': 'two policies on the same observations and scenes; or in the shadow of a robot',
    },
    'which computer, and for it': {
        'size': 'which computer is fast enough, before you buy it; writes its launch profile',
        'edge': 'a bundle for a Raspberry Pi, an N100, a NUC, a Jetson or a Coral',
        'build-engine': 'a TensorRT engine, on the GPU that will run it',
        'pipeline': 'a network that fits no one device, in stages over several',
    },
}


def main(arguments: list[str] | None = None) -> int:
    print('ros2 run vla_deploy VERB ...; each VERB has a --help with examples.')
    print('(collect, train and evaluate: ros2 run vla_models VERB ...)')
    for title, verbs in VERBS.items():
        print(f'\n{title}:')
        for verb, does in verbs.items():
            print(f'  {verb:13} {does}')
    print(
        '\nto begin with:\n'
        '  ros2 run vla_deploy tune --bundle models/humanoid_vla --target cpu --quick\n'
        '  ros2 launch vla_bringup humanoid.launch.py policy:=$PWD/out/tune/humanoid_vla/best'
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
