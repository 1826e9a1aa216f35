# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Messages of gripper commands, as the filter's calls."""

from collections.abc import Callable

from vla_common.clock import steady_now
from vla_common.messages import stamp_to_ns
from vla_interfaces.msg import GripperCommand
from vla_safety.filter_runtime import FilterRuntime
from vla_safety.grippers import order_of
from vla_safety.input_log import InputLog


class GripperInput:
    """Reads messages into a filter.

    Args:
        runtime: takes the orders.
        log: of the node's inputs.
        wall_ns: the ROS clock.
        warn: reports an order that was rejected.
    """

    def __init__(
        self,
        runtime: FilterRuntime,
        log: InputLog,
        wall_ns: Callable[[], int],
        warn: Callable[[str], None],
    ) -> None:
        self._runtime, self._log, self._wall_ns, self._warn = runtime, log, wall_ns, warn

    def on_command(self, message: GripperCommand) -> None:
        """A vla_interfaces/GripperCommand."""
        order = order_of(message.name, message.opening, message.force, message.speed)
        stamp = stamp_to_ns(message.header.stamp)
        given = order, stamp, (self._wall_ns() - stamp) * 1e-9, steady_now()
        self._log.grippers(*given)
        found = self._runtime.on_grippers(*given)
        if found:
            self._warn(f'gripper command rejected: {found[0]}')
