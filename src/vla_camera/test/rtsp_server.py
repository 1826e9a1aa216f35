# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A double of a network camera: RTSP (RFC 2326) over TCP, JPEG in RTP (RFC 2435), and its faults.

FFmpeg is the client, so what it accepts is what a camera would send.
"""

import socket
import struct
import threading
import time

import cv2
import numpy as np

SDP = 'v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=double\r\nt=0 0\r\nc=IN IP4 0.0.0.0\r\n' \
    'm=video 0 RTP/AVP 26\r\na=framerate:30\r\na=control:track0\r\n'  # fmt: skip
PACKET = 1400


class RtspServer:
    """rate: Hz. Faults, to be set at any time: mute (accepts, and says nothing), silent (the
    stream stops, the connection stays), frozen (the same image), size, refuse (a status)."""

    def __init__(self, rate=30.0, size=(160, 120)):
        self.rate, self.size = rate, size
        self.mute = self.silent = self.frozen = False
        self.refuse = ''
        self.count = 0
        self.connections = []
        self._socket = socket.create_server(('127.0.0.1', 0))
        self.url = f'rtsp://user:secret@127.0.0.1:{self._socket.getsockname()[1]}/live'
        self._ends = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        """As a camera that loses its power, but for the cable."""
        self._ends.set()
        self._socket.shutdown(socket.SHUT_RDWR)  # close() alone leaves it to the waiting accept()
        self._socket.close()
        self.drop()

    def drop(self):
        """End the connections; new ones are accepted."""
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()
        self.connections = []

    def _accept(self):
        while not self._ends.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        stream = connection.makefile('rb')
        try:
            while line := stream.readline():
                if line[:1] == b'$':  # RTCP of the client
                    continue
                method, headers = line.split()[0].decode('latin1'), {}
                while (header := stream.readline().strip()) != b'':
                    name, _, value = header.decode().partition(':')
                    headers[name.lower()] = value.strip()
                if self.mute:
                    continue
                self._answer(connection, method, headers)
        except (OSError, ValueError, IndexError):
            return

    def _answer(self, connection, method, headers):
        status, extra, body = '200 OK', '', ''
        if method == 'OPTIONS':
            extra = 'Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n'
        elif method == 'DESCRIBE':
            status = self.refuse or status
            body = '' if self.refuse else SDP
            extra = f'Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n'
        elif method == 'SETUP':
            extra = 'Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 7\r\n'
        elif method == 'PLAY':
            extra = 'Session: 7\r\n'
        head = f'RTSP/1.0 {status}\r\nCSeq: {headers["cseq"]}\r\n{extra}\r\n{body}'
        connection.sendall(head.encode())
        if method == 'PLAY':
            threading.Thread(target=self._play, args=(connection,), daemon=True).start()

    def _play(self, connection):
        sequence, due = 0, time.monotonic()
        try:
            while not self._ends.is_set():
                due += 1.0 / self.rate
                time.sleep(max(0.0, due - time.monotonic()))
                if self.silent:
                    continue
                if not self.frozen:
                    self.count += 1
                sequence = self._send(connection, self._jpeg(), sequence)
        except OSError:
            return

    def _jpeg(self):
        """Red, with a green that counts."""
        width, height = self.size
        bgr = np.zeros((height, width, 3), np.uint8)
        bgr[..., 2], bgr[..., 1] = 200, self.count % 100
        return cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()

    def _send(self, connection, jpeg, sequence):
        tables, scan = _parts(jpeg)
        width, height = self.size
        stamp = int(time.monotonic() * 90000) & 0xFFFFFFFF
        for start in range(0, len(scan), PACKET):
            part = scan[start : start + PACKET]
            last = start + PACKET >= len(scan)
            rtp = struct.pack('>BBHII', 0x80, 26 | 0x80 * last, sequence & 0xFFFF, stamp, 0x1234)
            head = struct.pack('>I', start) + bytes([1, 255, width // 8, height // 8])
            if start == 0:
                head += struct.pack('>BBH', 0, 0, len(tables)) + tables
            packet = rtp + head + part
            connection.sendall(b'$\0' + struct.pack('>H', len(packet)) + packet)
            sequence += 1
        return sequence


def _parts(jpeg):
    """Quantisation tables and the scan of a JPEG with the usual Huffman tables."""
    tables, at = b'', 2
    while True:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], 'big')
        content = jpeg[at + 4 : at + 2 + length]
        if marker == 0xDB:
            while content:
                tables, content = tables + content[1:65], content[65:]
        at += 2 + length
        if marker == 0xDA:
            return tables, jpeg[at : jpeg.rindex(b'\xff\xd9')]
