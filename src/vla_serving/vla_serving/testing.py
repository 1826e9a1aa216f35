# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Servers for the tests: correct and hostile ones."""

import asyncio
import contextlib
import functools
import socket
import threading

import numpy as np
import zmq

from vla_policy.remote.wire import Encoding, pack, unpack
from vla_serving.openpi_server import OpenPiServer, RequestBounds


def on_a_loop(test):
    """Decorator: run a coroutine function as a test."""

    @functools.wraps(test)
    def run():
        asyncio.run(test())

    return run


@contextlib.contextmanager
def openpi_server(infer, metadata, bounds=RequestBounds(), port=0):  # noqa: B008
    """An OpenPiServer in a thread; infer(request) -> answer may raise."""
    started, ended = threading.Event(), threading.Event()
    found = {}

    async def answer(client, request):
        return await asyncio.get_running_loop().run_in_executor(None, infer, request)

    async def run():
        stop = asyncio.Event()
        found['stop'] = lambda: loop.call_soon_threadsafe(stop.set)
        loop = asyncio.get_running_loop()
        async with OpenPiServer(answer, metadata, port=port, bounds=bounds) as server:
            found['server'] = server
            found['port'] = server.port
            started.set()
            await stop.wait()
        ended.set()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert started.wait(10.0)
    try:
        yield found
    finally:
        found['stop']()
        thread.join(10.0)
        assert ended.is_set()


@contextlib.contextmanager
def raw_server(behave):
    """behave(connection) with each TCP connection, in threads."""
    listener = socket.create_server(('127.0.0.1', 0))
    listener.settimeout(0.1)
    stop = threading.Event()
    connections = []

    def serve():
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connections.append(connection)
            threading.Thread(target=guarded, args=(connection,), daemon=True).start()

    def guarded(connection):
        with contextlib.suppress(OSError):
            behave(connection, stop)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        thread.join(5.0)
        for connection in connections:
            connection.close()
        listener.close()


class GrootDouble:
    """A GR00T server on a port of its own. answer(request) -> message, bytes as they are, or a list
    of bytes: the parts of one."""

    def __init__(self, answer, encoding=Encoding.NPY, port=0):
        self.requests = []
        self.answer = answer
        self._encoding = encoding
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.REP)
        self._socket.bind(f'tcp://127.0.0.1:{port or "*"}')
        self.port = int(self._socket.last_endpoint.rpartition(b':')[2])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self):
        return f'tcp://127.0.0.1:{self.port}'

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(5.0)
        self._socket.close(linger=0)
        self._context.destroy(linger=0)

    def _run(self):
        while not self._stop.is_set():
            if not self._socket.poll(50):
                continue
            request = unpack(self._socket.recv(), 2**26)
            self.requests.append(request)
            answer = self.answer(request)
            parts = answer if isinstance(answer, list) and answer else [answer]
            if not all(isinstance(part, bytes) for part in parts):
                parts = [pack(answer, self._encoding)]
            with contextlib.suppress(zmq.ZMQError):
                self._socket.send_multipart(parts)


def arrays():
    """One of each kind that travels."""
    return {
        'uint8': np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
        'float32': np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
        'float64': np.array([1.5]),
        'int64': np.array([[-1, 2]], np.int64),
        'bool': np.array([True, False]),
        'empty': np.zeros((0, 3), np.float32),
        'scalar': np.array(3.0),
        'fortran': np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    }
