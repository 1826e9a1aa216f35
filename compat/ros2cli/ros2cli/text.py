# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Words for people: suggestions and help lines."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean ...?` with the nearest names, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f'; did you mean {" or ".join(repr(word) for word in near)}?' if near else ''


def first_doc_line(thing: object) -> str:
    """Return the first line of a docstring without its full stop."""
    lines = (thing.__doc__ or '').strip().splitlines()
    return lines[0].strip().rstrip('.') if lines else ''
