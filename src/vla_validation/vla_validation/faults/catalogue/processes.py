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


def _stopped_or_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _signalled(
    node: str, number: signal.Signals
) -> Callable[[FaultHarness], AbstractContextManager[None]]:
    @contextmanager
    def inject(harness: FaultHarness) -> Iterator[None]:
        pid = harness.pid(node)
        harness.mark()
        os.kill(pid, number)
        try:
            if harness.poll_until(lambda: _stopped_or_gone(pid), 1.0):
                harness.prove(f'process {pid} of {node} is stopped or gone')
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
                    if _stopped_or_gone(pid):
                        harness.prove(f'process {pid} of {node} is stopped again and again')
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


def _causes(node: str, how: str) -> tuple[str, ...]:
    if node == 'supervisor':
        # The driver's reason; or the supervisor reports its own stall, or finds the driver stopped.
        alone = ('supervisor silent*',)
        return ('supervisor_stalled', 'command_stale') if how == 'slowed' else alone
    lost = (f'node_lost:{node}', f'node_stale:{node}', f'node_inactive:{node}')
    return lost if how == 'killed' else lost[1:2]


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
    if all(process.rlimit(psutil.RLIMIT_FSIZE)[0] == 0 for process in processes):
        harness.prove(f'{len(processes)} processes can write no byte')
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
        harness.prove('twice as many busy processes as cores')
        yield


FAULTS = (
    *(
        Fault(f'{how}:{node}', _expected(node, how), inject(node), causes=_causes(node, how))
        for how, inject in (
            ('killed', lambda node: _signalled(node, signal.SIGKILL)),
            ('frozen', lambda node: _signalled(node, signal.SIGSTOP)),
            ('slowed', _slowed),
        )
        for node in NODES
    ),
    Fault('disk_full', (RUNNING,), _disk_full, observed_for=3.0),
    # Without real-time priority, or on too few cores, stopping is right; falling never is.
    Fault(
        'cpu_overload',
        (RUNNING, SAFE_STOP),
        _overloaded,
        causes=('node_stale:*', 'supervisor_stalled', 'command_stale', 'chunks_stopped'),
        within=6.0,
        observed_for=5.0,
    ),
)
