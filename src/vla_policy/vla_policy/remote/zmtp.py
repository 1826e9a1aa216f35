# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A ZeroMQ REQ socket over one plain TCP connection (ZMTP 3.0, RFC 23, mechanism NULL).

Not pyzmq: libzmq bounds a part of a message (ZMQ_MAXMSGSIZE) but not the number of parts, and
receives all of them before the message is delivered: 300 MB in a call of half a second from a peer
that never sends the last part. Here a message has a size, every step has the call's deadline, and a
closed connection leaves no thread behind.
"""

import socket
import struct

from vla_policy.remote.wire import time_left

MORE, LONG, COMMAND = 1, 2, 4
GREETING = 64
SIGNATURE = b'\xff' + bytes(8) + b'\x7f'
NULL = b'NULL'.ljust(20, b'\0')
COMMANDS = 64 * 2**10
"""bytes of commands (heartbeats, properties) that a peer may send besides its answer."""


class ZmtpError(ConnectionError):
    """The peer uses another protocol, or sends too much."""


class RequestSocket:
    """One request, one answer. limit: bytes of an answer. Not thread-safe.

    Every method raises TimeoutError at the deadline (time.monotonic), and OSError (among them
    ZmtpError) for any other failure of peer or network; the socket cannot be used afterwards."""

    def __init__(self, host: str, port: int, limit: int, deadline: float) -> None:
        self._limit = limit
        self._budget = 0
        self._socket = socket.create_connection((host, port), time_left(deadline))
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._greet(deadline)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """At once, without waiting for the peer."""
        self._socket.close()

    @property
    def usable(self) -> bool:
        """Whether the peer has neither closed nor sent anything without a request."""
        self._socket.settimeout(0.0)
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def request(self, content: bytes, deadline: float) -> bytes:
        """The answer to one request."""
        flags = LONG if len(content) > 255 else 0
        length = struct.pack('>Q' if flags else 'B', len(content))
        # An empty part first: a REP socket reads it as the return address.
        self._send(bytes([MORE, 0, flags]) + length + content, deadline)
        self._budget = self._limit + COMMANDS
        flags, empty = self._message_part(deadline)
        if empty or not flags & MORE:
            raise ZmtpError('an answer of no REP socket')
        flags, answer = self._message_part(deadline)
        if flags & MORE:
            raise ZmtpError('an answer in several parts')
        return answer

    def _greet(self, deadline: float) -> None:
        self._send(SIGNATURE + b'\3\0' + NULL + bytes(32), deadline)
        self._budget = GREETING + COMMANDS
        signature = self._take(len(SIGNATURE), deadline)
        if signature[0] != 0xFF or signature[-1] != 0x7F:
            raise ZmtpError('no ZeroMQ')
        (version,) = self._take(1, deadline)
        if version < 3:
            raise ZmtpError(f'ZMTP {version}, wanted 3')
        mechanism = self._take(GREETING - len(SIGNATURE) - 1, deadline)[1:21]
        if mechanism != NULL:
            raise ZmtpError(f'mechanism {mechanism.rstrip(bytes(1)).decode("ascii", "replace")}')
        ready = b'\5READY' + _property(b'Socket-Type', b'REQ') + _property(b'Identity', b'')
        self._send(bytes([COMMAND, len(ready)]) + ready, deadline)
        flags, content = self._part(deadline)
        if not flags & COMMAND or not content.startswith(b'\5READY'):
            raise ZmtpError(f'refused: {_reason(content)}')
        if _property(b'Socket-Type', b'REP') not in content:
            raise ZmtpError('no REP socket')

    def _message_part(self, deadline: float) -> tuple[int, bytes]:
        """(flags, content) of the next part that is not a command."""
        while True:
            flags, content = self._part(deadline)
            if not flags & COMMAND:
                return flags, content
            if content.startswith(b'\5ERROR'):
                raise ZmtpError(f'refused: {_reason(content)}')

    def _part(self, deadline: float) -> tuple[int, bytes]:
        (flags,) = self._take(1, deadline)
        if flags & ~(MORE | LONG | COMMAND):
            raise ZmtpError('no ZeroMQ')
        size = struct.Struct('>Q' if flags & LONG else 'B')
        (length,) = size.unpack(self._take(size.size, deadline))
        return flags, self._take(length, deadline)

    def _take(self, count: int, deadline: float) -> bytes:
        """`count` bytes. Memory is allocated as they arrive, not as the peer announces them."""
        self._budget -= count
        if self._budget < 0:
            raise ZmtpError(f'more than {self._limit} bytes')
        content = bytearray()
        while len(content) < count:
            self._socket.settimeout(time_left(deadline))
            got = self._socket.recv(min(count - len(content), 2**20))
            if not got:
                raise ZmtpError('the peer has closed the connection')
            content += got
        return bytes(content)

    def _send(self, content: bytes, deadline: float) -> None:
        self._socket.settimeout(time_left(deadline))
        self._socket.sendall(content)  # the timeout covers the whole call


def _property(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + struct.pack('>I', len(value)) + value


def _reason(content: bytes) -> str:
    """The reason in an ERROR command: one byte of length, then text."""
    words = content[7:200].decode('ascii', 'replace')
    return ''.join(c for c in words if c.isprintable()) or 'no reason given'
