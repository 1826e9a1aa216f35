# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stand-in for ROS 2 Jazzy's `diagnostic_updater` (Python), with the semantics of release 4.0."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


class DiagnosticStatusWrapper(DiagnosticStatus):
    """A status with the methods that tasks fill it with.

    Levels are what rclpy makes of `byte`: a `bytes` of length one, ordered by severity.
    """

    def summary(self, *args: object) -> None:
        """Set level and message, from `(level, message)` or from another status."""
        self.level, message = _level_and_message(args)
        self.message = str(message)

    def clearSummary(self) -> None:
        self.summary(OK, '')

    def mergeSummary(self, *args: object) -> None:
        """Merge level and message of another status, or of `(level, message)`, into this one.

        The level becomes the worse of the two. Two messages of the same kind (both OK, or both
        not OK) are joined by a semicolon; otherwise the one that is not OK stays.
        """
        level, message = _level_and_message(args)
        if (level != OK) == (self.level != OK):
            self.message = f'{self.message}; {message}' if self.message else message
        elif level > self.level:
            self.message = message
        self.level = max(self.level, level)

    def add(self, key: str, val: str) -> None:
        """Append a key-value pair; both must be strings, as in the real package."""
        self.values.append(KeyValue(key=key, value=val))


def _level_and_message(args: tuple) -> tuple[bytes, str]:
    return (args[0].level, args[0].message) if len(args) == 1 else args


StatusFunction = Callable[[DiagnosticStatusWrapper], DiagnosticStatusWrapper]


class DiagnosticTask:
    """Something with a name that fills a status; subclasses override `run`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def getName(self) -> str:
        return self.name

    def run(self, stat: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        """Fill the status and return it."""
        return stat


class FunctionDiagnosticTask(DiagnosticTask):
    """A task that is a function of the status."""

    def __init__(self, name: str, fn: StatusFunction) -> None:
        super().__init__(name)
        self.run = fn


class CompositeDiagnosticTask(DiagnosticTask):
    """Several tasks in one status: all their values, the worst level, their messages merged."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.tasks: list[DiagnosticTask] = []

    def addTask(self, t: DiagnosticTask) -> None:
        self.tasks.append(t)

    def run(self, stat: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        before, merged = DiagnosticStatusWrapper(), DiagnosticStatusWrapper()
        before.summary(stat)
        for task in self.tasks:
            stat.summary(before)
            stat = task.run(stat)
            merged.mergeSummary(stat)
        stat.summary(merged)
        return stat


class Updater:
    """Runs its tasks on a node's timer and publishes their statuses on `/diagnostics`.

    The period, in seconds, is the node's parameter `diagnostic_updater.period`; the statuses
    are named `<node>: <task>`, with the namespace in front if the parameter
    `diagnostic_updater.use_fqn` is true. As in the real package an exception in a task leaves
    through the timer and takes the executor with it: tasks guard themselves.
    """

    def __init__(self, node: object, period: float = 1.0) -> None:
        self.tasks: list[DiagnosticTask] = []
        self.lock = threading.Lock()
        self.node = node
        self.publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 1)
        self.period = self._parameter('diagnostic_updater.period', period)
        self.timer = node.create_timer(self.period, self.update)
        self.verbose = False
        self.hwid = ''
        self._has_warned = False
        use_fqn = self._parameter('diagnostic_updater.use_fqn', False)
        name = node.get_name()
        self.node_name = f'{node.get_namespace()}/{name}' if use_fqn else name

    def _parameter(self, name: str, default: object) -> object:
        if not self.node.has_parameter(name):
            self.node.declare_parameter(name, default)
        return self.node.get_parameter(name).value

    def add(self, *args: object) -> None:
        """Add a `DiagnosticTask`, or a name and a function."""
        task = args[0] if len(args) == 1 else FunctionDiagnosticTask(*args)
        with self.lock:
            self.tasks.append(task)
            self._publish_all([task], OK, 'Node starting up')

    def removeByName(self, name: str) -> bool:
        """Remove the first task of that name; False if there is none."""
        with self.lock:
            for task in self.tasks:
                if task.getName() == name:
                    self.tasks.remove(task)
                    return True
        return False

    def setHardwareID(self, hwid: str) -> None:
        """Set the hardware id of every status from now on."""
        self.hwid = hwid

    def update(self) -> None:
        """Run every task and publish."""
        statuses = []
        with self.lock:
            for task in self.tasks:
                status = DiagnosticStatusWrapper(
                    level=ERROR,
                    name=task.getName(),
                    message='No message was set',
                    hardware_id=self.hwid,
                )
                status = task.run(status)
                statuses.append(status)
                if self.verbose and status.level != OK:
                    self.node.get_logger().warning(
                        f'Non-zero diagnostic status. Name: {status.name}, '
                        f'status {status.level!r}: {status.message}'
                    )
        all_ok = all(status.level == OK for status in statuses)
        if not self.hwid and all_ok and not self._has_warned:
            self._has_warned = True
            self.node.get_logger().warning(
                "diagnostic_updater: no hardware id is set; call setHardwareID, with 'none' for "
                'a node without hardware'
            )
        self.publish(statuses)

    force_update = update

    def broadcast(self, lvl: bytes, msg: str) -> None:
        """Publish one level and message as the status of every task."""
        self._publish_all(self.tasks, lvl, msg)

    def _publish_all(self, tasks: list[DiagnosticTask], level: bytes, message: str) -> None:
        self.publish(
            [DiagnosticStatus(name=task.getName(), level=level, message=message) for task in tasks]
        )

    def publish(self, msg: DiagnosticStatus | Iterable[DiagnosticStatus]) -> None:
        """Publish one status or a list of them, stamped now and named after the node."""
        array = DiagnosticArray()
        array.header.stamp = self.node.get_clock().now().to_msg()
        for status in [msg] if isinstance(msg, DiagnosticStatus) else msg:
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
