# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the kernel's files say about this computer. Each check reads below a root folder (`/`)."""

import ctypes
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

from vla_common.preflight_record import CheckReport, CheckState
from vla_common.scheduling import NICE, Priority, Scheduled

PASS, FAIL, CHECK = CheckState

CORES = 2
"""The minimum; the simulated robot fills most of them."""
SHARED_MEMORY = 128.0  # MB: a segment of 16 MB (config/fastdds_images.xml) for each of 8 processes
LATE_P99, LATE_MAX = 1.0, 25.0
"""ms that a timer may be late: a tenth of a tick at 100 Hz; a quarter of a watchdog of 100 ms."""
ROUND_TRIP = 10.0  # ms, the slowest of all: a tenth of such a watchdog
LIMITS_FILE = '/etc/security/limits.d/realtime.conf, and the user in that group; log in again'
CAP_IPC_LOCK, CAP_SYS_NICE = 14, 23
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


def capability(root: Path, number: int) -> bool:
    """Whether this process has a capability, by /proc/self/status."""
    try:
        for line in (root / 'proc/self/status').read_text(encoding='ascii').splitlines():
            if line.startswith('CapEff:'):
                return bool(int(line.split()[1], 16) >> number & 1)
    except (OSError, ValueError, IndexError):
        pass
    return False


def read(path: Path) -> str:
    """The text of a file without its line end; '' where there is none."""
    try:
        return path.read_text(encoding='utf-8', errors='replace').strip()
    except OSError:
        return ''


def realtime_priority() -> CheckReport:
    """Requested for real, by this thread and for a moment."""
    wanted = int(Priority.SUPERVISOR)
    if os.environ.get('VLA_REALTIME') == '0':
        found, granted = 'VLA_REALTIME=0 in the environment disables it', False
    else:
        with Scheduled(Priority.SUPERVISOR):
            granted = os.sched_getscheduler(0) == os.SCHED_FIFO
        found = f'SCHED_FIFO {wanted} ' + ('granted' if granted else 'refused')
    remedy = f'unset VLA_REALTIME; "@realtime - rtprio 40" in {LIMITS_FILE}'
    return CheckReport('realtime_priority', PASS if granted else FAIL, found, remedy)


def nice(root: Path, limit: int | None = None) -> CheckReport:
    """limit: RLIMIT_NICE; the lowest nice value is 20 minus it."""
    limit = resource.getrlimit(resource.RLIMIT_NICE)[0] if limit is None else limit
    capable = capability(root, CAP_SYS_NICE)
    lowest = -20 if capable or limit == resource.RLIM_INFINITY else 20 - limit
    found = f'nice {min(lowest, 19)} and above; the model runs at {NICE}'
    remedy = f'"@realtime - nice {NICE}" in {LIMITS_FILE}'
    return CheckReport('nice', PASS if lowest <= NICE else FAIL, found, remedy)


def memory_lock(root: Path, limit: int | None = None) -> CheckReport:
    """limit: RLIMIT_MEMLOCK, bytes."""
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] if limit is None else limit
    granted = limit == resource.RLIM_INFINITY or capability(root, CAP_IPC_LOCK)
    text = 'unlimited' if granted else f'{limit / 1e6:.1f} MB'
    remedy = f'"@realtime - memlock unlimited" in {LIMITS_FILE}'
    return CheckReport('memory_lock', PASS if granted else FAIL, f'{text} may be locked', remedy)


def cores(root: Path, usable: int | None = None) -> CheckReport:
    """usable: processors that this process may run on. A container may have a quota too."""
    usable = len(os.sched_getaffinity(0)) if usable is None else usable
    quota = read(root / 'sys/fs/cgroup/cpu.max').split()
    share = float(usable)
    found = f'{usable} usable'
    if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit() and int(quota[1]):
        share = min(share, int(quota[0]) / int(quota[1]))
        found += f', quota {share:.1f}'
    remedy = f'{CORES} cores for the robot alone; raise the quota of the container (--cpus)'
    return CheckReport('cores', PASS if share >= CORES else FAIL, found, remedy)


def isolated_cores(root: Path) -> CheckReport:
    """Not required: the timer checks decide whether the rates hold without them."""
    isolated = read(root / 'sys/devices/system/cpu/isolated')
    found = f'cores {isolated}' if isolated else 'none; needed only where the timer checks fail'
    return CheckReport('isolated_cores', PASS, found)


