# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Silenced third-party tools: stdout carries results only, and an error is one line."""

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import TextIO


class _NullStream(io.StringIO):
    """Discards what is printed. Rich looks for the stream behind it and writes there."""

    def __init__(self, behind: TextIO) -> None:
        super().__init__()
        self.rich_proxied_file = behind


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """No warnings, log lines or prints from the code inside. Exceptions and our own progress bars
    (rich) pass: exporters and quantisers print whole tracebacks of what they raise anyway."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    nowhere = _NullStream(getattr(sys.stderr, 'rich_proxied_file', sys.stderr))
    silent = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(nowhere)
    try:
        with warnings.catch_warnings(), silent[0], silent[1]:
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(before)
