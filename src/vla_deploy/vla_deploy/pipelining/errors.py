# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which stage failed first, and of what: the others only lose their peer."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from vla_deploy.atomic_io import write_whole


def note(folder: Path, rank: int, error: BaseException) -> None:
    """Leaves `<rank>.failed`; to be called before the connections to the other stages close."""
    while error.__cause__ is not None:  # what torch wraps around it names every tensor's shape
        error = error.__cause__
    lines = str(error).strip().splitlines()
    said = f'{type(error).__name__}: {lines[0]}' if lines else type(error).__name__
    told = {'when_ns': time.monotonic_ns(), 'said': said}
    write_whole(folder / f'{rank}.failed', json.dumps(told))


def first_failure(folder: Path, exit_codes: Sequence[int | None]) -> tuple[int, str] | None:
    """Number and reason of the stage to blame; None: all ended well. exit_codes: by stage, None
    for one that still runs. A process that was killed left no note, but the others' notes are then
    of its silence."""
    for rank, code in enumerate(exit_codes):
        if code is not None and code < 0:
            return rank, f'killed by {_signal(-code)}'
    notes = {
        rank: json.loads(path.read_text())
        for rank in range(len(exit_codes))
        if (path := folder / f'{rank}.failed').is_file()
    }
    if notes:
        rank = min(notes, key=lambda rank: notes[rank]['when_ns'])
        return rank, notes[rank]['said']
    for rank, code in enumerate(exit_codes):
        if code:
            return rank, f'exit code {code}'
    return None


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f'signal {number}'
