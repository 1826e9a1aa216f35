# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Child processes that do not outlive who started them."""

from __future__ import annotations

import ctypes
import signal

_PR_SET_PDEATHSIG = 1  # Linux, <sys/prctl.h>
_prctl = ctypes.CDLL(None).prctl  # looked up now: little may be done between fork and exec


def end_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Have this process sent ``number`` when the *thread* that started it ends; for preexec_fn."""
    _prctl(_PR_SET_PDEATHSIG, int(number))
