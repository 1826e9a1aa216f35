# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stop requests from processes of the same machine, without middleware.

Importing rclpy and finding the service take 0.5 s on a quiet machine and many times that on a busy
one; a datagram to the supervisor takes no preparation. The services remain the only way for other
machines and for every other step.

The address is a name in Linux's abstract namespace, one per ROS domain: it reaches as far as
discovery on localhost, exists exactly as long as its supervisor, and a datagram that was accepted
is not lost. Like the services it is open to every user of the machine, and it only stops.
"""

import os
import select
import socket
from collections.abc import Iterator, Mapping

STOPS = ('estop', 'safe_stop')

_LONGEST_REQUEST = 64  # bytes
_REQUESTS_AT_ONCE = 8  # per call, so that no sender delays the supervisor's own cycle


def _address(domain: int) -> str:
    return f'\0vla_supervisor stops of ROS domain {domain}'


def domain_id() -> int:
    """The ROS domain of this process. Raises ValueError: ROS_DOMAIN_ID is not a number."""
    return int(os.environ.get('ROS_DOMAIN_ID') or 0)


class LocalStops:
    """The supervisor's end: collects requests without waiting.

    Raises OSError: another process has the address of this domain.
    """

    def __init__(self, domain: int) -> None:
        import json

        self._to_json = json.dumps  # the first stop does not wait for the import
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.bind(_address(domain))
        except OSError:
            self._socket.close()
            raise

    def close(self) -> None:
        """Release the address."""
        self._socket.close()

    def requests(self) -> Iterator[tuple[str, str]]:
        """The stops (of `STOPS`) requested since the last call, each with the sender's address."""
        for _ in range(_REQUESTS_AT_ONCE):
            try:
                content, sender = self._socket.recvfrom(_LONGEST_REQUEST)
            except OSError:
                return
            step = content.decode('ascii', 'replace')
            if step in STOPS:
                yield step, sender

    def answer(self, sender: str, values: Mapping[str, object]) -> None:
        """Send an answer, where the sender has an address and is still there."""
        if not sender:
            return
        try:
            self._socket.sendto(self._to_json(values).encode(), sender)
        except OSError:
            pass


class LocalStopClient:
    """The operator's end: repeats one request until it is answered.

    step: of `STOPS`.
    """

    def __init__(self, domain: int, step: str) -> None:
        self._address, self._request = _address(domain), step.encode()
        self._socket: socket.socket | None = None

    @property
    def connected(self) -> bool:
        """A supervisor has the address."""
        return self._socket is not None

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def attempt(self, within: float) -> dict | None:
        """The answer to one request; None: none within so many s, or at once: no supervisor.

        May be repeated: the second of two equal stops is granted too.
        """
        try:
            if self._socket is None:
                self._socket = self._connect()
            try:
                self._socket.send(self._request)
            except BlockingIOError:
                pass  # its queue is full: of this request, or of others' stops
            if select.select([self._socket], [], [], within)[0]:
                # Here and not above: the request comes before the time that an import takes.
                import json

                return json.loads(self._socket.recv(1 << 20))
        except OSError:
            self.close()
        return None

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        connection.setblocking(False)
        try:
            connection.bind('')  # any free address, for the answer
            connection.connect(self._address)
        except OSError:
            connection.close()
            raise
        return connection
