# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The robot on stage, and everything that can be done to it."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import psutil
import yaml
from geometry_msgs.msg import WrenchStamped
from std_msgs.msg import String

from vla_common import qos
from vla_common.executor_thread import destroy_later
from vla_common.states import Behaviour, Mode
from vla_interfaces.msg import DriverStatus, SupervisorState
from vla_interfaces.srv import EndpointCheckin, RegisterEndpoint
from vla_robot import load_robot
from vla_supervisor.endpoints import answer_to
from vla_validation.faults.observer import Observer
from vla_validation.faults.topics import RAW, TOPICS
from vla_validation.system_harness.robot import BRING_UP, NODES, HarnessError, LaunchedRobot

INSTRUCTION = 'wave with your left hand'
PUSH_TIME = 0.1
"""s that a push lasts (sim.push_duration)."""


class Button:
    """An e-stop endpoint: registers, checks in ten times a second, until it is lost or leaves."""

    def __init__(
        self, robot: LaunchedRobot, name: str, soft: float = 0.5, hard: float = 1.2
    ) -> None:
        self._robot, self._name = robot, name
        self.pressed = False
        node = robot.node
        self._register = node.create_client(RegisterEndpoint, '/supervisor/register_endpoint')
        self._check_in = node.create_client(EndpointCheckin, '/supervisor/checkin')
        self._register.wait_for_service(1.0)
        self._check_in.wait_for_service(1.0)
        request = RegisterEndpoint.Request(name=name, soft_timeout=soft, hard_timeout=hard)
        answer = self._answer(self._register.call_async(request))
        if not answer.accepted:
            raise HarnessError(f'endpoint {name}: {answer.reason}')
        self._challenge = answer.challenge
        self._pending = None
        self._timer = node.create_timer(0.1, self.check_in)

    def _answer(self, future):
        self._robot.wait(future.done, 5.0, 'an answer to the endpoint')
        return future.result()

    def check_in(self) -> None:
        """One keepalive, now."""
        if self._pending is not None and not self._pending.done():
            return
        self._pending = self._check_in.call_async(self._request())
        self._pending.add_done_callback(self._heard)

    def _request(self, leaving: bool = False) -> EndpointCheckin.Request:
        return EndpointCheckin.Request(
            name=self._name,
            response=answer_to(self._challenge),
            pressed=self.pressed,
            leaving=leaving,
        )

    def _heard(self, future) -> None:
        answer = future.result()
        if answer is not None and answer.challenge:
            self._challenge = answer.challenge

    def lose(self) -> None:
        """Say nothing any more."""
        self._timer.cancel()

    def find(self) -> None:
        """Go on checking in."""
        self._timer.reset()

    def leave(self) -> None:
        """Deregister in good order; not while motion is allowed."""
        self._timer.cancel()
        self.pressed = False
        for _ in range(50):
            if self._pending is not None:
                self._robot.holds(self._pending.done, 2.0)
            answer = self._answer(self._check_in.call_async(self._request(leaving=True)))
            if answer.accepted or 'not registered' in answer.reason:
                break
            self._challenge = answer.challenge or self._challenge
            time.sleep(0.02)
        node = self._robot.node
        destroy_later(node, lambda: node.destroy_timer(self._timer))
        destroy_later(node, lambda: node.destroy_client(self._register))
        destroy_later(node, lambda: node.destroy_client(self._check_in))


