# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Work in several processes, each with one worker object."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing import active_children, get_context
from typing import Any

_worker: Any = None


def _start(factory: Callable[..., Any], arguments: tuple) -> None:
    global _worker  # one per process
    _worker = factory(*arguments)


def _call(argument: Any) -> tuple[Any, Any]:
    return argument, _worker(argument)


def each(
    factory: Callable[..., Callable], arguments: tuple, work: Iterable, jobs: int
) -> Iterator[tuple[Any, Any]]:
    """(item, result) of `factory(*arguments)(item)` for each item of `work`, as they finish.

    One job runs in this process. Several are spawned, not forked: OpenGL and threads do not survive
    a fork.
    """
    if jobs <= 1:
        worker = factory(*arguments)
        for item in work:
            yield item, worker(item)
        return
    # One thread per process: the libraries default to one per core in each.
    before = {key: os.environ.get(key) for key in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS')}
    os.environ.update(dict.fromkeys(before, '1'))
    others = set(active_children())
    try:
        with ProcessPoolExecutor(jobs, get_context('spawn'), _start, (factory, arguments)) as pool:
            waiting = {pool.submit(_call, item) for item in work}
            try:
                while waiting:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
            except BaseException:  # Ctrl-C, or the generator was closed: cancel the rest
                pool.shutdown(wait=False, cancel_futures=True)
                for process in set(active_children()) - others:
                    process.terminate()
                raise
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
