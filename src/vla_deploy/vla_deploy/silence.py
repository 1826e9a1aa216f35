# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Other people's tools talk; stdout belongs to results, and an error is one line of ours."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import TextIO


class _Nowhere(io.StringIO):
    """Takes what is printed; rich, which asks a stream for the one behind it, writes there."""

    def __init__(self, behind: TextIO) -> None:
        super().__init__()
        self.rich_proxied_file = behind


def first_line(error: BaseException) -> str:
    """Of what someone's code raised; the name of its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """No warning, no log line and nothing printed by what runs within: exporters, quantisers,
    pruners and placers tell of things that are as they should be, and print whole tracebacks of
    the exception that they raise anyway. Exceptions pass, and so do our own bars (rich)."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    nowhere = _Nowhere(getattr(sys.stderr, 'rich_proxied_file', sys.stderr))
    silent = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(nowhere)
    try:
        with warnings.catch_warnings(), silent[0], silent[1]:
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(before)
