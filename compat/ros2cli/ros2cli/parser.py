# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""An argument parser whose arguments are added only when it is used.

`ros2 topic list` must not import what `ros2 topic echo` needs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable


class LazyParser(argparse.ArgumentParser):
    """ArgumentParser that calls a function to fill itself right before it parses."""

    _populate: Callable[[], None] | None = None

    def populate_on_parse(self, populate: Callable[[], None]) -> None:
        """Set the function that adds the arguments."""
        self._populate = populate

    def parse_known_args(self, args=None, namespace=None):
        """Fill the parser if that has not happened, then parse."""
        if self._populate is not None:
            populate, self._populate = self._populate, None
            populate()
        return super().parse_known_args(args, namespace)
