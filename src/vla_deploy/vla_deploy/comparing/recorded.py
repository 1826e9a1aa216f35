# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A and B on the same observations: how differently they would act, and how fast each is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vla_common.errors import ConfigError
from vla_deploy.comparing.chunks import Interval, apart, interval
from vla_deploy.observations import Recording, observations_of
from vla_deploy.timing.interleaved import time_interleaved
from vla_policy.load import load_policy
from vla_policy.types import Policy, PolicyError
from vla_robot import RobotModel


@dataclass(frozen=True)
class Recorded:
    """rms_rad: of an observation's difference, over observations. joints: name to (largest, mean)
    of the absolute difference. worst: the observation with the largest. latency_ms: of A and B,
    medians of wall time; saved_ms: A minus B, round by round."""

    source: str
    observations: int
    rms_rad: Interval
    largest_rad: float
    joints: dict[str, tuple[float, float]]
    worst: int
    latency_ms: tuple[float, float]
    saved_ms: Interval

    def to_dict(self) -> dict:
        return {
            'recording': self.source,
            'observations': self.observations,
            'rms_rad': self.rms_rad.to_dict(),
            'largest_rad': self.largest_rad,
            'worst': self.worst,
            'joints': {name: list(pair) for name, pair in self.joints.items()},
            'latency_ms': list(self.latency_ms),
            'saved_ms': self.saved_ms.to_dict(),
        }


class _Chunks:
    """A policy as a contestant of `time_interleaved`: inputs are {'': observation}."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def run(self, inputs):
        return self._policy.predict(inputs[''])


def compare_recorded(
    a: Path,
    b: Path,
    recording: Recording,
    robot: RobotModel,
    *,
    rounds: int = 50,
    threads: int = 1,
    accept_failed: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> Recorded:
    """Raises ConfigError: a bundle that cannot be loaded, or that cannot act on this recording."""
    policies = {}
    try:
        for name, path in (('a', a), ('b', b)):
            policies[name] = load_policy(path, robot, threads=threads, accept_failed=accept_failed)
        seen = observations_of(recording, robot)
        found = []
        for i, observation in enumerate(seen):
            try:
                chunks = [policies[name].predict(observation) for name in ('a', 'b')]
                found.append(apart(*chunks))
            except (PolicyError, ValueError) as error:
                key = f'observation {i}'
                wanted = 'what both policies can act on'
                raise ConfigError(recording.source, key, str(error), wanted) from error
        runners = {name: _Chunks(policy) for name, policy in policies.items()}
        times = time_interleaved(runners, [{'': one} for one in seen], rounds, advance=advance)
    finally:
        for policy in policies.values():
            policy.close()
    joints = {}
    for column, name in enumerate(found[0].joints):
        absolute = np.concatenate([np.abs(one.difference[:, column]) for one in found])
        joints[name] = (float(absolute.max()), float(absolute.mean()))
    largest = [one.largest for one in found]
    wall = [times[name].wall_ms for name in ('a', 'b')]
    return Recorded(
        recording.source,
        len(found),
        interval([one.rms for one in found]),
        max(largest),
        joints,
        int(np.argmax(largest)),
        (float(np.median(wall[0])), float(np.median(wall[1]))),
        interval(wall[0] - wall[1]),
    )
