# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What may come in as an instruction, whoever sends it."""

from __future__ import annotations

import math

LONGEST = 1000
"""Characters. A text of 1 MB kept the node from its images until the robot was stopped."""

LONGEST_TIME = 3600.0
"""s; as for the parameter time_limit."""


def worded(text: str) -> str:
    """`text` on one line, as policies and logs take it; empty where there are no words.

    Raises ValueError: too long, or with characters that are no text.
    """
    if len(text) > LONGEST:
        raise ValueError(f'the instruction has {len(text)} characters, wanted at most {LONGEST}')
    words = ' '.join(text.split())
    if not words.isprintable():
        raise ValueError('the instruction has characters that cannot be printed')
    return words


def check_time_limit(seconds: float) -> None:
    """Raise ValueError unless it is 0, for the node's default, or a time to wait for."""
    if not (math.isfinite(seconds) and 0.0 <= seconds <= LONGEST_TIME):
        raise ValueError(f'time_limit is {seconds:g} s, wanted 0 to {LONGEST_TIME:g}')
