# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The process that speaks to the robot: its network, its ROS domain, its watchdog.

A process of its own because Fast DDS has one profile in a process, and the node's binds loopback;
and because what damps a robot when the servo loop hangs or is killed must not hang or die with it.
The driver and it exchange packets on a socket: targets in, reports out. `python -m` this module.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import rclpy

from vla_common import qos
from vla_common.clock import steady_now
from vla_common.polled_topic import received
from vla_hardware.drivers.unitree.command_stream import CommandStream, target_kind
from vla_hardware.drivers.unitree.config import ARM_SDK
from vla_hardware.drivers.unitree.motion_service import (
    REQUEST,
    RESPONSE,
    MotionSwitcher,
    ServiceError,
)
from vla_hardware.drivers.unitree.motors import UPPER, VARIANTS
from vla_hardware.drivers.unitree.state_guard import StateGuard
from vla_hardware.drivers.unitree.wire import COMMAND, LOW_STATE

CONNECTED = 5.0  # s in which a command finds the motion service
POLL = 0.004  # s between two looks at the robot's newest state
GRAPH = 0.05  # s between two looks at who else commands the robot
LONGEST_WAIT = 10.0  # s; a longer one is a clock that was set
ORPHANED = 1.0  # s of damping after the driver has died
SHORT = 0.1  # s of damping after the driver has closed the link
GIVE_BACK = 0.5  # s in which the weight of /arm_sdk falls at the end
LINGERS = ORPHANED + GIVE_BACK + 1.0  # s in which the link of a driver that has ended is gone
CLOSE = b'close'
STATE_TOPIC = '/lowstate'
COMMAND_TOPICS = {'arm_sdk': '/arm_sdk', 'low_level': '/lowcmd'}

REPORT = np.dtype(
    [
        ('at', '<f8'),  # s, steady, of the newest accepted state
        ('others', '<i4'),  # publishers of the command topic beside this one
        ('subscribers', '<i4'),  # of it
        ('stops', '<u4'),
        ('stop_held', 'u1'),
        ('restarts', '<u4'),
        ('rejected', '<u4'),
        ('why', 'S64'),  # the last rejection
        ('state', LOW_STATE),
    ]
)


class RefusedError(RuntimeError):
    """The robot cannot be used; the argument is what the driver raises, as JSON has it."""

    def __init__(self, **what: Any) -> None:
        super().__init__(what)
        self.what = what


