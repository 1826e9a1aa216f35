# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Tasks that fill a status, and the Updater that runs them at a fixed period and publishes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from ._diagnostic_status_wrapper import DiagnosticStatusWrapper

StatusFunction = Callable[[DiagnosticStatusWrapper], DiagnosticStatusWrapper]


class DiagnosticTask:
    """Something with a name that fills a status; subclasses override ``run``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def getName(self) -> str:
        """Return the task's name."""
        return self.name

    def run(self, stat: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        """Fill the status and return it."""
        return stat


class FunctionDiagnosticTask(DiagnosticTask):
    """A task that is a function of the status."""

    def __init__(self, name: str, fn: StatusFunction) -> None:
        super().__init__(name)
        self.fn = fn

    def run(self, stat: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        return self.fn(stat)


class CompositeDiagnosticTask(DiagnosticTask):
    """Several tasks in one status: all their values, the worst level, their messages merged."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.tasks: list[DiagnosticTask] = []

    def addTask(self, t: DiagnosticTask) -> None:
        """Add a task; its values go into the same status."""
        self.tasks.append(t)

    def run(self, stat: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        before = DiagnosticStatusWrapper()
        before.summary(stat)
        merged = DiagnosticStatusWrapper()
        for task in self.tasks:
            stat.summary(before)
            stat = task.run(stat)
            merged.mergeSummary(stat)
        stat.summary(merged)
        return stat


class DiagnosticTaskVector:
    """A locked list of named tasks."""

    class DiagnosticTaskInternal:
        """A name and a function, which is all that is kept of a task."""

        def __init__(self, name: str, fn: StatusFunction) -> None:
            self.name = name
            self.fn = fn

        def run(self, stat: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
            """Name the status after the task and fill it."""
            stat.name = self.name
            return self.fn(stat)

    def __init__(self) -> None:
        self.tasks: list[DiagnosticTaskVector.DiagnosticTaskInternal] = []
        self.lock = threading.Lock()

    def addedTaskCallback(self, task: DiagnosticTaskInternal) -> None:
        """Called, under the lock, for each task that is added."""

    def add(self, *args: object) -> None:
        """Add a ``DiagnosticTask``, or a name and a function."""
        if len(args) == 1:
            (given,) = args
            task = self.DiagnosticTaskInternal(given.getName(), given.run)
        elif len(args) == 2:
            task = self.DiagnosticTaskInternal(*args)
        else:
            raise TypeError(f'add() takes a task, or a name and a function; got {len(args)} values')
        with self.lock:
            self.tasks.append(task)
            self.addedTaskCallback(task)

    def removeByName(self, name: str) -> bool:
        """Remove the first task of that name; False if there is none."""
        with self.lock:
            for index, task in enumerate(self.tasks):
                if task.name == name:
                    del self.tasks[index]
                    return True
        return False


class Updater(DiagnosticTaskVector):
    """Runs its tasks on a node's timer and publishes what they say on ``/diagnostics``.

    The period, in seconds, is the node's parameter ``diagnostic_updater.period``; the statuses
    are named ``<node>: <task>``, with the namespace in front if the parameter
    ``diagnostic_updater.use_fqn`` is true. As in the real package an exception in a task leaves
    through the timer and takes the executor with it: tasks guard themselves.
    """

    def __init__(self, node: object, period: float = 1.0) -> None:
        super().__init__()
        self.node = node
        self.publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 1)
        self.period_parameter = 'diagnostic_updater.period'
        self.__period = node.declare_parameter(self.period_parameter, period).value
        self.timer = node.create_timer(self.__period, self.update)
        self.verbose = False
        self.hwid = ''
        self.warn_nohwid_done = False
        self.use_fqn_parameter = 'diagnostic_updater.use_fqn'
        if node.has_parameter(self.use_fqn_parameter):
            use_fqn = node.get_parameter(self.use_fqn_parameter).value
        else:
            use_fqn = node.declare_parameter(self.use_fqn_parameter, False).value
        name = node.get_name()
        self.node_name = f'{node.get_namespace()}/{name}' if use_fqn else name

    @property
    def period(self) -> float:
        """Seconds between two updates."""
        return self.__period

    @period.setter
    def period(self, period: float) -> None:
        self.__period = period
        self.node.destroy_timer(self.timer)
        self.timer = self.node.create_timer(period, self.update)

    def update(self) -> None:
        """Run every task and publish."""
        statuses = []
        with self.lock:
            for task in self.tasks:
                status = DiagnosticStatusWrapper(
                    level=DiagnosticStatus.ERROR,
                    name=task.name,
                    message='No message was set',
                    hardware_id=self.hwid,
                )
                status = task.run(status)
                statuses.append(status)
                if self.verbose and status.level != DiagnosticStatus.OK:
                    self.node.get_logger().warning(
                        f'Non-zero diagnostic status. Name: {status.name}, '
                        f'status {status.level!r}: {status.message}'
                    )
        all_ok = all(status.level == DiagnosticStatus.OK for status in statuses)
        if not self.hwid and all_ok and not self.warn_nohwid_done:
            self.warn_nohwid_done = True
            self.node.get_logger().warning(
                "diagnostic_updater: no hardware id is set; call setHardwareID, with 'none' for "
                'what has no hardware'
            )
        self.publish(statuses)

    def force_update(self) -> None:
        """Run every task and publish now, whatever the period."""
        self.update()

    def broadcast(self, lvl: bytes, msg: str) -> None:
        """Publish one level and message as the status of every task."""
        statuses = []
        for task in self.tasks:
            status = DiagnosticStatusWrapper(name=task.name)
            status.summary(lvl, msg)
            statuses.append(status)
        self.publish(statuses)

    def setHardwareID(self, hwid: str) -> None:
        """Set the hardware id of every status from now on."""
        self.hwid = hwid

    def publish(self, msg: DiagnosticStatus | Iterable[DiagnosticStatus]) -> None:
        """Publish one status or a list of them, stamped now and named after the node."""
        statuses = [msg] if isinstance(msg, DiagnosticStatus) else msg
        array = DiagnosticArray()
        array.header.stamp = self.node.get_clock().now().to_msg()
        for status in statuses:
            status.name = f'{self.node_name}: {status.name}'
            # A plain message: the publisher checks the type of what it is given.
            array.status.append(
                DiagnosticStatus(
                    level=status.level,
                    name=status.name,
                    message=status.message,
                    hardware_id=status.hardware_id,
                    values=status.values,
                )
            )
        self.publisher.publish(array)

    def addedTaskCallback(self, task: DiagnosticTaskVector.DiagnosticTaskInternal) -> None:
        """Say at once that a new task exists and is starting."""
        status = DiagnosticStatusWrapper(name=task.name)
        status.summary(DiagnosticStatus.OK, 'Node starting up')
        self.publish(status)
