# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What answers batches, chosen by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from vla_policy.bundle.bundle import load_bundle
from vla_policy.bundle.resolve_bundle import installed_models, locate_bundle
from vla_robot import load_robot
from vla_serving.local_engine import LocalEngine
from vla_serving.ray_engine import RayEngine, RayParameters
from vla_serving.served_policy import check_served

ENGINES = ('ray', 'local')


class Engine(Protocol):
    """metadata: of the bundle, as the openpi protocol tells it."""

    metadata: dict[str, Any]

    def workers(self) -> int:
        """That run now."""
        ...

    async def run(self, requests: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        """One batch in one worker. Raises when the worker dies."""
        ...

    def close(self) -> None: ...


def start_engine(
    name: str, bundle: str, robot: str, device: str, parameters: RayParameters
) -> Engine:
    """Raises ConfigError; for what is wrong with the bundle, before any worker is started."""
    path = str(locate_bundle(bundle, installed_models(), '--bundle').resolve())
    content = load_bundle(path, load_robot(robot))
    check_served(content)
    if name == 'ray':
        return RayEngine(path, robot, device, parameters)
    return LocalEngine(path, robot, device, parameters.workers, parameters.threads)
