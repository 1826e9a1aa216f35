# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Workers on Ray Serve: started, replaced when they die, as many as are requested or as the load
wants, on any node of a Ray cluster. The only file that imports Ray."""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vla_common.errors import ConfigError

APPLICATION, DEPLOYMENT = 'vla_serving', 'Replica'
OBJECT_STORE = 256 * 2**20
"""bytes of /dev/shm; Ray's own choice is a third of the memory, where a batch has half a MB."""
TARGET = 1.5
"""Batches out for each worker above which there should be more workers; Batches sends two at
most."""
HUNG = 10.0
"""s of a call of the model after which the worker is reported to Ray Serve as failed."""
PROBE = 1.0
"""s between queries of the number of workers."""

QUIET = {'RAY_USAGE_STATS_ENABLED': '0', 'RAY_worker_niceness': '0'}
"""By default Ray reports its usage, and runs workers at nice 15: beside other load they then
hardly run at all, and no robot is answered."""

PATIENT = ('RAY_gcs_server_port_wait_time_s', 'RAY_worker_register_timeout_seconds')
"""Limits of Ray's start that can be extended: s."""
SLOW = 'timed out during startup'
"""Ray's message when its own node has not started within 30 s, a limit that is fixed."""


@dataclass(frozen=True)
class RayParameters:
    """workers: fixed, or with max_workers above it the least. gpus, cpus, threads: of each worker.
    address: of a Ray cluster, empty to start one on this machine. start: s allowed for Ray, then
    for the workers."""

    workers: int = 1
    max_workers: int = 0
    cpus: float = 1.0
    gpus: float = 0.0
    threads: int = 1
    address: str = ''
    start: float = 120.0