class FaultHarness:
    """See the module. Use it as a context.

    Args:
        arguments: of the robot's launch file, over the drill's own.
        log: what launch and relay print.
        relayed: whether the topics go through the relay.
    """

    def __init__(self, arguments: Mapping[str, str], log: pathlib.Path, relayed: bool) -> None:
        self.relayed = relayed
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix='drill_'))
        given = {'instruction': 'none', 'time_limit': 3600.0, 'respawn': 'true', **arguments}
        given['params_file'] = self._parameters(given.get('params_file', 'none'))
        self.model = load_robot(str(given.get('robot', 'humanoid32')))
        self._output = open(log, 'ab')  # noqa: SIM115  closed in close()
        self._relay: subprocess.Popen[bytes] | None = None
        prefix = ''
        launch = ('ros2', 'launch', 'vla_bringup', 'humanoid.launch.py')
        if relayed:
            prefix = RAW
            launch = ('ros2', 'launch', 'vla_validation', 'faults.launch.py')
            name = str(given.get('robot', 'humanoid32'))
            self._relay = subprocess.Popen(
                [sys.executable, '-m', 'vla_validation.faults.relay', name],
                stdout=self._output,
                stderr=subprocess.STDOUT,
            )
        self.robot = LaunchedRobot(log, given, launch=launch, prefix=prefix)
        node = self.robot.node
        self.witness = Observer(node, self.model, prefix)
        self.robot.listen(self._hear)
        self._orders = node.create_publisher(String, '/drill/tamper', qos.EVENT)
        self._faults = node.create_publisher(String, '/sim/fault', qos.COMMAND)
        self._pushes = node.create_publisher(WrenchStamped, '/sim/push', qos.COMMAND)
        self._instructions = node.create_publisher(String, '/vla/instruction', qos.COMMAND)
        self.injected = 0  # ns of the system's clock

    def __enter__(self) -> FaultHarness:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _parameters(self, users: object) -> str:
        """The user's parameter file with what the drill needs besides, as one file."""
        content: dict = {}
        if users not in ('', 'none'):
            content = yaml.safe_load(pathlib.Path(str(users)).read_text(encoding='utf-8'))
        node = content.setdefault('hardware_driver', {}).setdefault('ros__parameters', {})
        node['sim.faults'] = True
        file = self._folder / 'parameters.yaml'
        file.write_text(yaml.safe_dump(content), encoding='utf-8')
        return str(file)

    def _hear(self, message: SupervisorState | DriverStatus) -> None:
        self.witness.hear(message)

    def close(self) -> None:
        """Take everything down."""
        self.robot.close()
        if self._relay is not None:
            self._relay.terminate()
            try:
                self._relay.wait(5.0)
            except subprocess.TimeoutExpired:
                self._relay.kill()
                self._relay.wait()
        self._output.close()

    # -- before a fault ---------------------------------------------------------------------------

    def up(self) -> None:
        """Wait for the first READY. Raises RehearsalError."""
        self.robot.wait(lambda: self.robot.mode is Mode.READY, BRING_UP, 'READY')

    def prepare(self, moving: bool) -> None:
        """Everything whole, the robot on its feet: READY, or carrying out an instruction."""
        if self.relayed:
            for topic in TOPICS:
                self._order(topic.name, 'none')
        self.break_robot('none')
        robot = self.robot
        for _ in range(10):
            robot.bring_back()
            if not moving:
                robot.wait(lambda: robot.behaviour is Behaviour.HOLD, 10.0, 'HOLD')
                break
            if self._set_in_motion():
                break
        else:
            raise HarnessError(f'no motion; causes {robot.causes}:\n{robot.tail()}')
        self.witness.begin()
        robot.holds(lambda: bool(self.witness.states and self.witness.behaviours), 2.0)

    def _set_in_motion(self) -> bool:
        robot = self.robot
        for _ in range(6):
            self._instructions.publish(String(data=INSTRUCTION))
            if robot.holds(lambda: robot.behaviour is Behaviour.TRACK, 1.0):
                break
        else:
            return False
        fast = robot.holds(lambda: robot.driver.max_joint_speed > 0.15, 6.0)
        return fast and robot.mode is Mode.RUNNING

    # -- what is done -----------------------------------------------------------------------------

    def mark(self) -> None:
        """The fault begins at this instant."""
        self.injected = time.time_ns()

    def _order(self, topic: str, how: str) -> None:
        self._orders.publish(String(data=json.dumps({'topic': topic, 'how': how})))

    @contextmanager
    def tampered(self, topic: str, how: str) -> Iterator[None]:
        """Do something to a topic."""
        self.mark()
        self._order(topic, how)
        try:
            yield
        finally:
            self._order(topic, 'none')

    def break_robot(self, what: str) -> None:
        """See vla_hardware.drivers.faulty; `none` mends it."""
        if what != 'none':
            self.mark()
        self._faults.publish(String(data=what))

    def push(self, x: float, y: float, z: float, link: str = '') -> None:
        """A push of so many N·s, world axes, at the torso or at a link."""
        message = WrenchStamped()
        message.header.frame_id = link
        force = message.wrench.force
        force.x, force.y, force.z = x / PUSH_TIME, y / PUSH_TIME, z / PUSH_TIME
        self.mark()
        self._pushes.publish(message)

    def pids(self) -> list[int]:
        """Process ids of all nodes."""
        found = []
        for node in NODES:
            with suppress(HarnessError, psutil.NoSuchProcess):
                found.append(self.robot.pid(node))
        return found
