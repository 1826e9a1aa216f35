# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stop requests to the supervisor, repeated until one is granted.

Two ways at once, since each has its own faults: the supervisor's socket on this machine, and its
service.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from vla_common.scheduling import Priority, Scheduled
from vla_monitor.dashboard.requests import Answer
from vla_supervisor.local_stops import LocalStopClient

PATIENCE = 60.0
"""s for which a stop is repeated. The driver has stopped the robot without its supervisor long
before; a request that waited for ever would stop the robot of the next day."""
_LOCAL_WITHIN = 0.1  # s; the supervisor serves its socket every 20 ms
_REPEAT = 0.05  # s
_SERVICE_REPEAT = 1.5  # s
_SAME = 0.1
"""s after a grant in which another request is the same press; a reset takes longer."""


class Stops:
    """One request in progress by kind: pressing a hundred times is one request.

    Args:
        domain: ROS domain of the supervisor.
        call: begins the service call; its future's result is (success, message).
    """

    def __init__(self, domain: int, call: Callable[[str], Future[Answer]]) -> None:
        self._domain = domain
        self._call = call
        self._lock = threading.Lock()
        self._pending: dict[str, Future[Answer]] = {}
        self._granted: dict[str, tuple[float, Future[Answer]]] = {}
        self._closed = False

    @property
    def pending(self) -> tuple[str, ...]:
        """The stops that were requested and are not granted yet."""
        return tuple(self._pending)

    def request(self, step: str) -> Future[Answer]:
        """Begin a stop, or join the one that is in progress."""
        with self._lock:
            pending = self._pending.get(step)
            if pending is not None:
                return pending
            granted_at, last = self._granted.get(step, (-_SAME, None))
            if last is not None and time.monotonic() - granted_at < _SAME:
                return last
            future: Future[Answer] = Future()
            self._pending[step] = future
        threading.Thread(target=self._repeat, args=(step, future), daemon=True).start()
        return future

    def close(self) -> None:
        """End what is in progress."""
        self._closed = True

    def _repeat(self, step: str, future: Future[Answer]) -> None:
        answer = Answer(None, 'the supervisor did not answer')
        local = LocalStopClient(self._domain, step)
        try:
            with Scheduled(Priority.OPERATOR):
                answer = self._until_granted(step, local)
        finally:
            local.close()
            with self._lock:
                del self._pending[step]
                if answer.success:
                    self._granted[step] = (time.monotonic(), future)
            future.set_result(answer)

    def _until_granted(self, step: str, local: LocalStopClient) -> Answer:
        end = time.monotonic() + PATIENCE
        call: Future[Answer] | None = None
        called = 0.0
        answer = Answer(None, 'the supervisor did not answer')
        while not self._closed and time.monotonic() < end:
            if call is None or time.monotonic() > called + _SERVICE_REPEAT:
                call, called = self._call(step), time.monotonic()
            result = local.attempt(_LOCAL_WITHIN)
            if result is not None:
                answer = Answer(bool(result['success']), str(result['message']))
            elif call.done():
                answer, call = call.result(), None
            if answer.success:
                break
            time.sleep(_REPEAT)
        return answer
