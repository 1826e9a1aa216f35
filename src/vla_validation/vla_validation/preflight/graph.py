# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Observation of a running robot over ROS, and the exercise of its stops."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from rclpy.experimental.events_executor import EventsExecutor
from rclpy.serialization import deserialize_message

from vla_common import qos, topics
from vla_common.cameras import camera_node, camera_topic, executable_of, heartbeat_topic
from vla_common.cdr import Reader
from vla_common.domains import domain_of_this_process
from vla_common.messages import stamp_to_ns
from vla_common.scheduling import Priority, Scheduled
from vla_common.states import Mode
from vla_supervisor.messages import lifecycle_reports
from vla_validation.preflight.observed import CameraSeen, Exercise, Observed
from vla_validation.preflight.subject import Subject
from vla_validation.system_harness.robot import PASSIVE, RobotClient

COMES_UP = 3.0  # s in which a supervisor is found
DAMPED_WITHIN = 0.3  # s from the supervisor's decision to passive joints
RESET_WITHIN = 60.0  # s: on a real robot, people lift it meanwhile
FROZEN = 3.0  # s, the longest that a node is stopped
NOTICED = 0.5  # s beyond a node's timeout


@dataclass
class _Camera:
    stamps: list[float] = field(default_factory=list)
    age: float = 0.0
    last: Any = None


class Observer:
    """Collects what a robot publishes, from its creation on.

    Its robot client is closed by the caller.
    """

    def __init__(self, robot: RobotClient, subject: Subject) -> None:
        self._robot, self._subject = robot, subject
        self._began = time.monotonic()
        self._joints: list[float] = []
        self._joint_age = 0.0
        self._positions: dict[str, float] = {}
        self._cameras = {camera_node(name): _Camera() for name in subject.cameras}
        self._battery: tuple[float, float] | None = None
        self._values: dict[str, dict[str, str]] = {}
        self.pids: dict[str, int] = {}
        self._errors: list[int] = []
        self._lost: list[int] = []
        robot.add_listener(self._on_status)
        # Raw: 200 messages a second with 32 joints each.
        read = Reader(topics.JOINT_STATES.message_type(), 'header.stamp', 'name', 'position').read
        robot.node.create_subscription(
            topics.JOINT_STATES.message_type(),
            topics.JOINT_STATES.name,
            lambda serialized: self._on_joints(*read(serialized)),
            qos.EVENT,
            raw=True,
        )
        self._subscribe(topics.BATTERY, self._on_battery)
        robot.node.create_subscription(
            topics.DIAGNOSTICS.message_type(),
            topics.DIAGNOSTICS.name,
            self._on_diagnostics,
            qos.EVENT,
            raw=True,
        )
        for name in subject.cameras:
            seen = self._cameras[camera_node(name)]
            topic = camera_topic(topics.CAMERA_INFO, name)
            self._subscribe(topic, lambda message, seen=seen: self._on_camera(seen, message))

    def _subscribe(self, topic: topics.Topic, callback: Callable[[Any], None]) -> None:
        self._robot.node.create_subscription(
            topic.message_type(), topic.name, callback, qos.subscriber(topic)
        )

    def _age(self, stamp_ns: int) -> float:
        return 1e-9 * (self._robot.node.get_clock().now().nanoseconds - stamp_ns)

    def _on_joints(self, stamp_ns: int, names: Any, positions: Any) -> None:
        self._joints.append(1e-9 * stamp_ns)
        self._joint_age = max(self._joint_age, self._age(stamp_ns))
        self._positions = dict(zip(names, map(float, positions), strict=False))

    def _on_battery(self, message: Any) -> None:
        self._battery = (message.percentage, message.voltage)

    def _on_camera(self, seen: _Camera, message: Any) -> None:
        stamp_ns = stamp_to_ns(message.header.stamp)
        seen.stamps.append(1e-9 * stamp_ns)
        seen.age, seen.last = max(seen.age, self._age(stamp_ns)), message

    def _on_status(self, message: Any) -> None:
        if hasattr(message, 'read_errors'):
            self._errors.append(message.read_errors + message.write_errors)

    def _on_diagnostics(self, serialized: bytes) -> None:
        for report in lifecycle_reports(serialized):
            if report.local_pid is not None:
                self.pids[report.node] = report.local_pid
        for status in deserialize_message(serialized, topics.DIAGNOSTICS.message_type()).status:
            node, _, task = status.name.lstrip('/').partition(': ')
            if task != 'lifecycle':
                found = {value.key: value.value for value in status.values}
                self._values.setdefault(node, {}).update({**found, '': status.message})
                if node == 'recorder' and 'dropped' in found:
                    self._lost.append(int(found['dropped']) + int(found['lost']))

    def observed(self) -> Observed:
        """All of it, up to now."""
        state, driver = self._robot.state, self._robot.driver
        if state is None:
            domain = domain_of_this_process()
            return Observed(absent=f'no supervisor publishes in ROS domain {domain}')
        names = [heartbeat_topic(node) for node in self._subject.nodes]
        return Observed(
            mode=Mode(state.mode).name,
            nodes_active=tuple(state.nodes_active),
            nodes_missing=tuple(state.nodes_missing),
            causes=tuple(self._robot.causes),
            fault='no /hardware/status'
            if driver is None
            else (driver.fault_detail or 'a fault' if driver.fault else ''),
            errors=self._errors[-1] - self._errors[0] if self._errors else 0,
            lost=self._lost[-1] - self._lost[0] if self._lost else 0,
            joint_rate=_rate(self._joints),
            joint_age=self._joint_age,
            real_time_factor=driver.real_time_factor if driver is not None else 0.0,
            positions=self._positions,
            cameras={
                node: CameraSeen(
                    rate=_rate(seen.stamps),
                    age=seen.age,
                    width=seen.last.width,
                    height=seen.last.height,
                    focal=float(seen.last.k[0]),
                    center=(float(seen.last.k[2]), float(seen.last.k[5])),
                )
                for node, seen in self._cameras.items()
                if seen.last is not None
            },
            publishers={name: self._robot.node.count_publishers(name) for name in names},
            battery=self._battery,
            values=self._values,
        )


