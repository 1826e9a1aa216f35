# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The ROS node of a launch that has lifecycle nodes."""

import contextlib
import os
import threading
from collections.abc import Iterator

from launch.event_handlers import OnShutdown

_CALLS_TIMEOUT = 10.0  # s; calls look for the shutdown far more often


class ROSAdapter:
    """A node in a ROS context of its own, spinning on a thread of its own.

    SingleThreadedExecutor on purpose: a plain spin() of EventsExecutor hangs in the wheels.
    """

    def __init__(self) -> None:
        # Here: a launch without lifecycle nodes does not wait for the import of rclpy.
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.signals import SignalHandlerOptions

        self._ros_context = rclpy.Context()
        rclpy.init(
            args=[],
            context=self._ros_context,
            signal_handler_options=SignalHandlerOptions.NO,  # signals are launch's
        )
        self.ros_node = rclpy.create_node(f'launch_ros_{os.getpid()}', context=self._ros_context)
        self._executor = SingleThreadedExecutor(context=self._ros_context)
        self._executor.add_node(self.ros_node)
        self._calls = 0
        self._calls_changed = threading.Condition()
        self._running = True
        self._thread = threading.Thread(target=self._spin, name='launch_ros', daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        while self._running:
            self._executor.spin_once(timeout_sec=1.0)

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """While a thread is in here the node is not destroyed."""
        with self._calls_changed:
            self._calls += 1
        try:
            yield
        finally:
            with self._calls_changed:
                self._calls -= 1
                self._calls_changed.notify_all()

    def shutdown(self) -> None:
        """Stop spinning and destroy the node, once no call is in progress."""
        with self._calls_changed:
            self._calls_changed.wait_for(lambda: self._calls == 0, timeout=_CALLS_TIMEOUT)
        self._running = False
        self._executor.wake()
        self._thread.join()
        self._executor.remove_node(self.ros_node)
        self._executor.shutdown()
        self.ros_node.destroy_node()
        self._ros_context.try_shutdown()


def get_ros_adapter(context) -> ROSAdapter:
    """The adapter of this launch, created at the first use and ended by the shutdown."""
    if 'ros_adapter' not in context.get_locals_as_dict():
        adapter = ROSAdapter()
        context.extend_globals({'ros_adapter': adapter})

        def on_shutdown(event, context) -> None:
            # Off the loop's thread: it waits until calls to services are given up.
            loop = context.asyncio_loop
            context.add_completion_future(loop.run_in_executor(None, adapter.shutdown))

        context.register_event_handler(OnShutdown(on_shutdown=on_shutdown, handle_once=True))
    return context.locals.ros_adapter
