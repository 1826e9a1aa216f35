# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Processes that die, freeze or crawl; a machine without time to spare, and one without disk."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

import psutil

from vla_validation.faults.fault import ALONE, ESTOP, RUNNING, SAFE_STOP, Fault
from vla_validation.faults.harness import FaultHarness
from vla_validation.system_harness.load import busy
from vla_validation.system_harness.robot import NODES

_ASLEEP, _AWAKE = 0.3, 0.03  # s, of a process that is slowed to a tenth


def _killed(node: str) -> Callable[[FaultHarness], AbstractContextManager[None]]:
    @contextmanager
    def do(stage: FaultHarness) -> Iterator[None]:
        pid = stage.robot.pid(node)
        stage.mark()
        os.kill(pid, signal.SIGKILL)
        yield

    return do


def _frozen(node: str) -> Callable[[FaultHarness], AbstractContextManager[None]]:
    @contextmanager
    def do(stage: FaultHarness) -> Iterator[None]:
        pid = stage.robot.pid(node)
        stage.mark()
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    return do


def _slowed(node: str) -> Callable[[FaultHarness], AbstractContextManager[None]]:
    @contextmanager
    def do(stage: FaultHarness) -> Iterator[None]:
        pid = stage.robot.pid(node)
        over = threading.Event()

        def crawl() -> None:
            with suppress(ProcessLookupError):
                while not over.is_set():
                    os.kill(pid, signal.SIGSTOP)
                    over.wait(_ASLEEP)
                    os.kill(pid, signal.SIGCONT)
                    over.wait(_AWAKE)

        thread = threading.Thread(target=crawl, daemon=True)
        stage.mark()
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    return do


def _expected(node: str, how: str) -> tuple[str, ...]:
    if node == 'hardware_driver':
        return (ESTOP,)
    if node == 'supervisor':
        # Slowed, it finds its own stalls; dead or frozen it says nothing.
        return (SAFE_STOP,) if how == 'slowed' else (ALONE,)
    return (SAFE_STOP,)


@contextmanager
def _disk_full(stage: FaultHarness) -> Iterator[None]:
    """No file grows by a byte: what a process sees of a full disk (EFBIG for ENOSPC)."""
    processes = [psutil.Process(pid) for pid in stage.pids()]
    before = [process.rlimit(psutil.RLIMIT_FSIZE) for process in processes]
    stage.mark()
    for process, (_, hard) in zip(processes, before, strict=True):
        process.rlimit(psutil.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        for process, limits in zip(processes, before, strict=True):
            with suppress(psutil.NoSuchProcess):
                process.rlimit(psutil.RLIMIT_FSIZE, limits)


@contextmanager
def _overloaded(stage: FaultHarness) -> Iterator[None]:
    """Twice as many busy processes as there are cores."""
    with ExitStack() as stack:
        stage.mark()
        stack.enter_context(busy(2 * (os.cpu_count() or 1)))
        yield


FAULTS = (
    *(
        Fault(f'{how}:{node}', _expected(node, how), do(node))
        for how, do in (('killed', _killed), ('frozen', _frozen), ('slowed', _slowed))
        for node in NODES
    ),
    Fault('disk_full', (RUNNING,), _disk_full, watched=3.0),
    # Without real-time priority, or on too few cores, stopping is right; falling never is.
    Fault('cpu_overload', (RUNNING, SAFE_STOP), _overloaded, watched=5.0),
)
