# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The begin of a node's process, before its imports."""

from __future__ import annotations

import signal
from importlib import import_module


def start(module: str) -> None:
    """Import the node's module and call its `main`.

    The imports take a second and more. A Ctrl-C in that time ends the process without a traceback
    (launch shows six of them); `node_main.run` handles signals from there on. Where SIGINT is
    ignored (a background job of a script), it stays so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    import_module(module).main()
