# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A node that a thread of its own spins, while others ask things of it.

rclpy's executors gather what they wait for while other threads run. A subscription, client or
publisher that another thread destroys in that moment makes the executor raise InvalidHandle, and
the thread that spins it ends: the node is deaf from then on, and nothing says so. So what is to go
goes by `destroy_later`, and whoever waits for something looks at `failure`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.task import Future

_SLICE = 0.05
"""s between two looks at whether it is over."""


def destroy_later(node: Node, destroy: Callable[[], object]) -> None:
    """Call ``destroy`` in the thread that spins the node: soon, or now if nobody spins it."""
    executor = node.executor
    if executor is None:
        destroy()
    else:
        executor.create_task(destroy)


class ExecutorThread:
    """Spins a node until `close`, which ends the executor but leaves the node.

    Args:
        node: not yet added to an executor.
        executor: of the node's context.
    """

    def __init__(self, node: Node, executor: Any) -> None:
        self._node = node
        self._executor = executor
        self._stop = False
        self.failure: Exception | None = None
        executor.add_node(node)
        self.thread = threading.Thread(target=self._spin, daemon=True)
        self.thread.start()

    def _spin(self) -> None:
        never = Future()
        try:
            while not self._stop and self._node.context.ok():
                self._executor.spin_until_future_complete(never, _SLICE)
        except Exception as error:
            self.failure = error
        self._executor.remove_node(self._node)
        self._executor.shutdown()

    def stop(self) -> None:
        """Ask it to end, without waiting."""
        self._stop = True

    def close(self, timeout: float = 10.0) -> None:
        """Ask it to end, and wait for it."""
        self.stop()
        self.thread.join(timeout)
