# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One launched robot: `ros2 launch vla_bringup humanoid.launch.py` in a domain of its own.

It is watched from outside by one node, and its processes are found by their command lines, so that
they can be stopped and killed. Nothing in here belongs to a test framework.
"""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import psutil
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

from vla_common import qos
from vla_common.executor_thread import ExecutorThread, destroy_later
from vla_common.process import end_with_parent
from vla_common.scheduling import Priority, request_realtime
from vla_common.states import Behaviour, Mode
from vla_interfaces.msg import DriverStatus, SupervisorState

NODES = (
    'hardware_driver',
    'balance_monitor',
    'camera',
    'safety_filter',
    'inference',
    'supervisor',
)

BRING_UP = 120.0
"""s that a bring-up may take; 5 to 8 s alone on two cores."""

_LAUNCH = ('ros2', 'launch', 'vla_bringup', 'humanoid.launch.py')


def _end_with_the_parent() -> None:
    """A robot that nobody watches would go on."""
    end_with_parent(signal.SIGINT)


class HarnessError(RuntimeError):
    """The robot did not come up, or did not come back; the text says what was waited for."""


def own_domain() -> Any:
    """Take a ROS domain that nobody on this machine holds; keep the return value alive."""
    import domain_coordinator

    users = os.environ.get('ROS_DOMAIN_ID')
    while True:
        lock = domain_coordinator.domain_id()
        number = str(lock.__enter__())
        if number != users:
            os.environ['ROS_DOMAIN_ID'] = number
            os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
            return lock


class LaunchedRobot:
    """The robot and its watcher. Use it as a context; leaving it takes everything down.

    Args:
        log: file for what the launch prints.
        arguments: of the launch file.
        launch: command line before the arguments, where another launch file wraps the robot's.
        priority: of the watcher. One that measures times must not be kept from running.
        prefix: of the topics that are listened to, where what is said is not what is heard.
    """

    def __init__(
        self,
        log: pathlib.Path,
        arguments: Mapping[str, object],
        launch: Sequence[str] = _LAUNCH,
        priority: Priority = Priority.NORMAL,
        prefix: str = '',
    ) -> None:
        self._log = log
        self._output = open(log, 'ab')  # noqa: SIM115  closed in close()
        command = [*launch, *(f'{name}:={value}' for name, value in arguments.items())]
        self.process = subprocess.Popen(
            command,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_the_parent,
        )
        # Only now: its processes would inherit the priority. Threads made from here on do.
        request_realtime(priority)
        self._context = rclpy.Context()
        self._context.init(args=[])  # the command line here is the launch file's
        self.node = Node('rehearsal', context=self._context, start_parameter_services=False)
        self.state: SupervisorState | None = None
        self.driver: DriverStatus | None = None
        self._listeners: list[Callable[[Any], None]] = []
        self._clients: dict[str, Any] = {}
        self.node.create_subscription(
            SupervisorState, f'{prefix}/supervisor/state', self._on_state, qos.EVENT
        )
        self.node.create_subscription(
            DriverStatus, f'{prefix}/hardware/status', self._on_driver, qos.EVENT
        )
        executor = SingleThreadedExecutor(context=self._context)
        self._spinning = ExecutorThread(self.node, executor)

    def __enter__(self) -> LaunchedRobot:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- what it says -----------------------------------------------------------------------------

    def _on_state(self, message: SupervisorState) -> None:
        self.state = message
        for listener in self._listeners:
            listener(message)

    def _on_driver(self, message: DriverStatus) -> None:
        self.driver = message
        for listener in self._listeners:
            listener(message)

    def listen(self, listener: Callable[[Any], None]) -> None:
        """Have every SupervisorState and DriverStatus given to ``listener``, as they come."""
        self._listeners.append(listener)

    def deafen(self, listener: Callable[[Any], None]) -> None:
        """Undo `listen`."""
        self._listeners.remove(listener)

    @property
    def mode(self) -> Mode | None:
        """The mode last heard."""
        return Mode(self.state.mode) if self.state is not None else None

    @property
    def behaviour(self) -> Behaviour | None:
        """The driver's behaviour last heard."""
        return Behaviour(self.driver.behaviour) if self.driver is not None else None

    @property
    def causes(self) -> list[str]:
        """Names of the causes that are present."""
        return [c.name for c in self.state.causes if c.present] if self.state is not None else []

    def tail(self, lines: int = 30) -> str:
        """The last lines that the launch printed."""
        self._output.flush()
        return '\n'.join(self._log.read_text(errors='replace').splitlines()[-lines:])

    # -- waiting ----------------------------------------------------------------------------------

    def wait(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Return when the condition holds. Raises RehearsalError."""
        deadline = time.monotonic() + timeout
        while not condition():
            if self.process.poll() is not None:
                raise HarnessError(f'the launch ended while waiting for {what}:\n{self.tail()}')
            if self._spinning.failure is not None:
                raise HarnessError('the watcher ended') from self._spinning.failure
            if time.monotonic() > deadline:
                raise HarnessError(
                    f'waited {timeout:g} s in vain for {what}; mode {self.mode}, behaviour '
                    f'{self.behaviour}, causes {self.causes}:\n{self.tail()}'
                )
            time.sleep(0.002)

    def holds(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Whether the condition comes true in time."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline or self.process.poll() is not None:
                return condition()
            time.sleep(0.002)
        return True

    # -- what is done to it -----------------------------------------------------------------------

    def ask(self, service: str) -> Future:
        """Call a Trigger service without waiting for its answer."""
        client = self._clients.get(service)
        if client is None:
            client = self._clients[service] = self.node.create_client(Trigger, service)
            client.wait_for_service(1.0)
        return client.call_async(Trigger.Request())

    def call(self, service: str, timeout: float = 5.0) -> tuple[bool, str]:
        """Call a Trigger service: whether it was granted, and what it said."""
        future = self.ask(service)
        if not self.holds(future.done, timeout):
            client = self._clients.pop(service)
            # Its server may be another process by now.
            destroy_later(self.node, lambda: self.node.destroy_client(client))
            return False, f'{service} did not answer in {timeout:g} s'
        answer = future.result()
        return answer.success, answer.message

    def pid(self, node: str) -> int:
        """Process id of a node. Raises RehearsalError."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if f'__node:={node}' in child.cmdline():
                    return child.pid
        raise HarnessError(f'{node} does not run')

    def send(self, node: str, number: signal.Signals) -> None:
        """Send a signal to a node's process."""
        os.kill(self.pid(node), number)

    def bring_back(self, timeout: float = 60.0) -> None:
        """To READY, on its feet, by the operator's own steps. Raises RehearsalError."""
        deadline = time.monotonic() + timeout
        said = ''
        while self.mode is not Mode.READY:
            if time.monotonic() > deadline:
                raise HarnessError(
                    f'not READY after {timeout:g} s (mode {self.mode}, causes {self.causes}, '
                    f'missing {self.state.nodes_missing if self.state else None}): {said}'
                )
            if self.process.poll() is not None:
                raise HarnessError(f'the launch ended:\n{self.tail()}')
            said = self._one_step_back() or said

    def _one_step_back(self) -> str:
        mode = self.mode
        steps = {
            Mode.ESTOP: ('/sim/reset', '/supervisor/reset'),
            Mode.INACTIVE: ('/supervisor/arm',),
            Mode.SAFE_STOP: ('/supervisor/resume',),
            Mode.RUNNING: ('/supervisor/safe_stop',),
        }.get(mode, ())
        for service in steps:
            granted, said = self.call(service)
            if not granted:
                if mode is Mode.SAFE_STOP and 'standing pose' in said:
                    lies = self.driver is not None and 'lies' in self.driver.behaviour_reason
                    if lies:  # a robot on the floor is not stood up; it is put on its feet
                        self.call('/supervisor/estop')
                time.sleep(0.05)
                return said
        self.holds(lambda: self.mode is not mode, 1.0)
        return ''

    def close(self) -> None:
        """Take everything down."""
        self._spinning.stop()
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.send_signal(signal.SIGCONT)  # a frozen process cannot end
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(25)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)
        self._spinning.close(5.0)
        self.node.destroy_node()
        self._context.try_shutdown()
        self._output.close()
