# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Configuration of the inference node: bundles, cameras, warm-up, memory budget."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from vla_common.errors import ConfigError
from vla_inference.session import instruction_text
from vla_policy.bundle.bundle import Bundle
from vla_policy.bundle.model_inputs import SINGLE, History
from vla_policy.bundle.resolve_bundle import is_address, locate_bundle
from vla_policy.bundle.scripted_spec import ScriptedSpec
from vla_policy.load import warm_up
from vla_policy.types import InstructionRefused, Observation, Policy, PolicyError

MEGABYTE = 2**20


def load_named(
    key: str, name: str, models: Callable[[], Path], make: Callable[..., Policy], *given, **settings
) -> Policy:
    """The policy that the parameter `key` names: an address, a directory, or a name in models."""
    where = name if is_address(name) else locate_bundle(name, models(), key)
    return make(where, *given, **settings)


@dataclass(frozen=True)
class CameraTopics:
    """Image topics of a camera; depth is empty without one."""

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
    """Raise ConfigError unless every camera of the bundle has a topic."""
    for cameras, kind, key in (
        (bundle.cameras, 'color', 'inputs.image.camera'),
        (bundle.depth_cameras, 'depth', 'inputs.depth.camera'),
    ):
        there = sorted(name for name, topics in known.items() if getattr(topics, kind))
        for camera in cameras:
            if camera not in there:
                known = ', '.join(there) or 'there is none'
                wanted = f'one with a topic in cameras.{kind}: {known} (launch: cameras:=)'
                raise ConfigError(str(bundle.file), key, camera, wanted)


def common_history(bundles: Sequence[Bundle]) -> History:
    """The history that observations need for all bundles. Raises ConfigError when two differ; a
    bundle without a history ignores it."""
    wanted = [bundle.history for bundle in bundles if bundle.history.frames > 1]
    for bundle in bundles:
        if bundle.history.frames > 1 and bundle.history != wanted[0]:
            raise ConfigError(
                str(bundle.file),
                'inputs.history',
                bundle.history,
                f'that of the policy, {wanted[0]}',
            )
    return wanted[0] if wanted else SINGLE


def each_once(names: Iterable[str]) -> tuple[str, ...]:
    """The names in their order, without repetitions."""
    return tuple(dict.fromkeys(names))


def check_instruction(policy: Policy, text: str) -> str:
    """The parameter `instruction` on one line. Raises ConfigError when it is invalid, or refused by
    the policy."""
    try:
        words = instruction_text(text)
    except ValueError as error:
        raise ConfigError('parameters', 'instruction', str(error), 'words') from error
    try:
        if words:
            policy.check(words)
    except InstructionRefused as error:
        raise ConfigError('parameters', 'instruction', str(error), 'one of its own') from error
    return words


def blank_observation(policy: Policy, robot: Any) -> Observation:
    """Black images of a standing robot, with an instruction that the policy accepts."""
    bundle = policy.bundle
    camera = robot.camera
    black = np.zeros((camera.height, camera.width, 3), np.uint8)
    far = np.ones((camera.height, camera.width), np.float32)
    spec = bundle.spec
    known = [spec.example] if isinstance(spec, ScriptedSpec) else ['hold still', *bundle.tasks]
    return Observation(
        images={name: black for name in bundle.cameras},
        position=robot.poses['standing'].copy(),
        velocity=np.zeros(len(robot.joint_names)),
        orientation=np.array([1.0, 0.0, 0.0, 0.0]),
        instruction=next((text for text in known if _accepts(policy, text)), ''),
        stamp_ns=0,
        elapsed=0.0,
        depths={name: far for name in bundle.depth_cameras},
    )


def warmed_up(policy: Policy, robot: Any, limit: float, first_limit: float) -> tuple[float, float]:
    """Median and worst time (s) of a call on black images; without it the first real call would be
    slow. Raises ConfigError beyond `limit` s (for the first call of a policy server `first_limit`),
    and for an unusable answer."""
    bundle, observation = policy.bundle, blank_observation(policy, robot)
    try:
        durations = warm_up(policy, observation, first_limit=first_limit)
    except PolicyError as error:
        raise ConfigError(str(bundle.file), 'model', str(error), 'a usable chunk') from error
    usual, worst = sorted(durations)[len(durations) // 2], max(durations)
    if usual > limit:
        raise ConfigError(
            str(bundle.file), 'model', f'{usual:.3f} s a call', f'at most policy_timeout, {limit} s'
        )
    return usual, worst


def _accepts(policy: Policy, text: str) -> bool:
    try:
        policy.check(text)
    except InstructionRefused:
        return False
    return True


@dataclass(frozen=True)
class MemoryBudget:
    """MB of this process (resident) and of the models on their device; 0 for no limit."""

    host: float = 0.0
    device: float = 0.0


class MemoryMonitor:
    """on_device: bytes of each policy on its device."""

    def __init__(
        self,
        budget: MemoryBudget,
        on_device: Iterable[Callable[[], int]],
        resident: Callable[[], int] = lambda: psutil.Process().memory_info().rss,
    ) -> None:
        self._budget = budget
        self._on_device = tuple(on_device)
        self._resident = resident

    def used(self) -> tuple[float, float]:
        """MB of the process and on devices."""
        there = sum(measure() for measure in self._on_device)
        return self._resident() / MEGABYTE, there / MEGABYTE

    def beyond(self) -> tuple[str, float, float] | None:
        """(parameter, MB found, MB allowed) of an exceeded budget."""
        host, device = self.used()
        for name, found, allowed in (
            ('memory.host', host, self._budget.host),
            ('memory.device', device, self._budget.device),
        ):
            if allowed > 0.0 and not found <= allowed:
                return name, found, allowed
        return None

    def check(self) -> None:
        """Raise ConfigError when a budget is exceeded."""
        found = self.beyond()
        if found is not None:
            name, used, allowed = found
            raise ConfigError(
                'parameters', name, f'{used:.0f} MB in use', f'at most {allowed:.0f} MB'
            )
