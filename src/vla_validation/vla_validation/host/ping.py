# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Round trips to a computer by ICMP echo: without a program or a service there."""

import os
import select
import socket
import struct
import time

from vla_common.errors import ConfigError

_REQUEST, _REPLY = 8, 0
_PATIENCE = 0.5  # s for an answer


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def request(identifier: int, sequence: int) -> bytes:
    """An echo request (RFC 792) with 56 bytes of data, as ping sends."""
    head = struct.pack('!BBHHH', _REQUEST, 0, 0, identifier, sequence)
    packet = head + bytes(56)
    return packet[:2] + struct.pack('!H', checksum(packet)) + packet[4:]


def _socket() -> tuple[socket.socket, int]:
    """An ICMP socket, and where the ICMP header begins in what it receives."""
    try:
        # Permitted by net.ipv4.ping_group_range; the kernel sets the identifier.
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP), 0
    except OSError:
        return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP), 20


def round_trips(address: str, count: int = 50, period: float = 0.02) -> list[float]:
    """ms of each answered request; fewer than `count` where some got no answer.

    Raises ConfigError: the address cannot be resolved, or this user may not send pings.
    """
    wanted = 'the address of a computer, as 192.168.123.161'
    try:
        where = socket.gethostbyname(address)
    except (OSError, UnicodeError) as error:
        raise ConfigError('command line', '--address', f'{address} ({error})', wanted) from None
    try:
        channel, begin = _socket()
    except OSError as error:
        found = f'no permission to send pings ({error.strerror})'
        wanted = 'sudo sysctl net.ipv4.ping_group_range="0 2147483647"'
        raise ConfigError('this computer', '--address', found, wanted) from None
    identifier = os.getpid() & 0xFFFF
    times = []
    with channel:
        for sequence in range(count):
            sent = time.perf_counter()
            try:
                channel.sendto(request(identifier, sequence), (where, 0))
                if _answered(channel, begin, where, sequence, sent + _PATIENCE):
                    times.append(1e3 * (time.perf_counter() - sent))
            except OSError:  # no route, or the network is down: not answered
                pass
            time.sleep(max(0.0, sent + period - time.perf_counter()))
            if sequence == 4 and not times:
                break  # nobody is there: 2 s are enough to know
    return times


def _answered(
    channel: socket.socket, begin: int, where: str, sequence: int, deadline: float
) -> bool:
    while (left := deadline - time.perf_counter()) > 0.0:
        if not select.select([channel], [], [], left)[0]:
            return False
        packet, (sender, _) = channel.recvfrom(256)
        kind, _, _, _, number = struct.unpack_from('!BBHHH', packet.ljust(begin + 8), begin)
        if sender == where and (kind, number) == (_REPLY, sequence):
            return True
    return False
