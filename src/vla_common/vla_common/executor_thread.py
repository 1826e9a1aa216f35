# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A node that a thread of its own spins while other threads use it.

rclpy's executors collect their entities while other threads run. If another thread destroys a
subscription, client or publisher in that moment, the executor raises InvalidHandle and the thread
that spins it ends: the node receives nothing from then on, without any report. So entities are
destroyed by `destroy_later`, and a waiting thread checks `failure`.
"""

import threading
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.task import Future

_SLICE = 0.05
"""s between two checks for the end."""


def destroy_later(node: Node, destroy: Callable[[], object]) -> None:
    """Call ``destroy`` in the thread that spins the node: soon, or now if no executor spins it."""
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
        try:
            while not self._stop and self._node.context.ok():
                # A new future each time: it keeps a callback of every call.
                self._executor.spin_until_future_complete(Future(), _SLICE)
        except Exception as error:
            self.failure = error
        self._executor.remove_node(self._node)
        self._executor.shutdown()

    def stop(self) -> None:
        """Request the end, without waiting."""
        self._stop = True

    def close(self, timeout: float = 10.0) -> None:
        """Request the end, and wait for it."""
        self.stop()
        self.thread.join(timeout)
