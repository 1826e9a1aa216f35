# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`ros2 run vla_deploy help`: overview of the verbs."""

VERBS = {
    'from data to a bundle': {
        'reproduce': 'collect, train, export and evaluate in one command',
        'export': 'a training run, or a module of yours, becomes a policy bundle',
    },
    'a faster or smaller bundle': {
        'tune': 'tries all of these, verifies and times them, writes the best and a report',
        'optimise': 'the same arithmetic in fewer steps',
        'quantise': 'fewer bits',
        'prune': 'fewer weights',
    },
    'comparison': {
        'verify': 'is it still the same policy? by its answers, or in closed loop',
        'benchmark': 'latency of bundles, timed in turns',
        'compare': 'two policies on the same observations and scenes; or in shadow mode',
    },
    'computers': {
        'size': 'which computer is fast enough, before you buy it; writes its launch profile',
        'edge': 'a bundle for a Raspberry Pi, an N100, a NUC, a Jetson or a Coral',
        'build-engine': 'a TensorRT engine, on the GPU that will run it',
        'pipeline': 'a network that fits no single device, in stages over several',
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
        '\nfirst steps:\n'
        '  ros2 run vla_deploy tune --bundle models/humanoid_vla --target cpu --quick\n'
        '  ros2 launch vla_bringup humanoid.launch.py policy:=$PWD/out/tune/humanoid_vla/best'
    )
    return 0
