# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Peers that mean no good: what they do with a TCP connection. behave(connection, stop)."""

from __future__ import annotations

import base64
import hashlib
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


def silent(connection, stop):
    stop.wait()


def closes(connection, stop):
    connection.close()


def garbage(connection, stop):
    connection.sendall(b'\x00\xff' * 500)
    stop.wait()


def drips_the_handshake(connection, stop):
    for byte in b'HTTP/1.1 101 ' * 1000:
        connection.sendall(bytes([byte]))
        if stop.wait(0.02):
            return


def says_no_metadata(connection, stop):
    welcome(connection)
    stop.wait()


def drips_the_answer(connection, stop):
    welcome(connection)
    connection.sendall(frame(msgpack.packb({})))
    connection.sendall(bytes([0x82, 127]) + struct.pack('>Q', 1000))
    while not stop.wait(0.02):
        connection.sendall(b'x')


def announces_a_huge_answer(connection, stop):
    welcome(connection)
    connection.sendall(frame(msgpack.packb({})))
    connection.sendall(bytes([0x82, 127]) + struct.pack('>Q', 2**40))
    while not stop.is_set():
        connection.sendall(b'\0' * 65536)


def half_closes(connection, stop):
    welcome(connection)
    connection.sendall(frame(msgpack.packb({})))
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
    while not stop.is_set():
        connection.sendall(b'\0' * 65536)


def fragments_without_end(connection, stop):
    """Small parts of one message: no part is too large, the message never ends."""
    welcome(connection)
    connection.sendall(frame(msgpack.packb({})))
    connection.sendall(bytes([0x02, 1]) + b'x')
    while not stop.is_set():
        connection.sendall((bytes([0x00, 100]) + b'x' * 100) * 600)


def pings_without_end(connection, stop):
    welcome(connection)
    connection.sendall(frame(msgpack.packb({})))
    while not stop.wait(0.001):
        connection.sendall(frame(b'x' * 100, opcode=9) * 10)


def resets(connection, stop):
    welcome(connection)
    connection.sendall(frame(msgpack.packb({})))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    connection.close()


def half_closes_at_once(connection, stop):
    connection.shutdown(socket.SHUT_WR)
    stop.wait()