class RayEngine:
    """Starts Ray and the workers. Raises ConfigError where Ray is not installed or the workers do
    not come up."""

    def __init__(self, bundle: str, robot: str, device: str, parameters: RayParameters) -> None:
        patience = str(int(parameters.start))
        for name, value in (QUIET | dict.fromkeys(PATIENT, patience)).items():
            os.environ.setdefault(name, value)
        try:
            import ray
            from ray import serve
        except ImportError as error:
            raise ConfigError(
                'vla_serving',
                'ray',
                'nothing',
                '.venv/bin/pip install -r environment/fleet.in -c environment/workspace.txt',
            ) from error
        logging.getLogger('ray.serve').setLevel(logging.ERROR)  # its calls report a dead worker
        self._ray, self._serve = ray, serve
        self._parameters = p = parameters
        if not ray.is_initialized():
            self._start_ray()
        self._check_resources()
        try:
            within(p.start, 'Ray Serve', lambda: serve.start(proxy_location='Disabled'))
            application = _application(serve, bundle, robot, device, p)
            self._handle = within(
                p.start,
                f'{p.workers} workers',
                lambda: serve.run(application, name=APPLICATION, route_prefix=None),
                self._state,
            )
            self.metadata: dict[str, Any] = self._handle.metadata.remote().result(timeout_s=p.start)
        except ConfigError:
            self.close()
            raise
        except Exception as error:  # Ray's own types, among them what a worker raised
            why = self._state() or _last_line(error)
            self.close()
            raise ConfigError('vla_serving', 'workers', why, 'workers that start') from error
        self._running = p.workers
        self._closing = threading.Event()
        if p.max_workers > p.workers:
            threading.Thread(target=self._watch, name='ray workers', daemon=True).start()

    def workers(self) -> int:
        """The number of running workers."""
        return self._running

    async def run(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """One batch in one worker. Raises Ray's error when the worker dies."""
        return await self._handle.answer.remote(list(requests))

    def pids(self, seconds: float = 60.0) -> list[int]:
        """The process ids of all workers, which are on this machine (for fault tests). Raises
        ConfigError when they are not all there after `seconds`."""
        wanted, end = self._parameters.workers, time.monotonic() + seconds
        found: set[int] = set()
        while time.monotonic() < end:
            # Any one of them answers.
            found.add(self._handle.pid.remote().result(timeout_s=seconds))
            found = {pid for pid in found if os.path.exists(f'/proc/{pid}')}
            if len(found) == wanted:
                return sorted(found)
            time.sleep(0.02)
        raise ConfigError('vla_serving', 'workers', len(found), f'{wanted} that run')

    def close(self, keep_ray: bool = False) -> None:
        """keep_ray: the next engine takes the same Ray; starting one takes seconds. On an
        existing cluster only the application is deleted."""
        if hasattr(self, '_closing'):
            self._closing.set()
        if keep_ray or self._parameters.address:
            with contextlib.suppress(Exception):  # Serve had not started
                self._serve.delete(APPLICATION)
        if not keep_ray:
            self._ray.shutdown()

    def _start_ray(self) -> None:
        p = self._parameters
        own: dict[str, Any] = {
            # There may be more workers than cores, but not more than GPUs.
            'num_cpus': max(8, int(2 * p.cpus * max(p.max_workers, p.workers))),
            'object_store_memory': OBJECT_STORE,
        }
        where = own if not p.address else {}
        end = time.monotonic() + p.start
        while True:
            try:
                # In the main thread: Ray's processes end with the thread that started them.
                self._ray.init(
                    address=p.address or 'local',
                    include_dashboard=None if p.address else False,
                    log_to_driver=False,
                    configure_logging=False,
                    **where,
                )
                return
            except Exception as error:  # ConnectionError, RuntimeError, Exception itself
                self._ray.shutdown()
                if SLOW in str(error) and time.monotonic() < end:
                    continue
                wanted = (
                    'a cluster there: ray start --head'
                    if p.address
                    else 'Ray to start here: a machine with cores to spare, or a longer --start; '
                    'its logs are in /tmp/ray/session_latest/logs'
                )
                found = f'{p.address or "none"} ({_last_line(error)})'
                raise ConfigError('vla_serving', '--address', found, wanted) from error

    def _check_resources(self) -> None:
        """Ray itself would wait forever for such a node."""
        p, there = self._parameters, self._ray.cluster_resources()
        for key, option, each in (('GPU', '--gpus', p.gpus), ('CPU', '--workers', p.cpus)):
            if each * p.workers > there.get(key, 0.0):
                self.close()
                raise ConfigError(
                    'vla_serving',
                    option,
                    f'{p.workers} workers with {each:g} {key} each',
                    f'no more than the {there.get(key, 0.0):g} {key} that Ray finds',
                )

    def _state(self) -> str:
        """Ray Serve's message about workers that do not run."""
        try:
            application = self._serve.status().applications[APPLICATION]
        except Exception:  # Serve is not there yet or not any more
            return ''
        messages = [application.message, *(d.message for d in application.deployments.values())]
        return next((_last_line(text) for text in reversed(messages) if text), '')

    def _watch(self) -> None:
        while not self._closing.wait(PROBE):
            try:
                deployment = self._serve.status().applications[APPLICATION].deployments[DEPLOYMENT]
                self._running = max(1, deployment.replica_states.get('RUNNING', 1))
            except Exception:  # queried again; Batches uses the last answer
                continue


def _application(serve: Any, bundle: str, robot: str, device: str, p: RayParameters) -> Any:
    scale: dict[str, Any] = {'num_replicas': p.workers}
    if p.max_workers > p.workers:
        scale = {
            'autoscaling_config': {
                'min_replicas': p.workers,
                'max_replicas': p.max_workers,
                'target_ongoing_requests': TARGET,
                'upscale_delay_s': 2.0,
                'downscale_delay_s': 60.0,
            }
        }

    @serve.deployment(
        name=DEPLOYMENT,
        **scale,
        max_ongoing_requests=4,
        health_check_period_s=1.0,
        health_check_timeout_s=5.0,
        graceful_shutdown_timeout_s=1.0,
        ray_actor_options={'num_cpus': p.cpus, 'num_gpus': p.gpus},
        logging_config={'enable_access_log': False, 'log_level': 'WARNING'},
    )
    class Replica:
        def __init__(self) -> None:
            from concurrent.futures import ThreadPoolExecutor

            from vla_serving.worker import Worker

            self._worker = Worker(bundle, robot, p.threads, device)
            # One at a time: a model is not for several threads.
            self._thread = ThreadPoolExecutor(1, 'model')
            self._since: float | None = None

        def metadata(self) -> dict[str, Any]:
            return self._worker.metadata

        def pid(self) -> int:
            return os.getpid()

        def check_health(self) -> None:
            """Called by Ray Serve; raises to be replaced."""
            since = self._since
            if since is not None and time.monotonic() - since > HUNG:
                raise RuntimeError(f'the model has not answered for {HUNG:g} s')

        async def answer(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._timed, requests)

        def _timed(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
            self._since = time.monotonic()
            try:
                return self._worker.answer(requests)
            finally:
                self._since = None

    return Replica.bind()


def within(
    seconds: float, what: str, start: Callable[[], Any], state: Callable[[], str] = lambda: ''
) -> Any:
    """What `start` returns. Raises ConfigError when it takes longer: Ray has no time limits of its
    own."""
    found: list[Any] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            found.append(start())
        except BaseException as error:  # raised where it is waited for
            raised.append(error)

    thread = threading.Thread(target=run, name=f'start {what}', daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise ConfigError(
            'vla_serving',
            what,
            f'not there after {seconds:g} s' + (f' ({why})' if (why := state()) else ''),
            'a machine with cores to spare, or a longer --start',
        )
    if raised:
        raise raised[0]
    return found[0]


def _last_line(message: object) -> str:
    lines = [line.strip() for line in str(message).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(message).__name__
