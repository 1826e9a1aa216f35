# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A robot under measurement: one that is up (`RobotClient`) or one that is launched here.

It is observed from outside by one node. The processes of a launched robot are found by their
command lines, so that they can be stopped and killed.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_common import qos, topics
from vla_common.domains import domain_of_this_process, reserve_domain
from vla_common.executor_thread import ExecutorThread, destroy_later
from vla_common.process import end_with_parent
from vla_common.scheduling import Priority, request_realtime
from vla_common.states import Behaviour, Mode
from vla_interfaces.msg import DriverStatus, SupervisorState
from vla_validation.faults.message_faults import ORDER_TOPIC, RAW
from vla_validation.report import NotMeasuredError

NODES = (*topics.HEARTBEAT_TOPIC, 'supervisor')

PASSIVE = (Behaviour.DAMP, Behaviour.OFF)
"""Behaviours in which the joints are not held."""

BRING_UP = 120.0
"""s that a bring-up may take; 5 to 8 s alone on two cores."""

INSTRUCTION = 'wave with your left hand'

_ATTEMPTS = 5  # to start a motion
_LIE_DOWN = 'lies'  # in the driver's reason, where the robot is on the floor


class HarnessError(NotMeasuredError):
    """The robot did not reach a state; the text names what was waited for."""


@contextmanager
def own_domain() -> Iterator[int]:
    """Use a ROS domain in which no other robot of this machine is up."""
    os.environ['ROS_DOMAIN_ID'], lock = reserve_domain(domain_of_this_process())
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    try:
        yield int(os.environ['ROS_DOMAIN_ID'])
    finally:
        lock.__exit__(None, None, None)


