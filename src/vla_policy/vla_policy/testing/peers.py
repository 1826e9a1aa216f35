# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Hostile peers: what they do with a TCP connection. behave(connection, stop)."""

import base64
import hashlib
import itertools
import socket
import struct

import msgpack

HELLO = (
    b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
    b'Sec-WebSocket-Accept: %s\r\n\r\n'
)


def welcome(connection):
    """The websocket handshake, and nothing else."""
    request = b''
    while b'\r\n\r\n' not in request:
        request += connection.recv(4096)
    key = next(
        line.split(b':', 1)[1].strip()
        for line in request.split(b'\r\n')
        if line.lower().startswith(b'sec-websocket-key')
    )
    magic = key + b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
    connection.sendall(HELLO % base64.b64encode(hashlib.sha1(magic).digest()))


def frame(content, opcode=2):
    assert len(content) < 126
    return bytes([0x80 | opcode, len(content)]) + content


def welcome_with_metadata(connection):
    welcome(connection)
    connection.sendall(frame(msgpack.packb({})))


def drip(connection, stop, content=b'', period=0.02):
    """Send byte by byte, then x without end if there is no content."""
    for byte in content or itertools.repeat(ord('x')):
        if stop.wait(period):
            return
        connection.sendall(bytes([byte]))


def flood(connection, stop, content=bytes(65536)):
    while not stop.is_set():
        connection.sendall(content)


def silent(connection, stop):
    stop.wait()


def closes(connection, stop):
    connection.close()


def garbage(connection, stop):
    connection.sendall(b'\x00\xff' * 500)
    stop.wait()


def drips_the_handshake(connection, stop):
    drip(connection, stop, b'HTTP/1.1 101 ' * 1000)


def says_no_metadata(connection, stop):
    welcome(connection)
    stop.wait()


def drips_the_answer(connection, stop):
    welcome_with_metadata(connection)
    connection.sendall(bytes([0x82, 127]) + struct.pack('>Q', 1000))
    drip(connection, stop)


def announces_a_huge_answer(connection, stop):
    welcome_with_metadata(connection)
    connection.sendall(bytes([0x82, 127]) + struct.pack('>Q', 2**40))
    flood(connection, stop)


def half_closes(connection, stop):
    welcome_with_metadata(connection)
    connection.shutdown(socket.SHUT_WR)
    stop.wait()


def never_reads(connection, stop):
    welcome(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(frame(msgpack.packb({})))
    stop.wait()


def answers_text(connection, stop):
    welcome(connection)
    connection.sendall(frame(b'Traceback', opcode=1))
    stop.wait()


def answers_nonsense(connection, stop):
    welcome(connection)
    connection.sendall(frame(msgpack.packb({})) + frame(b'nonsense'))
    stop.wait()


def announces_huge_metadata(connection, stop):
    welcome(connection)
    connection.sendall(bytes([0x82, 127]) + struct.pack('>Q', 2**40))
    flood(connection, stop)


def fragments_without_end(connection, stop):
    """Small parts of one message: no part is too large, the message never ends."""
    welcome_with_metadata(connection)
    connection.sendall(bytes([0x02, 1]) + b'x')
    flood(connection, stop, (bytes([0x00, 100]) + b'x' * 100) * 600)


def pings_without_end(connection, stop):
    welcome_with_metadata(connection)
    while not stop.wait(0.001):
        connection.sendall(frame(b'x' * 100, opcode=9) * 10)


def resets(connection, stop):
    welcome_with_metadata(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    connection.close()


def half_closes_at_once(connection, stop):
    connection.shutdown(socket.SHUT_WR)
    stop.wait()


# --- ZeroMQ (ZMTP 3.0) --------------------------------------------------------------------------

SIGNATURE = b'\xff' + bytes(8) + b'\x7f'


def greet(connection, version=b'\3\0', mechanism=b'NULL', kind=b'REP'):
    """The greeting of a ZeroMQ socket, up to READY."""
    connection.sendall(SIGNATURE + version + mechanism.ljust(20, b'\0') + bytes(32))
    ready = b'\5READY' + b'\x0bSocket-Type' + struct.pack('>I', len(kind)) + kind
    connection.sendall(bytes([4, len(ready)]) + ready)


def speaks_old_zeromq(connection, stop):
    greet(connection, version=b'\1\0')
    stop.wait()


def wants_a_password(connection, stop):
    greet(connection, mechanism=b'PLAIN')
    stop.wait()


def is_no_rep(connection, stop):
    greet(connection, kind=b'PUB')
    stop.wait()


def refuses(connection, stop):
    connection.sendall(SIGNATURE + b'\3\0' + b'NULL'.ljust(20, b'\0') + bytes(32))
    error = b'\5ERROR' + b'\x07go away'
    connection.sendall(bytes([4, len(error)]) + error)
    stop.wait()


def drips_the_greeting(connection, stop):
    drip(connection, stop, SIGNATURE + b'\3\0', 0.05)
    stop.wait()


def greet_and_receive(connection):
    """Greet, and receive a request."""
    greet(connection)
    received = b''
    while b'endpoint' not in received:
        received += connection.recv(65536)


def drips_a_zeromq_answer(connection, stop):
    greet_and_receive(connection)
    connection.sendall(bytes([1, 0, 0, 200]))
    drip(connection, stop)


def announces_a_huge_part(connection, stop):
    greet_and_receive(connection)
    connection.sendall(bytes([1, 0, 2]) + struct.pack('>Q', 2**40))
    flood(connection, stop)


def sends_parts_without_end(connection, stop):
    greet_and_receive(connection)
    connection.sendall(bytes([1, 0]))
    flood(connection, stop, (bytes([1, 100]) + b'x' * 100) * 600)


def sends_commands_without_end(connection, stop):
    greet_and_receive(connection)
    flood(connection, stop, (bytes([4, 107]) + b'\4PING' + bytes(102)) * 600)


def greets_and_half_closes(connection, stop):
    greet(connection)
    connection.shutdown(socket.SHUT_WR)
    stop.wait()


def greets_and_never_reads(connection, stop):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    greet(connection)
    stop.wait()
