# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The `--qos-*` arguments and the profiles that they make."""

import argparse
from collections.abc import Callable

from rclpy.qos import QoSDurabilityPolicy, QoSPresetProfiles, QoSProfile, QoSReliabilityPolicy

from ros2cli.command import arg, positive
from ros2cli.node import DirectNode

_POLICIES = {'reliability': QoSReliabilityPolicy, 'durability': QoSDurabilityPolicy}


def qos_arguments(verb: str, default: str) -> list[Callable]:
    """The `--qos-*` arguments; `default` is the short name of the preset profile."""
    text = f'preset profile to {verb} with (default: {default})'
    presets = QoSPresetProfiles.short_keys()
    return [
        arg('--qos-profile', choices=presets, default=default, help=text),
        arg('--qos-depth', metavar='N', type=positive(int), help='queue size'),
        *(
            arg(f'--qos-{name}', choices=policy.short_keys(), help=f"replaces the profile's {name}")
            for name, policy in _POLICIES.items()
        ),
    ]


def qos_from(args: argparse.Namespace) -> tuple[QoSProfile, bool]:
    """Return the preset with the given policies in place, and whether there were any."""
    profile = QoSPresetProfiles.get_from_short_key(args.qos_profile)
    given = {name: getattr(args, f'qos_{name}') for name in _POLICIES}
    for name, key in given.items():
        if key is not None:
            setattr(profile, name, _POLICIES[name].get_from_short_key(key))
    if args.qos_depth is not None:
        profile.depth = args.qos_depth
    elif profile.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL and profile.depth == 0:
        profile.depth = 1
    return profile, any(value is not None for value in (*given.values(), args.qos_depth))


def choose_qos(node: DirectNode, name: str, args: argparse.Namespace) -> QoSProfile:
    """Return the profile that receives from every publisher there is."""
    profile, is_changed = qos_from(args)
    if is_changed:
        return profile
    offered = [info.qos_profile for info in node.get_publishers_info_by_topic(name)]
    for policy, strong, weak in (
        ('reliability', QoSReliabilityPolicy.RELIABLE, QoSReliabilityPolicy.BEST_EFFORT),
        ('durability', QoSDurabilityPolicy.TRANSIENT_LOCAL, QoSDurabilityPolicy.VOLATILE),
    ):
        offers = [getattr(qos, policy) == strong for qos in offered]
        if any(offers) and not all(offers):
            print(
                f'Some, but not all, publishers are offering {strong}. Falling back to {weak} '
                'as it will connect to all publishers'
            )
        if offers:
            setattr(profile, policy, strong if all(offers) else weak)
    return profile