class Link:
    """sock: to the driver. given: mode, mode_machine, domain_id, stop_buttons, and s in which the
    first state comes (first_state) and the robot subscribes and serves (matched)."""

    def __init__(self, sock: socket.socket, given: dict[str, Any]) -> None:
        self._sock, self._given = sock, given
        sock.setblocking(False)
        variant = VARIANTS[given['mode_machine']]
        first = UPPER if given['mode'] == ARM_SDK else 0
        motors = tuple(motor for motor in variant.motors if motor.slot >= first)
        self._target_kind = target_kind(len(motors))
        self._stream = CommandStream(given['mode'], motors)
        self._guard = StateGuard(tuple(frozenset(b) for b in given['stop_buttons']))
        self._report = np.zeros((), REPORT)
        self._looked = 0.0
        self._open()

    def _open(self) -> None:
        try:
            import unitree_api.msg  # noqa: F401
            from unitree_hg.msg import LowCmd, LowState
        except ImportError as error:
            raise RefusedError(
                cause=f'{error.name} is missing', action='source setup.bash, which builds it'
            ) from error
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=self._given['domain_id'])
        self._node = rclpy.create_node(
            'vla_unitree', context=self._context, start_parameter_services=False,
            enable_rosout=False,
        )  # fmt: skip
        self._topic = COMMAND_TOPICS[self._given['mode']]
        # No executor: the newest state is taken when it is needed.
        self._states = self._node.create_subscription(
            LowState, STATE_TOPIC, lambda message: None, qos.STATE_SUB, raw=True
        )
        self._commands = self._node.create_publisher(LowCmd, self._topic, qos.COMMAND)

    # -- connecting ------------------------------------------------------------------------

    def connect(self) -> None:
        """Raises RefusedError. Nothing is commanded."""
        self._wait(
            lambda: self._report['at'] > 0.0,
            self._given['first_state'],
            lambda: (
                f'no state on {STATE_TOPIC} of domain {self._given["domain_id"]}'
                + (f' ({self._guard.last_rejection})' if self._guard.last_rejection else '')
            ),
            'switch the robot on, plug its cable, and correct `network` and `domain_id`',
        )
        state, wanted = self._report['state'], self._given['mode_machine']
        found = int(state['mode_machine'])
        if found != wanted:
            known = VARIANTS.get(found)
            what = known.what if known else 'a variant that this driver does not know'
            raise RefusedError(
                key='mode_machine',
                found=f'{wanted} ({VARIANTS[wanted].what})',
                wanted=f'{found} ({what}), which the robot reports, and the robot directory of it',
            )
        if state['mode_pr'] != 0:
            raise RefusedError(
                cause='the ankles are in motor coordinates (mode_pr 1)', action='restart the robot'
            )
        self._wait(
            lambda: self._commands.get_subscription_count() > 0,
            self._given['matched'],
            lambda: f'{self._topic}: the robot does not subscribe',
            'look whether the robot has started completely',
        )
        self._wait(
            self._is_alone,
            LINGERS,
            lambda: f'{self._topic}: another program commands the robot',
            'end it',
        )
        self._check_motion_service()

    def _is_alone(self) -> bool:
        self._look_at_graph()
        return self._report['others'] <= 0

    def _wait(
        self, done: Callable[[], bool], seconds: float, cause: Callable[[], str], action: str
    ) -> None:
        end = steady_now() + seconds
        while True:
            self._take_state()
            if done():
                return
            if steady_now() > end:
                raise RefusedError(cause=cause(), action=action)
            time.sleep(POLL)

    def _check_motion_service(self) -> None:
        try:
            name = switcher(self._node, self._given['matched']).mode()
        except ServiceError as error:
            raise RefusedError(cause=str(error), action='restart the robot') from error
        if self._given['mode'] == ARM_SDK and not name:
            raise RefusedError(
                cause='no motion service of the robot is active, so nothing balances the legs',
                action='start it with the remote control, or select one: '
                'ros2 run vla_hardware unitree_release --select ai',
            )
        if self._given['mode'] != ARM_SDK and name:
            raise RefusedError(
                cause=f'the motion service {name} of the robot is active',
                action='hang the robot up, then: ros2 run vla_hardware unitree_release',
            )

    # -- running ---------------------------------------------------------------------------

    def run(self) -> None:
        """Until the driver closes the link or dies; then it ends the stream."""
        closed: bool | None = None
        while closed is None:
            closed = self._receive()
            now = self._take_state()
            if now - self._looked > GRAPH:
                self._look_at_graph()
                self._send()
            self._publish(self._stream.next(now, self._mode_machine))
            select.select([self._sock], [], [], POLL)
        self._damp(SHORT if closed else ORPHANED)
        limit = steady_now() + 3.0 * GIVE_BACK
        while self._stream.weight > 0.0 and (now := self._take_state()) < limit:
            self._publish(self._stream.giving_back(now, self._mode_machine, GIVE_BACK))
            time.sleep(POLL)

    def _damp(self, seconds: float) -> None:
        end = steady_now() + seconds
        while self._stream.engaged and (now := self._take_state()) < end:
            self._publish(self._stream.damping(now, self._mode_machine))
            time.sleep(POLL)

    @property
    def _mode_machine(self) -> int:
        return int(self._report['state']['mode_machine'])

    def _receive(self) -> bool | None:
        """Take the driver's targets. True: it closes the link. False: it has died."""
        while True:
            try:
                packet = self._sock.recv(4096)
            except BlockingIOError:
                return None
            except OSError:
                return False
            if packet == CLOSE:
                return True
            if len(packet) != self._target_kind.itemsize:
                return False  # nothing: the other end is closed
            self._stream.offer(np.frombuffer(packet, self._target_kind)[0])

    def _take_state(self) -> float:
        """Look at the robot's newest state, report it; return the time (s)."""
        taken = next(received(self._states, serialized=True), None)
        now = steady_now()
        if taken is None:
            return now
        message, info = taken
        state = self._guard.offer(message)
        report, guard = self._report, self._guard
        if state is not None:
            # It may have waited while this process did not run.
            waited = (time.time_ns() - info['received_timestamp']) * 1e-9
            report['at'] = now - (waited if 0.0 < waited < LONGEST_WAIT else 0.0)
            report['state'] = state
        report['stops'], report['stop_held'] = guard.stops, guard.stop_held
        report['restarts'], report['rejected'] = guard.restarts, guard.rejected.total()
        report['why'] = guard.last_rejection.encode()[:64]
        self._send()
        return now

    def _look_at_graph(self) -> None:
        self._looked = steady_now()
        self._report['others'] = self._node.count_publishers(self._topic) - 1
        self._report['subscribers'] = self._commands.get_subscription_count()

    def _send(self) -> None:
        # Full or closed: the driver hangs or has died, and `_receive` notices.
        with contextlib.suppress(OSError):
            self._sock.send(self._report.tobytes())

    def _publish(self, frame: np.ndarray | None) -> None:
        if frame is not None:
            self._commands.publish(COMMAND.write(frame))

    def close(self) -> None:
        self._node.destroy_node()
        self._context.try_shutdown()


def switcher(node: Any, matched: float) -> MotionSwitcher:
    """Client of the robot's motion_switcher over the topics of `node`, found in `matched` s."""
    from unitree_api.msg import Request, Response

    requests = node.create_publisher(Request, REQUEST, qos.EVENT)
    responses = node.create_subscription(Response, RESPONSE, lambda message: None, qos.EVENT)
    end = steady_now() + matched
    while not (requests.get_subscription_count() and node.count_publishers(RESPONSE)):
        if steady_now() > end:
            raise ServiceError('the robot has no motion_switcher')
        time.sleep(POLL)

    def ask(number: int, api_id: int, parameter: str) -> None:
        request = Request(parameter=parameter)
        request.header.identity.id, request.header.identity.api_id = number, api_id
        requests.publish(request)

    def answers() -> list[tuple[int, int, str]]:
        return [
            (answer.header.identity.id, answer.header.status.code, answer.data)
            for answer, _ in received(responses)
        ]

    return MotionSwitcher(ask, answers)


@contextlib.contextmanager
def connected_switcher(domain_id: int) -> Iterator[MotionSwitcher]:
    """A client with a node of its own. Raises ServiceError."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain_id)
    node = rclpy.create_node('vla_unitree_release', context=context, enable_rosout=False)
    try:
        yield switcher(node, CONNECTED)
    finally:
        node.destroy_node()
        context.try_shutdown()


def main() -> None:
    """Arguments: the file descriptor of the socket, and the settings as JSON."""
    with socket.socket(fileno=int(sys.argv[1])) as sock:
        link = None
        try:
            link = Link(sock, json.loads(sys.argv[2]))
            link.connect()
            sock.send(b'{}')
            link.run()
        except RefusedError as error:
            sock.send(json.dumps(error.what).encode())
        finally:
            if link is not None:
                link.close()


if __name__ == '__main__':
    main()
