# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""How far a long command is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time


class Progress:
    """On standard error, so that standard output holds results alone.

    Args:
        total: steps that make the whole.
    """

    def __init__(self, total: int) -> None:
        self._total, self._done = max(total, 1), 0
        self._begin = time.monotonic()
        self._told = -1
        self._terminal = sys.stderr.isatty()

    def step(self, what: str) -> None:
        """One more step, called ``what``, begins."""
        share = self._done / self._total
        self._done += 1
        if self._terminal:
            bar = '█' * round(24 * share)
            left = ''
            if share > 0.02:
                seconds = (time.monotonic() - self._begin) * (1.0 / share - 1.0)
                left = f' {int(seconds) // 60}:{int(seconds) % 60:02d} left'
            print(f'\r\033[K[{bar:<24}] {share:4.0%}{left}  {what}', end='', file=sys.stderr)
            sys.stderr.flush()
        elif int(10 * share) != self._told:
            self._told = int(10 * share)
            print(f'{share:4.0%} {what}', file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """A line that stays."""
        print(('\r\033[K' if self._terminal else '') + text, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Clear the bar."""
        if self._terminal:
            print('\r\033[K', end='', file=sys.stderr, flush=True)
