# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Loading a policy: a bundle directory or the address of a policy server."""

import time
from pathlib import Path

from vla_common.errors import ConfigError
from vla_policy.bundle.bundle import load_bundle, with_precision
from vla_policy.bundle.resolve_bundle import is_address
from vla_policy.model_policy import ModelPolicy
from vla_policy.registry import POLICIES
from vla_policy.runtimes import load_runtime
from vla_policy.types import Observation, Policy, Robot


def load_policy(
    path: str | Path,
    robot: Robot,
    *,
    threads: int = 1,
    device: str = 'cpu',
    accept_failed: bool = False,
    timeout: float = 0.5,
    precision: str = '',
) -> Policy:
    """Load the bundle at `path`, or connect to the server at ws://host:port. A bundle that failed
    its verification is loaded only if `accept_failed`. timeout: s for one call of a remote policy.
    precision: replaces the bundle's own, see `with_precision`. Raises ConfigError."""
    if is_address(str(path)):
        if precision:
            raise ConfigError('parameters', 'precision', precision, 'none: the server has its own')
        from vla_policy.remote.load import load_address

        return load_address(str(path), robot, timeout)
    bundle = with_precision(load_bundle(path, robot, accept_failed=accept_failed), precision)
    if bundle.has_model:
        return ModelPolicy(bundle, robot, load_runtime(bundle, threads, device))
    kind = POLICIES.load(bundle.runtime, str(bundle.file), 'runtime')
    return kind.load(bundle, robot, timeout)


def warm_up(
    policy: Policy, observation: Observation, times: int = 5, first_limit: float = 60.0
) -> list[float]:
    """Durations (s) of `times` predictions. first_limit: s for the first one of a remote policy.
    Raises PolicyError."""
    durations = []
    for number in range(times):
        began = time.perf_counter()
        if number == 0:
            policy.first_call(observation, first_limit)
        else:
            policy.predict(observation)
        durations.append(time.perf_counter() - began)
    policy.reset()
    return durations
