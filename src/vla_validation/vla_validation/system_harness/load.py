# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Other work on the machine, as a crowded computer has it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager


def _burn() -> None:
    while os.getppid() != 1:  # ends with its parent, however that ends
        for _ in range(100_000):
            pass


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that only count, at ordinary priority."""
    context = multiprocessing.get_context('spawn')
    burners = [context.Process(target=_burn, daemon=True) for _ in range(processes)]
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.join()