def _rate(stamps: list[float]) -> float:
    """Hz, by the stamps (s) of the first and the last message."""
    span = stamps[-1] - stamps[0] if len(stamps) > 1 else 0.0
    return (len(stamps) - 1) / span if span > 0.0 else 0.0


def observe(
    subject: Subject, seconds: float, exercise: bool, show: Callable[[str], None]
) -> Observed:
    """The robot that runs in this shell's ROS domain. exercise: trip its e-stop and its watchdogs,
    which makes the joints passive."""
    # A starved observer would report a starved robot; the policy is not timed at this priority.
    with Scheduled(Priority.MONITOR), RobotClient(EventsExecutor) as robot:
        observer = Observer(robot, subject)
        show('looking for the robot')
        if robot.poll_until(lambda: robot.state is not None, COMES_UP):
            show(f'observing for {seconds:g} s')
            time.sleep(seconds)
        seen = observer.observed()
        if not exercise or seen.absent:
            return seen
        show('pressing the e-stop')
        return replace(seen, exercised=tuple(exercise_stops(robot, subject, observer.pids, show)))


def exercise_stops(
    robot: RobotClient, subject: Subject, pids: dict[str, int], show: Callable[[str], None]
) -> list[Exercise]:
    """Press the e-stop, see the joints passive; freeze each node and see it missed; reset.

    In ESTOP nothing moves whatever a frozen node omits. Of a real robot the driver is not frozen:
    it is what damps the joints.
    """
    if robot.mode in (Mode.RUNNING, Mode.ESTOP):
        first = 'end the instruction' if robot.mode is Mode.RUNNING else 'reset'
        return [Exercise('estop', None, DAMPED_WITHIN, f'(mode {robot.mode.name}: {first} first)')]
    stamps: dict[str, float] = {}  # s, of the nodes: not late where this process is

    def note(message: Any) -> None:
        stamp = 1e-9 * stamp_to_ns(message.header.stamp)
        if hasattr(message, 'mode'):
            if message.mode == Mode.ESTOP:
                stamps.setdefault('estop', stamp)
        elif message.behaviour in PASSIVE:
            stamps.setdefault('damped', stamp)

    robot.add_listener(note)
    pressed, message = robot.call('/supervisor/estop')
    damped = robot.poll_until(lambda: len(stamps) == 2, 2.0)
    robot.remove_listener(note)
    after = max(0.0, stamps['damped'] - stamps['estop']) if pressed and damped else None
    found = [Exercise('estop: damped after', after, DAMPED_WITHIN, f'({message})')]
    if after is None:
        return found
    for node in subject.nodes:
        if executable_of(node) == 'hardware_driver' and not subject.simulated:
            continue
        show(f'freezing {node}')
        found.append(_freeze(robot, subject, node, pids))
    show('resetting: the robot has to be on its feet again')
    found.append(_reset(robot, subject))
    return found


def _freeze(robot: RobotClient, subject: Subject, node: str, pids: dict[str, int]) -> Exercise:
    name = f'watchdog of {node}: missed after'
    limit = subject.timeout(node) + NOTICED
    if node not in pids:
        return Exercise(name, None, limit, '(its process is not on this computer)')
    began = time.monotonic()
    with _stopped(pids[node]):
        missed = robot.poll_until(lambda: _missing(robot, node), FROZEN)
        after = time.monotonic() - began if missed else None
    robot.poll_until(lambda: not _missing(robot, node), 10.0)
    return Exercise(name, after, limit)


def _missing(robot: RobotClient, node: str) -> bool:
    return any(text.startswith(f'{node}: ') for text in robot.state.nodes_missing)


@contextmanager
def _stopped(pid: int) -> Any:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _reset(robot: RobotClient, subject: Subject) -> Exercise:
    """Out of ESTOP, so that the exercise leaves nothing latched; arming is left to the operator."""
    began, answer = time.monotonic(), ''
    while robot.mode is Mode.ESTOP and time.monotonic() - began < RESET_WITHIN:
        if subject.simulated:
            robot.call('/sim/reset')
        granted, answer = robot.call('/supervisor/reset')
        if granted:
            robot.poll_until(lambda: robot.mode is not Mode.ESTOP, 1.0)
        else:
            time.sleep(0.5)
    done = robot.mode is Mode.INACTIVE
    after = time.monotonic() - began if done else None
    return Exercise('estop: reset after', after, RESET_WITHIN, f'(still {robot.mode}: {answer})')
