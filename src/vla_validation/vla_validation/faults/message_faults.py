# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Message faults: the topics that the relay can alter, and what it does to a stream of messages.

`MessageFaults` is pure: time is an argument.
"""

from collections import deque
from collections.abc import Callable

from vla_common import topics

RAW = '/fault_injection/raw'
"""Before a topic's name: its publisher's side of the relay."""

ORDER_TOPIC = '/fault_injection/order'
"""Orders for the relay (std_msgs/String): JSON with `topic` and `how`."""

MODES_WITHOUT = {
    topics.JOINT_STATES: ('SAFE_STOP',),
    topics.IMU: ('SAFE_STOP',),
    topics.LEFT_FOOT_WRENCH: ('SAFE_STOP',),
    topics.RIGHT_FOOT_WRENCH: ('SAFE_STOP',),
    topics.HARDWARE_STATUS: ('ESTOP',),
    # The filter needs it to begin a motion, not to continue one.
    topics.JOINT_REFERENCE: ('RUNNING',),
    topics.WORLD_STATE: ('SAFE_STOP',),
    topics.BALANCE_STATE: ('SAFE_STOP',),
    topics.CAMERA_INFO: ('SAFE_STOP',),
    # The policy may end its instruction before the robot is stopped.
    topics.COLOR_IMAGE: ('READY', 'SAFE_STOP'),
    topics.SAFETY_STATUS: ('SAFE_STOP',),
    topics.JOINT_COMMAND: ('SAFE_STOP',),
    topics.ACTION_CHUNK: ('SAFE_STOP',),
    topics.INFERENCE_STATUS: ('SAFE_STOP',),
    topics.SUPERVISOR_STATE: ('SAFE_STOP',),
}
"""The topics of a campaign, with the modes in which the robot may end when one falls silent."""

DELAY = 0.6
"""s by which `delay` is late: longer than any of the shipped timeouts."""

REPORT_TOPIC = '/fault_injection/report'
"""The relay's report (std_msgs/String: topic and how) once an order has altered a message."""

HOWS = ('none', 'silence', 'delay', 'duplicate', 'reorder', 'replay')


class MessageFaults:
    """What is done to one stream of serialised messages.

    Args:
        how: of `HOWS`, or any other name where ``corrupt`` is given.
        corrupt: returns the altered message, or None to drop it.
    """

    def __init__(
        self, how: str = 'none', corrupt: Callable[[bytes], bytes | None] | None = None
    ) -> None:
        self._how = how
        self._corrupt = corrupt
        self._late: deque[tuple[float, bytes]] = deque()
        self._held: bytes | None = None

    def take(self, now: float, message: bytes) -> list[bytes]:
        """Take one message; return those to publish now, in their order."""
        if self._how == 'none':
            return [message]
        if self._how == 'silence':
            return []
        if self._how == 'delay':
            self._late.append((now + DELAY, message))
            return self.due(now)
        if self._how == 'duplicate':
            return [message, message]
        if self._how == 'reorder':
            if self._held is None:
                self._held = message
                return []
            first, self._held = self._held, None
            return [message, first]
        if self._how == 'replay':
            self._held = self._held or message
            return [self._held]
        altered = self._corrupt(message) if self._corrupt is not None else message
        return [] if altered is None else [altered]

    def due(self, now: float) -> list[bytes]:
        """Delayed messages whose time has come."""
        due = []
        while self._late and self._late[0][0] <= now:
            due.append(self._late.popleft()[1])
        return due