class RobotClient:
    """A node that observes and operates a robot. Use it as a context.

    Args:
        executor: class of the executor that spins the node in a thread.
    """

    def __init__(self, executor: Any = SingleThreadedExecutor) -> None:
        self._context = rclpy.Context()
        self._context.init(args=[])  # this process's command line is not the node's
        self.node = Node('vla_validation', context=self._context, start_parameter_services=False)
        self.state: SupervisorState | None = None
        self.driver: DriverStatus | None = None
        self._listeners: list[Callable[[Any], None]] = []
        self._clients: dict[str, Any] = {}
        for topic in (topics.SUPERVISOR_STATE, topics.HARDWARE_STATUS):
            self.node.create_subscription(
                topic.message_type(), self.unaltered(topic), self._on_message, qos.EVENT
            )
        self._instructions = self.publisher(topics.INSTRUCTION)
        self._thread = ExecutorThread(self.node, executor(context=self._context))

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the node."""
        self._thread.close(5.0)
        self.node.destroy_node()
        self._context.try_shutdown()

    def unaltered(self, topic: topics.Topic) -> str:
        """Name under which the publisher of a topic publishes it."""
        return topic.name

    def publisher(self, topic: topics.Topic) -> Any:
        """A publisher of a topic of the workspace."""
        return self.node.create_publisher(topic.message_type(), topic.name, qos.publisher(topic))

    # -- its state --------------------------------------------------------------------------------

    def _on_message(self, message: SupervisorState | DriverStatus) -> None:
        if isinstance(message, SupervisorState):
            self.state = message
        else:
            self.driver = message
        for listener in self._listeners:
            listener(message)

    def add_listener(self, listener: Callable[[Any], None]) -> None:
        """Call ``listener`` with every SupervisorState and DriverStatus."""
        self._listeners.append(listener)

    def remove_listener(self, listener: Callable[[Any], None]) -> None:
        """Undo `add_listener`."""
        self._listeners.remove(listener)

    @property
    def mode(self) -> Mode | None:
        """The mode received last."""
        return Mode(self.state.mode) if self.state is not None else None

    @property
    def behaviour(self) -> Behaviour | None:
        """The driver's behaviour received last."""
        return Behaviour(self.driver.behaviour) if self.driver is not None else None

    @property
    def causes(self) -> list[str]:
        """Names of the causes that are present."""
        return [c.name for c in self.state.causes if c.present] if self.state is not None else []

    @property
    def moves(self) -> bool:
        """Whether it follows its policy, and its joints move."""
        return (
            self.mode is Mode.RUNNING
            and self.behaviour is Behaviour.TRACK
            and self.driver.max_joint_speed > 0.15
        )

    # -- waiting ----------------------------------------------------------------------------------

    def failure(self) -> str:
        """Why no message can arrive any more; empty while they can."""
        error = self._thread.failure
        return '' if error is None else f'the observing node ended: {error!r}'

    def describe(self) -> str:
        """The robot's state in words, for errors."""
        missing = list(self.state.nodes_missing) if self.state is not None else None
        return (
            f'mode {self.mode}, behaviour {self.behaviour}, causes {self.causes}, '
            f'missing nodes {missing}'
        )

    def poll_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Whether the condition becomes true in time."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline or self.failure():
                return condition()
            time.sleep(0.002)
        return True

    def wait(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Return when the condition holds. Raises HarnessError."""
        if not self.poll_until(condition, timeout):
            why = self.failure() or f'{timeout:g} s passed'
            raise HarnessError(f'{why} while waiting for {what}; {self.describe()}')

    def wait_mode(self, mode: Mode, timeout: float = BRING_UP) -> None:
        """Wait for a mode. Raises HarnessError."""
        self.wait(lambda: self.mode is mode, timeout, f'mode {mode.name}')

    def wait_behaviour(self, behaviour: Behaviour, timeout: float = 10.0) -> None:
        """Wait for a behaviour. Raises HarnessError."""
        self.wait(lambda: self.behaviour is behaviour, timeout, f'behaviour {behaviour.name}')

    # -- operating it -----------------------------------------------------------------------------

    def request(self, service: str, kind: Any = Trigger, request: Any = None) -> Future:
        """Call a service without waiting for its response."""
        client = self._clients.get(service)
        if client is None:
            client = self._clients[service] = self.node.create_client(kind, service)
            client.wait_for_service(1.0)
        return client.call_async(request or kind.Request())

    def call(self, service: str, timeout: float = 5.0) -> tuple[bool, str]:
        """Call a Trigger service: whether it succeeded, and its message."""
        future = self.request(service)
        if not self.poll_until(future.done, timeout):
            client = self._clients.pop(service)
            # Its server may be another process by now.
            destroy_later(self.node, lambda: self.node.destroy_client(client))
            return False, f'{service} did not answer in {timeout:g} s'
        return future.result().success, future.result().message

    def instruct(self, text: str = INSTRUCTION) -> None:
        """Publish an instruction."""
        self._instructions.publish(String(data=text))

    def recover(self, timeout: float = 60.0) -> None:
        """To READY, on its feet, by the operator's own steps. Raises HarnessError."""
        deadline = time.monotonic() + timeout
        refusal = ''
        while self.mode is not Mode.READY:
            if self.failure() or time.monotonic() > deadline:
                raise HarnessError(f'not READY after {timeout:g} s: {refusal}; {self.describe()}')
            refusal = self._recovery_step() or refusal

    def _recovery_step(self) -> str:
        mode = self.mode
        steps = {
            Mode.ESTOP: ('/sim/reset', '/supervisor/reset'),
            Mode.INACTIVE: ('/supervisor/arm',),
            Mode.SAFE_STOP: ('/supervisor/resume',),
            Mode.RUNNING: ('/supervisor/safe_stop',),
        }.get(mode, ())
        for service in steps:
            success, message = self.call(service)
            if not success:
                # A robot on the floor is not stood up: after an e-stop the simulation resets it.
                if (
                    mode is Mode.SAFE_STOP
                    and 'standing pose' in message
                    and self.driver is not None
                    and _LIE_DOWN in self.driver.behaviour_reason
                ):
                    self.call('/supervisor/estop')
                time.sleep(0.1)
                return message
        self.poll_until(lambda: self.mode is not mode, 1.0)
        return ''

    def recover_to_hold(self) -> None:
        """READY and holding its pose. Raises HarnessError."""
        self.recover()
        self.wait_behaviour(Behaviour.HOLD)

    def start_motion(self) -> None:
        """Have the robot carry out `INSTRUCTION` until it moves. Raises HarnessError.

        On a crowded machine it may stop before it moves: a camera or policy without processor time
        has to stop it. Then it is recovered and instructed again.
        """
        stops = []
        for _ in range(_ATTEMPTS):
            self.recover()
            for _ in range(6):
                self.instruct()
                if self.poll_until(lambda: self.behaviour is Behaviour.TRACK, 1.0):
                    break
            if self.poll_until(lambda: self.moves, 6.0):
                return
            stops.append(self.causes)
        raise HarnessError(f'no motion after {_ATTEMPTS} instructions: {stops}; {self.describe()}')


class LaunchedRobot(RobotClient):
    """The simulated robot in processes of its own, and its client; leaving it takes them down.

    Args:
        arguments: of the launch file.
        log: file for what the launch prints; None: one in a temporary directory.
        priority: of this process's threads that are started from here on. One that measures times
            must not be kept from running.
        relayed: topics that pass through a relay, for `message_fault`. A relay of all of them
            takes a large part of a core.
        executor: see RobotClient.
        launch_file: of vla_bringup; without effect on a robot with relayed topics.
    """

    def __init__(
        self,
        arguments: Mapping[str, object],
        log: pathlib.Path | None = None,
        priority: Priority = Priority.NORMAL,
        relayed: Sequence[topics.Topic] = (),
        executor: Any = SingleThreadedExecutor,
        launch_file: str = 'humanoid.launch.py',
    ) -> None:
        self.log = log or pathlib.Path(tempfile.mkdtemp(prefix='vla_validation_')) / 'launch.log'
        self._output = open(self.log, 'ab')  # noqa: SIM115  closed in close()
        self._relay: subprocess.Popen[bytes] | None = None
        self._relayed = tuple(relayed)
        launch = ('vla_bringup', launch_file)
        if relayed:
            names = [topic.name for topic in relayed]
            launch = ('vla_validation', 'faults.launch.py', f'relayed_topics:={",".join(names)}')
            robot = str(arguments.get('robot', 'humanoid32'))
            relay = 'vla_validation.faults.relay'
            self._relay = self._start(sys.executable, '-m', relay, robot, *names)
        self.process = self._start(
            'ros2', 'launch', *launch, *(f'{name}:={value}' for name, value in arguments.items())
        )
        # Only now: the robot's processes would inherit the priority.
        request_realtime(priority)
        super().__init__(executor)
        self._orders = self.node.create_publisher(String, ORDER_TOPIC, qos.EVENT)

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )

    def unaltered(self, topic: topics.Topic) -> str:
        return f'{RAW}{topic.name}' if topic in self._relayed else topic.name

    def failure(self) -> str:
        return 'the launch ended' if self.process.poll() is not None else super().failure()

    def describe(self) -> str:
        return f'{super().describe()}; log: {self.log}'

    def output(self) -> str:
        """All that the launch printed."""
        self._output.flush()
        return self.log.read_text(errors='replace')

    def children(self) -> list[psutil.Process]:
        """All processes below the launch."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def pid(self, node: str) -> int:
        """Process id of a node. Raises HarnessError."""
        for child in self.children():
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if f'__node:={node}' in child.cmdline():
                    return child.pid
        raise HarnessError(f'{node} does not run')

    def send(self, node: str, number: signal.Signals) -> None:
        """Send a signal to a node's process."""
        os.kill(self.pid(node), number)

    def order(self, topic: str, how: str) -> None:
        """Have the relay alter a topic; see faults.relay."""
        self._orders.publish(String(data=json.dumps({'topic': topic, 'how': how})))

    @contextmanager
    def message_fault(self, topic: str, how: str) -> Iterator[None]:
        """Have the relay alter a topic while the context lasts."""
        self.order(topic, how)
        try:
            yield
        finally:
            self.order(topic, 'none')

    def close(self) -> None:
        """Take everything down."""
        self._thread.stop()
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        for child in self.children():
            with suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGCONT)  # a frozen process cannot end
        for process, number in ((self.process, signal.SIGINT), (self._relay, signal.SIGTERM)):
            if process is not None and process.poll() is None:
                process.send_signal(number)
                try:
                    process.wait(25)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait(10)
        super().close()
        self._output.close()


def _end_with_parent() -> None:
    """A robot without its observer would go on."""
    end_with_parent(signal.SIGINT)
