# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The `--qos-*` arguments and the profiles they make."""

from __future__ import annotations

import argparse

from rclpy.duration import Duration
from rclpy.qos import (
    QoSDurabilityPolicy,
    QoSHistoryPolicy,
    QoSLivelinessPolicy,
    QoSPresetProfiles,
    QoSProfile,
    QoSReliabilityPolicy,
)

_POLICIES = {
    'history': QoSHistoryPolicy,
    'reliability': QoSReliabilityPolicy,
    'durability': QoSDurabilityPolicy,
    'liveliness': QoSLivelinessPolicy,
}


def add_qos_arguments(parser: argparse.ArgumentParser, verb: str, default: str) -> None:
    """Add the arguments; `default` is the short name of the preset profile."""
    parser.add_argument(
        '--qos-profile',
        choices=QoSPresetProfiles.short_keys(),
        default=default,
        help=f'preset profile to {verb} with (default: {default})',
    )
    parser.add_argument('--qos-depth', metavar='N', type=int, help='queue size')
    for name, policy in _POLICIES.items():
        parser.add_argument(
            f'--qos-{name}', choices=policy.short_keys(), help=f"{name} in place of the profile's"
        )
    parser.add_argument(
        '--qos-liveliness-lease-duration-seconds', type=float, help='liveliness lease'
    )


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
