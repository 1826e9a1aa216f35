# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Workers on Ray Serve: batches, as many workers as are asked for or as the load wants, on any
node of a Ray cluster. The only file that imports Ray."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vla_common.errors import ConfigError


@dataclass(frozen=True)
class RayParameters:
    """workers: fixed, or with max_workers above it the least. batch: requests at most in one call
    of the model; wait: s that the first of them waits for others. gpus, cpus: of each worker.
    address: of a Ray cluster, empty for one of our own on this machine."""

    workers: int = 1
    max_workers: int = 0
    batch: int = 8
    wait: float = 0.004
    cpus: float = 1.0
    gpus: float = 0.0
    threads: int = 1
    address: str = ''


APPLICATION = 'vla_fleet'


class RayEngine:
    """Starts Ray Serve and the workers. Raises ConfigError where Ray is not installed."""

    def __init__(self, bundle: str, robot: str, device: str, parameters: RayParameters) -> None:
        try:
            import ray
            from ray import serve
        except ImportError as error:
            raise ConfigError(
                'vla_fleet', 'ray', 'nothing', 'pip install -r environment/fleet.in'
            ) from error
        self._ray, self._serve = ray, serve
        p = parameters
        if not ray.is_initialized():
            ray.init(
                address=p.address or None,
                include_dashboard=False,
                log_to_driver=False,
                configure_logging=False,
                # Of our own: workers of ours may be more than this machine has cores.
                **({} if p.address else {'num_cpus': max(16, 2 * max(p.max_workers, p.workers))}),
            )
        scale: dict[str, Any] = {'num_replicas': p.workers}
        if p.max_workers > p.workers:
            scale = {
                'autoscaling_config': {
                    'min_replicas': p.workers,
                    'max_replicas': p.max_workers,
                    'target_ongoing_requests': p.batch,
                }
            }

        @serve.deployment(
            **scale,
            max_ongoing_requests=4 * p.batch,
            health_check_period_s=1.0,
            health_check_timeout_s=5.0,
            graceful_shutdown_timeout_s=1.0,
            ray_actor_options={'num_cpus': p.cpus, 'num_gpus': p.gpus},
        )
        class Replica:
            def __init__(self) -> None:
                from vla_fleet.worker import Worker

                self._worker = Worker(bundle, robot, p.threads, device)

            def metadata(self) -> dict[str, Any]:
                return self._worker.metadata

            def pid(self) -> int:
                import os

                return os.getpid()

            @serve.batch(max_batch_size=p.batch, batch_wait_timeout_s=p.wait)
            async def answer(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
                return self._worker.answer(requests)

        self._handle = serve.run(Replica.bind(), name=APPLICATION, route_prefix=None)
        self.metadata: dict[str, Any] = self._handle.metadata.remote().result(timeout_s=60.0)

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Raises Ray's error when the worker dies."""
        return await self._handle.answer.remote(request)

    def a_worker(self) -> int:
        """The process id of one worker on this machine (for drills)."""
        return self._handle.pid.remote().result(timeout_s=60.0)

    def close(self, keep_ray: bool = False) -> None:
        """keep_ray: the next engine takes the same Ray; starting one takes seconds."""
        if keep_ray:
            self._serve.delete(APPLICATION)
            return
        self._serve.shutdown()
        self._ray.shutdown()
