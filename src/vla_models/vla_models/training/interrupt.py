# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Ctrl-C that ends a training between two steps."""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def deferred_interrupt() -> Iterator[list[int]]:
    """Yields a list that the first SIGINT fills; the next one raises KeyboardInterrupt at once.

    An interrupt inside the optimiser's step would leave half of the weights updated.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received  # signal handlers belong to the main thread
        return

    def handle(number: int, frame: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:  # a background job of a script
        signal.signal(signal.SIGINT, handle)
    try:
        yield received
    finally:
        signal.signal(signal.SIGINT, before)