def governor(root: Path) -> CheckReport:
    """Frequency scaling makes the first milliseconds after a pause slow."""
    files = sorted((root / 'sys/devices/system/cpu').glob('cpu[0-9]*/cpufreq/scaling_governor'))
    found = sorted({read(file) for file in files} - {''})
    remedy = 'sudo cpupower frequency-set -g performance'
    if not found:
        text = 'no frequency scaling to be seen (fixed, or a virtual machine)'
        return CheckReport('governor', PASS, text, remedy)
    state = PASS if found == ['performance'] else FAIL
    return CheckReport('governor', state, ', '.join(found), remedy)


def shared_memory(root: Path, free: float | None = None) -> CheckReport:
    """free: MB in /dev/shm, where images pass between processes."""
    folder = root / 'dev/shm'
    remedy = 'mount /dev/shm with more room; docker: --shm-size=512m or --ipc=host'
    try:
        free = shutil.disk_usage(folder).free / 1e6 if free is None else free
    except OSError as error:
        found = f'no /dev/shm ({error.strerror})'
        return CheckReport('shared_memory', FAIL, found, remedy)
    writable = os.access(folder, os.W_OK)
    text = f'{free:.0f} MB free, wanted {SHARED_MEMORY:.0f}' + ('' if writable else '; read-only')
    state = PASS if writable and free >= SHARED_MEMORY else FAIL
    return CheckReport('shared_memory', state, text, remedy)


def disk(folder: Path, wanted: float, free: float | None = None) -> CheckReport:
    """folder: of the recordings, or where it will be. wanted, free: GB."""
    there = next(p for p in (folder, *folder.parents) if p.is_dir())
    free = shutil.disk_usage(there).free / 1e9 if free is None else free
    writable = os.access(there, os.W_OK)
    text = f'{free:.1f} GB free for {folder}, wanted {wanted:g}'
    text += '' if writable else f'; {there} is read-only'
    remedy = 'remove old sessions, or set `directory` and `budget` of the recorder'
    return CheckReport('disk', PASS if writable and free >= wanted else FAIL, text, remedy)


def clock(state: int | None = None) -> CheckReport:
    """state: of adjtimex(2). One computer needs no synchronisation; several compare stamps."""
    if state is None:
        # Asks (modes = 0) and changes nothing; struct timex has 208 bytes.
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(256))
    remedy = 'chrony or systemd-timesyncd; with one computer only: nothing'
    if state < 0:
        return CheckReport('clock', CHECK, 'the kernel does not tell', remedy)
    if state == _TIME_ERROR:
        found = 'not synchronised; images stamped by another computer would look too old'
        return CheckReport('clock', CHECK, found, remedy)
    return CheckReport('clock', PASS, 'synchronised')


def timer(name: str, late: dict[str, float | int | None]) -> CheckReport:
    """late: distribution of how late a sleeping process ran, ms, with `stolen_ms`."""
    p99, most = late['p99'], late['max']
    if p99 is None or most is None:
        return CheckReport(name, FAIL, 'nothing was measured', 'run it again')
    found = (
        f'late p50 {late["p50"]:.2f}, p99 {p99:.2f}, max {most:.2f} ms (n {late["n"]}), wanted '
        f'p99 ≤ {LATE_P99:g}, max ≤ {LATE_MAX:g}; {late["stolen_ms"]:.0f} ms stolen by a hypervisor'
    )
    remedy = (
        'real-time priority (above), other programs ended, a kernel with PREEMPT_RT, isolated '
        'cores; a virtual machine: cores of its own'
    )
    return CheckReport(name, PASS if p99 <= LATE_P99 and most <= LATE_MAX else FAIL, found, remedy)


def round_trip(address: str, times: list[float], sent: int) -> CheckReport:
    """times: ms of the answers to `sent` requests."""
    remedy = 'the cable, the address of this interface, another switch; no Wi-Fi to a robot'
    if not times:
        return CheckReport('network', FAIL, f'{address}: no answer to {sent} pings', remedy)
    middle = sorted(times)[len(times) // 2]
    found = (
        f'{address}: p50 {middle:.2f}, max {max(times):.2f} ms, {sent - len(times)} of {sent} '
        f'lost, wanted max ≤ {ROUND_TRIP:g} and none lost'
    )
    good = len(times) == sent and max(times) <= ROUND_TRIP
    return CheckReport('network', PASS if good else FAIL, found, remedy)


STATIC: tuple[Callable[[Path], CheckReport], ...] = (
    lambda root: realtime_priority(),
    memory_lock,
    nice,
    cores,
    isolated_cores,
    governor,
    shared_memory,
    lambda root: clock(),
)
"""The checks that need no time."""
