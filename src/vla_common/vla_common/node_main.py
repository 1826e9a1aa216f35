# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The `main` of every node, and the signals that end it."""

import signal
import sys
import time
from collections.abc import Callable

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from vla_common.lifecycle import VlaLifecycleNode
from vla_common.scheduling import Priority, request_realtime

FINISH_DEADLINE = 4.5
"""s that `finish()` may take after a signal: launch sends SIGTERM 5 s after SIGINT."""

_CHECK_PERIOD = 0.1  # s between two checks for a signal
_LONGEST_SPIN = 60.0  # s


def shutdown_signals() -> list[signal.Signals]:
    """The signals that end a node in order.

    SIGHUP is a closed terminal or a broken ssh connection: without this the driver would end in
    the middle of a motion. Where it is ignored (nohup), it stays ignored.
    """
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    return signals


def run(
    make_node: Callable[[], VlaLifecycleNode],
    args: list[str] | None = None,
    priority: Priority = Priority.NORMAL,
    autostart: bool = False,
) -> int:
    """Run one node until a signal ends it (`shutdown_signals`).

    On a signal: `secure()`, then the executor continues until `finish()` agrees that the process
    may end (at most FINISH_DEADLINE), then teardown. Further signals change nothing: a terminal's
    Ctrl-C reaches a launched process twice, from the terminal and from launch.

    Args:
        make_node: called once, after rclpy.init.
        args: command line arguments; those of the process by default.
        priority: real-time priority to request.
        autostart: configure and activate without a request: for the node that manages the others,
            whose own restart must not depend on a service call (after a kill, an early one goes to
            the dead process's server and is never answered).
    """
    scheduling = request_realtime(priority)
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    received: list[int] = []
    signals = shutdown_signals()
    for number in signals:
        signal.signal(number, lambda signum, frame: received.append(signum))
    try:
        node = make_node()
    except Exception as error:
        print(f'{type(error).__name__}: {error}', file=sys.stderr)
        rclpy.shutdown()
        return 1
    if priority != Priority.NORMAL:
        node.get_logger().info(scheduling)
    # A third to a half of SingleThreadedExecutor's CPU time. Its plain spin() hangs in Jazzy's
    # wheels and would not see Python's signal handlers. Each spin_until_future_complete leaks 24
    # bytes, and a callback in the future: long slices, which a timer ends.
    executor = EventsExecutor()
    executor.add_node(node)
    ended = Future()

    def check() -> None:
        if (received or not rclpy.ok()) and not ended.done():
            ended.set_result(None)

    def spin(until: Future, seconds: float) -> None:
        try:
            executor.spin_until_future_complete(until, seconds)
        except ExternalShutdownException:
            raise
        except Exception:
            # From a callback that rclpy created (parameters, lifecycle, action): ours are guarded.
            node.report_error('a callback of rclpy')

    try:
        if autostart and node.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            node.trigger_activate()
        node.create_timer(_CHECK_PERIOD, check, clock=Clock(clock_type=ClockType.STEADY_TIME))
        while not received and rclpy.ok():
            spin(ended, _LONGEST_SPIN)
        begin = time.monotonic()
        node.secure_now()
        while rclpy.ok() and time.monotonic() - begin < FINISH_DEADLINE:
            try:
                if node.finish(time.monotonic() - begin):
                    break
            except Exception:
                node.report_error('finish')
                break
            spin(Future(), 0.02)
    except ExternalShutdownException:
        pass
    finally:
        node.end()
        executor.remove_node(node)
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
        # The interpreter restores the default of a handled signal while it ends, and the second
        # SIGINT of a Ctrl-C, launch's, would then kill a process that has done everything right.
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
    return 0
