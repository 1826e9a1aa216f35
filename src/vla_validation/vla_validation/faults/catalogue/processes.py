# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Processes that are killed, frozen or slowed; an overloaded machine; a full disk."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import psutil

from vla_validation.faults.fault import ALONE, ESTOP, RUNNING, SAFE_STOP, Fault
from vla_validation.faults.harness import FaultHarness
from vla_validation.system_harness.machine import busy
from vla_validation.system_harness.robot import NODES

_ASLEEP, _AWAKE = 0.3, 0.03  # s, of a process that is slowed to a tenth


def _signalled(
    node: str, number: signal.Signals
) -> Callable[[FaultHarness], AbstractContextManager[None]]:
    @contextmanager
    def inject(harness: FaultHarness) -> Iterator[None]:
        pid = harness.pid(node)
        harness.mark()
        os.kill(pid, number)
        try:
            yield
        finally:
            if number == signal.SIGSTOP:
                os.kill(pid, signal.SIGCONT)

    return inject


def _slowed(node: str) -> Callable[[FaultHarness], AbstractContextManager[None]]:
    @contextmanager
    def inject(harness: FaultHarness) -> Iterator[None]:
        pid = harness.pid(node)
        over = threading.Event()

        def crawl() -> None:
            with suppress(ProcessLookupError):
                while not over.is_set():
                    os.kill(pid, signal.SIGSTOP)
                    over.wait(_ASLEEP)
                    os.kill(pid, signal.SIGCONT)
                    over.wait(_AWAKE)

        thread = threading.Thread(target=crawl, daemon=True)
        harness.mark()
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    return inject


def _expected(node: str, how: str) -> tuple[str, ...]:
    if node == 'hardware_driver':
        return (ESTOP,)
    if node == 'supervisor':
        # Slowed, it reports its own stalls; dead or frozen it is silent.
        return (SAFE_STOP,) if how == 'slowed' else (ALONE,)
    return (SAFE_STOP,)


@contextmanager
def _disk_full(harness: FaultHarness) -> Iterator[None]:
    """No file grows by a byte: what a process sees of a full disk (EFBIG for ENOSPC)."""
    processes = [psutil.Process(pid) for pid in harness.pids()]
    before = [process.rlimit(psutil.RLIMIT_FSIZE) for process in processes]
    harness.mark()
    for process, (_, hard) in zip(processes, before, strict=True):
        process.rlimit(psutil.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        for process, limits in zip(processes, before, strict=True):
            with suppress(psutil.NoSuchProcess):
                process.rlimit(psutil.RLIMIT_FSIZE, limits)


@contextmanager
def _overloaded(harness: FaultHarness) -> Iterator[None]:
    """Twice as many busy processes as there are cores."""
    harness.mark()
    with busy(2 * (os.cpu_count() or 1)):
        yield


FAULTS = (
    *(
        Fault(f'{how}:{node}', _expected(node, how), inject(node))
        for how, inject in (
            ('killed', lambda node: _signalled(node, signal.SIGKILL)),
            ('frozen', lambda node: _signalled(node, signal.SIGSTOP)),
            ('slowed', _slowed),
        )
        for node in NODES
    ),
    Fault('disk_full', (RUNNING,), _disk_full, observed_for=3.0),
    # Without real-time priority, or on too few cores, stopping is right; falling never is.
    Fault('cpu_overload', (RUNNING, SAFE_STOP), _overloaded, observed_for=5.0),
)
