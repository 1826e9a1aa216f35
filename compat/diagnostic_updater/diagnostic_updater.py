# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for ROS 2 Jazzy's `diagnostic_updater` (Python), with the semantics of release 4.0."""

import threading
from collections.abc import Callable, Iterable

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

OK, ERROR = DiagnosticStatus.OK, DiagnosticStatus.ERROR


class DiagnosticStatusWrapper(DiagnosticStatus):
    """A status with the methods that tasks fill it with.

    Levels are what rclpy makes of `byte`: a `bytes` of length one, ordered by severity.
    """

    def summary(self, lvl: bytes, msg: str) -> None:
        """Set level and message."""
        self.level, self.message = lvl, str(msg)

    def add(self, key: str, val: str) -> None:
        """Append a key-value pair; both must be strings, as in the real package."""
        self.values.append(KeyValue(key=key, value=val))


#: Fills a status and returns it.
Task = Callable[[DiagnosticStatusWrapper], DiagnosticStatusWrapper]


class Updater:
    """Runs its tasks on a node's timer and publishes their statuses on `/diagnostics`.

    The period, in seconds, is the node's parameter `diagnostic_updater.period`; the statuses
    are named `<node>: <task>`, with the namespace in front if the parameter
    `diagnostic_updater.use_fqn` is true. As in the real package an exception in a task leaves
    through the timer and takes the executor with it: tasks guard themselves.
    """

    def __init__(self, node: object, period: float = 1.0) -> None:
        self.tasks: list[tuple[str, Task]] = []
        self.lock = threading.Lock()
        self.node = node
        self.publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 1)
        self.period = self._parameter('diagnostic_updater.period', period)
        self.timer = node.create_timer(self.period, self.update)
        self.hwid = ''
        use_fqn = self._parameter('diagnostic_updater.use_fqn', False)
        name = node.get_name()
        self.node_name = f'{node.get_namespace()}/{name}' if use_fqn else name

    def _parameter(self, name: str, default: object) -> object:
        if not self.node.has_parameter(name):
            self.node.declare_parameter(name, default)
        return self.node.get_parameter(name).value

    def add(self, name: str, fn: Task) -> None:
        """Add a task by name and function."""
        with self.lock:
            self.tasks.append((name, fn))
            self.publish([DiagnosticStatus(name=name, level=OK, message='Node starting up')])

    def setHardwareID(self, hwid: str) -> None:
        """Set the hardware id of every status from now on."""
        self.hwid = hwid

    def update(self) -> None:
        """Run every task and publish."""
        statuses = []
        with self.lock:
            for name, run in self.tasks:
                status = DiagnosticStatusWrapper(
                    level=ERROR, name=name, message='No message was set', hardware_id=self.hwid
                )
                statuses.append(run(status))
        self.publish(statuses)

    force_update = update

    def publish(self, statuses: Iterable[DiagnosticStatus]) -> None:
        """Publish statuses, stamped now and named after the node."""
        array = DiagnosticArray()
        array.header.stamp = self.node.get_clock().now().to_msg()
        for status in statuses:
            # A plain message: the publisher checks the type of what it is given.
            array.status.append(
                DiagnosticStatus(
                    level=status.level,
                    name=f'{self.node_name}: {status.name}',
                    message=status.message,
                    hardware_id=status.hardware_id,
                    values=status.values,
                )
            )
        self.publisher.publish(array)


def __getattr__(name: str) -> object:
    raise AttributeError(
        f'diagnostic_updater.{name} is not part of the stand-in in compat/; '
        'install the real package'
    )
