# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the node does with a bundle before it may run: find, load, look through it, warm it up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vla_common.errors import ConfigError
from vla_inference.instruction_text import worded
from vla_policy.bundle.bundle import Bundle
from vla_policy.bundle.model_inputs import History
from vla_policy.bundle.resolve_bundle import is_address, locate_bundle
from vla_policy.bundle.scripted_spec import ScriptedSpec
from vla_policy.load import warm_up
from vla_policy.types import InstructionRefused, Observation, Policy, PolicyError


def load_named(
    key: str, name: str, models: Callable[[], Path], make: Callable[..., Policy], *given, **settings
) -> Policy:
    """The policy that the parameter `key` names: an address, a directory, or a name in models."""
    where = name if is_address(name) else locate_bundle(name, models(), key)
    return make(where, *given, **settings)


@dataclass(frozen=True)
class CameraTopics:
    """Where a camera's images come from; no depth: empty."""

    color: str
    depth: str = ''


def read_cameras(
    names: Sequence[str], color: Sequence[str], depth: Sequence[str]
) -> dict[str, CameraTopics]:
    """The parameters cameras.*, three lists of one length. Raises ConfigError."""
    for key, topics in (('cameras.color', color), ('cameras.depth', depth)):
        if len(topics) != len(names):
            raise ConfigError(
                'parameters', key, f'{len(topics)} topics', f'one for each of {", ".join(names)}'
            )
    if len(set(names)) != len(names):
        raise ConfigError('parameters', 'cameras.names', ', '.join(names), 'each once')
    return {n: CameraTopics(c, d) for n, c, d in zip(names, color, depth, strict=True)}


def check_cameras(bundle: Bundle, known: Mapping[str, CameraTopics]) -> None:
    """Raise ConfigError unless there is a topic for everything that the bundle looks at."""
    for cameras, kind, key in (
        (bundle.cameras, 'color', 'inputs.image.camera'),
        (bundle.depth_cameras, 'depth', 'inputs.depth.camera'),
    ):
        there = sorted(name for name, topics in known.items() if getattr(topics, kind))
        for camera in cameras:
            if camera not in there:
                wanted = (
                    f'one with a topic in cameras.{kind}: {", ".join(there) or "there is none"}'
                )
                raise ConfigError(str(bundle.file), key, camera, wanted)


def common_history(bundles: Sequence[Bundle]) -> History:
    """The one that the observations must have for all of them. Raises ConfigError when two differ;
    a bundle without a history does not mind one."""
    wanted = [bundle.history for bundle in bundles if bundle.history.frames > 1]
    for bundle in bundles:
        if bundle.history.frames > 1 and bundle.history != wanted[0]:
            raise ConfigError(
                str(bundle.file),
                'inputs.history',
                bundle.history,
                f'that of the policy, {wanted[0]}',
            )
    return wanted[0] if wanted else History()


def check_instruction(policy: Policy, text: str) -> str:
    """The parameter `instruction` as it will be given. Raises ConfigError when it is none, or
    means nothing to the policy."""
    try:
        words = worded(text)
    except ValueError as error:
        raise ConfigError('parameters', 'instruction', str(error), 'words') from error
    try:
        if words:
            policy.check(words)
    except InstructionRefused as error:
        raise ConfigError('parameters', 'instruction', str(error), 'one of those') from error
    return words


def warmed_up(policy: Policy, robot: Any, limit: float) -> tuple[float, float]:
    """The usual and the worst time (s) of a call on black images, so that the first real call is
    not the slow one. Raises ConfigError beyond `limit` s, and for an unusable answer."""
    bundle = policy.bundle
    camera = robot.camera
    black = np.zeros((camera.height, camera.width, 3), np.uint8)
    far = np.ones((camera.height, camera.width), np.float32)
    spec = bundle.spec
    words = spec.example if isinstance(spec, ScriptedSpec) else 'hold still'
    observation = Observation(
        images={name: black for name in bundle.cameras},
        position=robot.poses['standing'].copy(),
        velocity=np.zeros(len(robot.joint_names)),
        orientation=np.array([1.0, 0.0, 0.0, 0.0]),
        instruction=words,
        stamp_ns=0,
        elapsed=0.0,
        depths={name: far for name in bundle.depth_cameras},
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
