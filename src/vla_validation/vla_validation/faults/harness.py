# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The robot of a fault campaign, and the faults that can be injected into it."""

import pathlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Self

import psutil
from geometry_msgs.msg import WrenchStamped
from std_msgs.msg import String

from vla_common import topics
from vla_common.executor_thread import destroy_later
from vla_common.yaml_file import dump_yaml, load_yaml
from vla_interfaces.srv import EndpointCheckin, RegisterEndpoint
from vla_robot import load_robot
from vla_supervisor.endpoints import answer_to
from vla_validation.faults.observer import Observer
from vla_validation.system_harness.robot import NODES, HarnessError, LaunchedRobot

PUSH_TIME = 0.1
"""s that a push lasts (sim.push_duration)."""


class Endpoint:
    """An e-stop endpoint that registers and checks in ten times a second. Use it as a context."""

    def __init__(
        self, robot: LaunchedRobot, name: str, soft: float = 0.5, hard: float = 1.2
    ) -> None:
        self._robot, self._name = robot, name
        self.pressed = False
        request = RegisterEndpoint.Request(name=name, soft_timeout=soft, hard_timeout=hard)
        answer = self._answer(
            robot.request('/supervisor/register_endpoint', RegisterEndpoint, request)
        )
        if not answer.accepted:
            raise HarnessError(f'endpoint {name}: {answer.reason}')
        self._challenge = answer.challenge
        self._pending = None
        self._timer = robot.node.create_timer(0.1, self.check_in)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.leave()

    def _answer(self, future):
        self._robot.wait(future.done, 5.0, 'an answer to the endpoint')
        return future.result()

    def check_in(self) -> None:
        """One keepalive, now."""
        if self._pending is None or self._pending.done():
            self._pending = self._send()
            self._pending.add_done_callback(self._on_answer)

    def _send(self, leaving: bool = False):
        request = EndpointCheckin.Request(
            name=self._name,
            response=answer_to(self._challenge),
            pressed=self.pressed,
            leaving=leaving,
        )
        return self._robot.request('/supervisor/checkin', EndpointCheckin, request)

    def _on_answer(self, future) -> None:
        answer = future.result()
        if answer is not None and answer.challenge:
            self._challenge = answer.challenge

    def lose(self) -> None:
        """Stop checking in."""
        self._timer.cancel()

    def leave(self) -> None:
        """Deregister in good order; not while motion is allowed."""
        self._timer.cancel()
        self.pressed = False
        for _ in range(50):
            if self._pending is not None:
                self._robot.poll_until(self._pending.done, 2.0)
            answer = self._answer(self._send(leaving=True))
            if answer.accepted or 'not registered' in answer.reason:
                break
            self._challenge = answer.challenge or self._challenge
            time.sleep(0.02)
        node = self._robot.node
        destroy_later(node, lambda: node.destroy_timer(self._timer))


class FaultHarness(LaunchedRobot):
    """A launched robot that can be broken, and the observer of what it does.

    Args:
        arguments: of the robot's launch file, over those of the campaign.
        log: what launch and relay print.
        relayed: the topic that passes through the relay, if any.
    """

    def __init__(
        self, arguments: Mapping[str, str], log: pathlib.Path, relayed: topics.Topic | None
    ) -> None:
        self.relayed = relayed
        given = {'instruction': 'none', 'time_limit': 3600.0, 'respawn': 'true', **arguments}
        given['params_file'] = _parameters(given.get('params_file', 'none'))
        self.model = load_robot(str(given.get('robot', 'humanoid32')))
        super().__init__(given, log, relayed=(relayed,) if relayed else ())
        self.observer = Observer(self.node, self.model, self.unaltered)
        self.add_listener(self.observer.record)
        self._faults = self.publisher(topics.SIM_FAULT)
        self._pushes = self.publisher(topics.PUSH)
        self.injected = 0  # ns of the system's clock

    def prepare(self, moving: bool) -> None:
        """No fault, the robot on its feet: READY, or carrying out an instruction.

        Raises HarnessError.
        """
        if self.relayed:
            self.order(self.relayed.name, 'none')
        self.break_robot('none')
        self.start_motion() if moving else self.recover_to_hold()
        self.observer.begin()
        self.poll_until(lambda: bool(self.observer.states and self.observer.behaviours), 2.0)

    def mark(self) -> None:
        """The fault begins at this instant."""
        self.injected = time.time_ns()

    @contextmanager
    def message_fault(self, topic: str, how: str) -> Iterator[None]:
        """As LaunchedRobot's; the fault begins."""
        self.mark()
        with super().message_fault(topic, how):
            yield

    def break_robot(self, what: str) -> None:
        """See vla_hardware.drivers.faulty; `none` ends it."""
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
                found.append(self.pid(node))
        return found


def _parameters(users: object) -> str:
    """The user's parameter file with what the campaign needs besides, as one file."""
    content: dict = {}
    if users not in ('', 'none'):
        content = load_yaml(str(users))
    node = content.setdefault('hardware_driver', {}).setdefault('ros__parameters', {})
    node['sim.faults'] = True
    file = pathlib.Path(tempfile.mkdtemp(prefix='fault_injection_')) / 'parameters.yaml'
    file.write_text(dump_yaml(content), encoding='utf-8')
    return str(file)
