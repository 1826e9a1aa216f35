# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the node does with a bundle before it may run: find, load, look through it, warm it up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from vla_common.errors import ConfigError
from vla_inference.bundle import Bundle
from vla_inference.locate import is_address, locate_bundle
from vla_inference.policy import InstructionRefused, Observation, Policy, PolicyError, warm_up


def load_named(
    key: str, name: str, models: Callable[[], Path], make: Callable[..., Policy], *given, **settings
) -> Policy:
    """The policy that the parameter `key` names: an address, a directory, or a name in models."""
    where = name if is_address(name) else locate_bundle(name, models(), key)
    return make(where, *given, **settings)


def check_cameras(bundle: Bundle, known: Iterable[str]) -> None:
    for camera in bundle.cameras:
        if camera not in known:
            raise ConfigError(
                str(bundle.file), 'inputs.image.camera', camera, ', '.join(sorted(known))
            )


def check_instruction(policy: Policy, text: str) -> None:
    """Raise ConfigError when the parameter `instruction` means nothing to the policy."""
    if not text:
        return
    try:
        policy.check(text)
    except InstructionRefused as error:
        raise ConfigError('parameters', 'instruction', str(error), 'one of those') from error


def warmed_up(policy: Policy, robot: Any, limit: float) -> tuple[float, float]:
    """The usual and the worst time (s) of a call on black images, so that the first real call is
    not the slow one. Raises ConfigError beyond `limit` s, and for an unusable answer."""
    bundle = policy.bundle
    camera = robot.camera
    black = np.zeros((camera.height, camera.width, 3), np.uint8)
    first = next(iter(bundle.motions.values()), None)
    words = ' '.join(word.split('|')[0] for word in first.words) if first else ''
    observation = Observation(
        images={name: black for name in bundle.cameras},
        position=robot.poses['standing'].copy(),
        velocity=np.zeros(len(robot.joint_names)),
        orientation=np.array([1.0, 0.0, 0.0, 0.0]),
        instruction=words or 'hold still',
        stamp_ns=0,
        elapsed=0.0,
    )
    try:
        durations = warm_up(policy, observation)
    except PolicyError as error:
        raise ConfigError(str(bundle.file), 'model', str(error), 'a usable chunk') from error
    usual, worst = sorted(durations)[len(durations) // 2], max(durations)
    if usual > limit:
        raise ConfigError(
            str(bundle.file),
            'model',
            f'{usual:.3f} s a call',
            f'at most policy_timeout, {limit} s',
        )
    return usual, worst
