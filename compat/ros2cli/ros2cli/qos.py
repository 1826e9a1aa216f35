# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The `--qos-*` arguments and the profiles that they make."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from rclpy.duration import Duration
from rclpy.qos import (
    QoSDurabilityPolicy,
    QoSHistoryPolicy,
    QoSLivelinessPolicy,
    QoSPresetProfiles,
    QoSProfile,
    QoSReliabilityPolicy,
)

from ros2cli.command import arg

_POLICIES = {
    'history': QoSHistoryPolicy,
    'reliability': QoSReliabilityPolicy,
    'durability': QoSDurabilityPolicy,
    'liveliness': QoSLivelinessPolicy,
}


def qos_arguments(verb: str, default: str) -> list[Callable]:
    """The arguments; `default` is the short name of the preset profile."""
    return [
        arg(
            '--qos-profile',
            choices=QoSPresetProfiles.short_keys(),
            default=default,
            help=f'preset profile to {verb} with (default: {default})',
        ),
        arg('--qos-depth', metavar='N', type=int, help='queue size'),
        *(
            arg(f'--qos-{name}', choices=policy.short_keys(), help=f"replaces the profile's {name}")
            for name, policy in _POLICIES.items()
        ),
        arg('--qos-liveliness-lease-duration-seconds', type=float, help='liveliness lease'),
    ]


def overrides_given(args: argparse.Namespace) -> bool:
    """Whether any policy was given beside the preset."""
    names = (*_POLICIES, 'depth', 'liveliness_lease_duration_seconds')
    return any(getattr(args, f'qos_{name}') is not None for name in names)


def profile_from_arguments(args: argparse.Namespace) -> QoSProfile:
    """Return the preset with the given policies in place."""
    profile = QoSPresetProfiles.get_from_short_key(args.qos_profile)
    for name, policy in _POLICIES.items():
        key = getattr(args, f'qos_{name}')
        if key is not None:
            setattr(profile, name, policy.get_from_short_key(key))
    lease = args.qos_liveliness_lease_duration_seconds
    if lease is not None and lease >= 0.0:
        profile.liveliness_lease_duration = Duration(seconds=lease)
    if args.qos_depth is not None and args.qos_depth >= 0:
        profile.depth = args.qos_depth
    elif profile.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL and profile.depth == 0:
        profile.depth = 1
    return profile
