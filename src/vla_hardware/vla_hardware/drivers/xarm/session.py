# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The connections to a UFACTORY controller: requests, fast reports, slow reports."""

from __future__ import annotations

import re
import time

import numpy as np

from vla_common.errors import ConfigError
from vla_hardware.drivers.base import DriverError
from vla_hardware.drivers.tcp_link import TcpLink
from vla_hardware.drivers.xarm import wire
from vla_hardware.drivers.xarm.config import MODELS, XArmConfig
from vla_hardware.drivers.xarm.wire import FrameReader, ReportReader, XArmReply

HEARTBEAT = bytes([0, 0, 0, 1, 0, 2, 0, 0])
HEARTBEAT_PERIOD = 1.0  # s
_VERSION = re.compile(r'(\d+),(\d+),')


class XArmSession:
    """Open connections. `connect` opens them; nothing of it moves or changes the robot.

    error: the newest error code, None before the first. strays: replies to no request of ours.
    """

    def __init__(self, config: XArmConfig, links: list[TcpLink]) -> None:
        self._config = config
        self._control, self._fast, self._slow = links
        self._frames = FrameReader()
        self._fast_reports, self._slow_reports = ReportReader(wire.FAST), ReportReader(wire.SLOW)
        self._number = 0
        self._open: dict[int, tuple[int, float]] = {}  # requests: function, time
        self._beat = 0.0
        self.slow: np.void | None = None
        self.error: int | None = None
        self.strays = 0
        self.refused = 0  # function that the controller refused last; 0 for none

    @classmethod
    def connect(cls, config: XArmConfig, timeout: float) -> XArmSession:
        """Raises DriverError, ConfigError, within about `timeout` s."""
        end = time.monotonic() + timeout
        opened: list[TcpLink] = []
        whats = ('its control port', 'its fast reports', 'its slow reports')
        try:
            for port, what in zip(config.ports, whats, strict=True):
                left = max(end - time.monotonic(), 0.05)
                opened.append(TcpLink.open(config.host, port, left, what))
            session = cls(config, opened)
            session._examine(end)
            return session
        except BaseException as error:
            for one in opened:
                one.close()
            if isinstance(error, ConnectionError):
                raise DriverError(
                    f'the robot closed a connection ({error})',
                    'wait until it has booted; end other programs that are connected to it',
                ) from error
            raise

    def _examine(self, end: float) -> None:
        """The arm is the one of the file."""
        number = self.request(wire.GET_VERSION)
        while received := self._control.wait(end):
            for reply in wire.replies(self._frames.feed(received)):
                if reply.number == number and reply.function == wire.GET_VERSION:
                    self._open.clear()
                    self._check_version(reply.parameters)
                    return
        raise DriverError(
            'the controller does not answer', 'look at the cable, and wait for its boot'
        )

    def _check_version(self, payload: bytes) -> None:
        text = payload.split(b'\0')[0].decode('ascii', 'replace').strip()
        model = MODELS[self._config.model]
        found = _VERSION.search(text)
        if found is None:
            raise DriverError(
                f'the controller reports the version {text!r}, without the type of its arm',
                'update its firmware in UFACTORY Studio',
            )
        axes, kind = int(found[1]), int(found[2])
        if (axes, kind) != (model.axes, model.kind):
            by_type = {(m.axes, m.kind): name for name, m in MODELS.items()}
            actual = by_type.get((axes, kind), f'arm with {axes} joints of type {kind}')
            raise ConfigError(
                self._config.file,
                'model',
                f'{self._config.model}, and the robot is a {actual}',
                'the model of the robot',
            )

    # -- exchange --------------------------------------------------------------------------

    def request(self, function: int, parameters: bytes = b'') -> int:
        """Send a request; its reply is taken by `receive`. Raises ConnectionError."""
        number = self._next(function)
        self._control.send(wire.request(number, function, parameters))
        return number

    def servo(self, position: np.ndarray) -> None:
        """Send a target, (n,) rad. Raises ConnectionError."""
        number = self._next(wire.SERVO_JOINTS)
        self._control.send(wire.servo_joints(number, position.tolist()))

    def _next(self, function: int) -> int:
        self._number = self._number % 65535 + 1
        self._open[self._number] = function, time.monotonic()
        return self._number

    def waiting(self, function: int) -> bool:
        """Whether a reply to such a request is still to come."""
        return any(f == function for f, _ in self._open.values())

    def unanswered(self) -> float:
        """s for which the oldest request waits for its reply."""
        if not self._open:
            return 0.0
        return time.monotonic() - next(iter(self._open.values()))[1]

    def receive(self) -> list[np.void]:
        """The fast reports that have arrived. Raises ConnectionError."""
        now = time.monotonic()
        if now - self._beat >= HEARTBEAT_PERIOD:
            self._beat = now
            self._control.send(HEARTBEAT)
        for reply in wire.replies(self._frames.feed(self._control.receive())):
            self._take(reply)
        slow = self._slow_reports.feed(self._slow.receive())
        if slow:
            self.slow = slow[-1]
            self.error = int(self.slow['error'])
        return self._fast_reports.feed(self._fast.receive())

    def _take(self, reply: XArmReply) -> None:
        function, _ = self._open.get(reply.number, (None, 0.0))
        if function != reply.function:
            self.strays += 1
            return
        del self._open[reply.number]
        if function == wire.GET_ERROR and reply.parameters:
            self.error = reply.parameters[0]
        elif reply.state & wire.INVALID:
            self.refused = reply.function
        elif reply.state & wire.HAS_ERROR and not self.waiting(wire.GET_ERROR):
            self.request(wire.GET_ERROR)

    def close(self, *, abort: bool = False) -> None:
        """abort: what was sent and has not arrived is not to arrive later."""
        for link in (self._control, self._fast, self._slow):
            link.close(abort=abort)
