# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Hostile peers on either side of both protocols: bounded memory and time, a clear error, and the
fallback."""

import socket
import struct
import threading
import time
import tracemalloc
import urllib.request

import msgpack
import numpy as np
import pytest

from vla_common.clock import steady_now
from vla_common.states import InferenceState, Mode
from vla_inference.fallback import FallbackChain, PolicySlot
from vla_inference.inference_step import InferenceStep, StepLimits
from vla_inference.observation import ObservationAssembler, ObservationBounds
from vla_inference.policy_worker import ThreadWorker
from vla_inference.session import Session
from vla_policy.load import load_policy
from vla_policy.remote.groot_client import GrootClient
from vla_policy.remote.openpi_client import OpenPiClient, RemoteError
from vla_policy.remote.wire import pack
from vla_policy.scripted_policy import HoldPolicy
from vla_policy.testing import peers
from vla_policy.testing.bundles import HORIZON, JOINTS, groot_bundle, write_bundle
from vla_policy.types import PolicyError
from vla_serving.openpi_server import ROOM, UNDECLARED, RequestBounds, request_limit
from vla_serving.served_policy import ServedPolicy
from vla_serving.testing import GrootDouble, openpi_server, raw_server

# A call is given 0.2 s here; what is asserted is that it does not take for ever.
SOON = 30.0


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + SOON
    while left := set(threading.enumerate()) - before:
        assert time.monotonic() < deadline, f'still running: {left}'
        time.sleep(0.005)


@pytest.fixture
def tiny(tmp_path, robot):
    write_bundle(tmp_path / 'tiny')
    policy = load_policy(tmp_path / 'tiny', robot)
    yield policy
    policy.close()


# --- hostile servers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    'behave',
    [
        peers.silent,
        peers.closes,
        peers.garbage,
        peers.drips_the_handshake,
        peers.says_no_metadata,
        peers.drips_the_answer,
        peers.announces_a_huge_answer,
        peers.half_closes,
        peers.never_reads,
        peers.answers_text,
        peers.answers_nonsense,
        peers.announces_huge_metadata,
        peers.fragments_without_end,
        peers.pings_without_end,
        peers.resets,
    ],
)
def test_hostile_openpi_server_costs_a_clear_error_and_little_time_and_memory(behave):
    with raw_server(behave) as port:
        client = OpenPiClient(f'ws://127.0.0.1:{port}')
        # More than the buffers of a loopback connection take.
        request = {'image': np.zeros((16, 2**20), np.uint8)}
        tracemalloc.start()
        began = time.monotonic()
        try:
            for _ in range(2):
                with pytest.raises(RemoteError, match=f'ws://127.0.0.1:{port}: .+'):
                    client.infer(request, 0.2)
            assert time.monotonic() - began < SOON
            # The request itself, packed, and at most one answer.
            assert tracemalloc.get_traced_memory()[1] < 120 * 2**20
        finally:
            tracemalloc.stop()
            client.drop()


@pytest.mark.parametrize(
    'answer', [b'', b'ERROR', b'nonsense', pack([]), pack(7), b'\0' * (2**20 + 1)]
)
def test_hostile_groot_server_costs_a_clear_error(tmp_path, robot, observe, answer):
    with GrootDouble(lambda request: answer) as server:
        path = groot_bundle(tmp_path / 'groot', server.url)
        policy = load_policy(path, robot, timeout=0.5)
        policy._protocol._client._limit = 2**20
        with pytest.raises(PolicyError, match=server.url):
            policy.predict(observe())
        policy.close()


@pytest.mark.parametrize(
    ('behave', 'message'),
    [
        (peers.silent, 'no answer within'),
        (peers.closes, 'closed the connection|reset'),
        (peers.garbage, 'no ZeroMQ'),
        (peers.half_closes_at_once, 'closed the connection'),
        (peers.speaks_old_zeromq, 'ZMTP 1, wanted 3'),
        (peers.wants_a_password, 'mechanism PLAIN'),
        (peers.is_no_rep, 'no REP socket'),
        (peers.refuses, 'refused: go away'),
        (peers.drips_the_greeting, 'no answer within'),
        (peers.drips_a_zeromq_answer, 'no answer within'),
        (peers.announces_a_huge_part, 'more than 1048576 bytes'),
        (peers.sends_parts_without_end, 'answer of no REP|several parts'),
        (peers.sends_commands_without_end, 'more than 1048576 bytes'),
        (peers.greets_and_half_closes, 'closed the connection'),
        (peers.greets_and_never_reads, 'no answer within'),
    ],
)
def test_hostile_zeromq_peer_costs_a_clear_error_and_little_time_and_memory(behave, message):
    with raw_server(behave) as port:
        client = GrootClient(f'tcp://127.0.0.1:{port}', limit=2**20)
        # More than the buffers of a loopback connection take, for who does not read it.
        given = {'image': np.zeros(16 * 2**20 if 'never' in behave.__name__ else 1, np.uint8)}
        # An error message has no deadline.
        timeout = 0.2 if message == 'no answer within' else SOON
        tracemalloc.start()
        began = time.monotonic()
        try:
            for _ in range(2):
                with pytest.raises(RemoteError, match=f'tcp://127.0.0.1:{port}: .*({message})'):
                    client.call('get_action', given, timeout)
            assert time.monotonic() - began < SOON
            # The request itself, encoded (.npy) and packed, and at most one answer.
            assert tracemalloc.get_traced_memory()[1] < 120 * 2**20
        finally:
            tracemalloc.stop()
            client.close()


@pytest.mark.parametrize(
    ('arms', 'message'),
    [
        (np.zeros((1, 4, 3)), 'left_arm has shape .1?,? ?4, 3.'),
        (np.zeros((0, 2)), 'no points'),
        (np.full((1, 4, 2), np.nan), 'not finite'),
        (np.full((1, 4, 2), np.inf), 'not finite'),
        (np.full((1, 4, 2), 1e6), 'beyond'),
        ('none', 'no array left_arm'),
        ([[0.0, 0.0]], 'no array left_arm'),
    ],
)
def test_groot_answer_that_is_no_chunk_is_a_policy_error(tmp_path, robot, observe, arms, message):
    answer = {'left_arm': arms, 'head': np.zeros((1, 4, 1))}
    with GrootDouble(lambda request: answer) as server:
        policy = load_policy(groot_bundle(tmp_path / 'groot', server.url), robot, timeout=SOON)
        with pytest.raises(PolicyError, match=message):
            policy.predict(observe())
        policy.close()


def test_groot_answer_in_many_parts_costs_one_call():
    with GrootDouble(lambda request: [b'one', b'two', b'three']) as server:
        client = GrootClient(server.url)
        with pytest.raises(RemoteError, match='an answer in several parts'):
            client.call('ping', None, SOON)
        server.answer = lambda request: {'ok': 1}
        assert client.call('ping', None, SOON) == {'ok': 1}
        client.close()


# --- hostile clients ----------------------------------------------------------------------------


def raw_client(port):
    """A websocket that sends nothing by itself, after it has received the (empty) metadata."""
    frame_of_nothing = peers.frame(msgpack.packb({}))
    connection = socket.create_connection(('127.0.0.1', port))
    connection.settimeout(SOON)
    connection.sendall(
        b'GET /hostile HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
        b'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n'
    )
    received = b''
    while not received.endswith(frame_of_nothing):  # from here on the server counts it
        received += connection.recv(4096)
    return connection


def header(length, masked=True):
    return bytes([0x82, 127 | (0x80 if masked else 0)]) + struct.pack('>Q', length) + bytes(4)


def drips_a_request(connection, gone):
    connection.sendall(header(1000))
    while not gone.wait(0.02):
        connection.sendall(b'x')


def announces_a_huge_request(connection, gone):
    connection.sendall(header(2**40))
    while not gone.is_set():
        connection.sendall(b'\0' * 65536)


def half_closes_and_stays(connection, gone):
    connection.shutdown(socket.SHUT_WR)
    gone.wait()


def never_takes_an_answer(connection, gone):
    """Requests without end, no answer read: the server's buffers fill up."""
    request = msgpack.packb({'x': 1})
    while not gone.is_set():
        connection.sendall(bytes([0x82, 0x80 | len(request)]) + bytes(4) + request)


def sends_unmasked(connection, gone):
    connection.sendall(header(4, masked=False) + b'xxxx')
    gone.wait()


def sends_fragments_without_end(connection, gone):
    connection.sendall(bytes([0x02, 0x81]) + bytes(4) + b'x')
    while not gone.is_set():
        connection.sendall((bytes([0x00, 0xE4]) + bytes(4) + b'x' * 100) * 600)


@pytest.mark.parametrize(
    'behave',
    [
        drips_a_request,
        announces_a_huge_request,
        half_closes_and_stays,
        never_takes_an_answer,
        sends_unmasked,
        sends_fragments_without_end,
    ],
)
def test_hostile_client_is_dropped_and_others_are_served_meanwhile(behave):
    bounds = RequestBounds(request=2**20, silence=1.0, taking=1.0)
    answer = {'x': np.zeros((512, 512), np.float32)}  # more than a socket's buffers, after some
    gone = threading.Event()
    with openpi_server(lambda request: answer, {}, bounds) as there:
        hostile = raw_client(there['port'])

        def run():
            try:
                behave(hostile, gone)
            except OSError:
                pass  # dropped, as expected

        threading.Thread(target=run, daemon=True).start()
        try:
            client = OpenPiClient(f'ws://127.0.0.1:{there["port"]}')
            server = there['server']
            deadline = time.monotonic() + SOON
            alone = False
            while not alone:
                assert time.monotonic() < deadline, 'the hostile client is still there'
                try:
                    assert client.infer({'y': 1}, SOON)['x'].shape == (512, 512)
                except RemoteError:
                    continue  # on a machine that stood still, this one was silent for too long
                alone = server._clients == 1
                time.sleep(0.05)
            client.drop()
        finally:
            gone.set()
            hostile.close()


def test_request_may_be_as_large_as_the_server_requests_and_no_larger(tiny, robot):
    served = ServedPolicy(tiny, robot)
    assert request_limit(served.metadata) == ROOM + 3 * 8 * 8
    for metadata in ({}, {'vla': 1}, {'vla': {'inputs': {'images': {'x': {'width': 'a'}}}}}):
        assert request_limit(metadata) == UNDECLARED
    with openpi_server(served.answer, served.metadata) as there:
        client = OpenPiClient(f'ws://127.0.0.1:{there["port"]}')
        with pytest.raises(RemoteError):
            client.infer({'more': np.zeros(2 * ROOM, np.uint8)}, SOON)
        good = {
            'observation/head': np.zeros((8, 8, 3), np.uint8),
            'observation/position': robot.poses['standing'],
            'observation/velocity': np.zeros(robot.n),
            'prompt': 'ä' * 2000,
        }
        assert client.infer(good, SOON)['actions'].shape == (HORIZON, len(JOINTS))
        client.drop()


def test_server_drops_clients_that_send_too_much_too_often_or_nonsense(robot, tiny):
    served = ServedPolicy(tiny, robot)
    bounds = RequestBounds(request=2**16, clients=2, silence=4.0, rate=0.001)
    with openpi_server(served.answer, served.metadata, bounds) as there:
        url = f'ws://127.0.0.1:{there["port"]}'
        good = {
            'observation/head': np.zeros((8, 8, 3), np.uint8),
            'observation/position': robot.poses['standing'],
            'observation/velocity': np.zeros(robot.n),
            'prompt': 'wave',
        }

        def refusal(request):
            client = OpenPiClient(url)
            try:
                with pytest.raises(RemoteError) as error:
                    client.infer(request, SOON)
            finally:
                client.drop()
            return str(error.value)

        assert 'wanted uint8 (8, 8, 3)' in refusal(good | {'observation/head': np.zeros((9, 9, 3))})
        assert 'observation/position: not finite' in refusal(
            good | {'observation/position': np.full(robot.n, np.nan)}
        )
        assert 'observation/velocity: found nothing' in refusal(
            {k: v for k, v in good.items() if 'velocity' not in k}
        )
        assert 'prompt: found 3000 characters, wanted a text of at most 2000' in refusal(
            good | {'prompt': 'x' * 3000}
        )
        assert 'prompt: found nothing' in refusal({k: good[k] for k in good if k != 'prompt'})
        assert refusal(good | {'more': np.zeros(2**16)})  # closed with 1009 before it is read
        client = OpenPiClient(url)
        assert client.infer(good, SOON)['actions'].shape == (HORIZON, len(JOINTS))
        with pytest.raises(RemoteError, match='requests per second'):
            client.infer(good, SOON)
        client.drop()
        # Two silent clients are all that there may be, and they are dropped.
        idle = [OpenPiClient(url) for _ in range(2)]
        for client in idle:
            client.connect(SOON)
        with pytest.raises(RemoteError, match='503'):
            OpenPiClient(url).connect(SOON)
        deadline = time.monotonic() + SOON
        while time.monotonic() < deadline:
            try:
                late = OpenPiClient(url)
                late.connect(SOON)
                break
            except RemoteError:
                time.sleep(0.1)
        else:
            pytest.fail('silent clients are never dropped')
        for client in (*idle, late):
            client.drop()


def test_server_bounds_clients_that_send_garbage_instead_of_http(tiny, robot, caplog):
    served = ServedPolicy(tiny, robot)
    with openpi_server(served.answer, served.metadata) as there:
        for content in (b'\0' * 100_000, b'GET / HTTP/1.1\r\n' + b'a: b\r\n' * 100_000):
            with socket.create_connection(('127.0.0.1', there['port'])) as raw:
                raw.settimeout(SOON)
                try:
                    raw.sendall(content)
                    while raw.recv(65536):
                        pass
                except OSError:
                    pass
        with urllib.request.urlopen(f'http://127.0.0.1:{there["port"]}/healthz') as answer:
            assert answer.status == 200
    assert caplog.text == ''  # a log that strangers can fill is a disk that strangers can fill


# --- the fallback -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'behave', [peers.closes, peers.drips_the_answer, peers.answers_nonsense, peers.never_reads]
)
def test_robot_of_a_server_that_turns_hostile_falls_back_and_is_ready_again(
    tiny, robot, observe, behave
):
    """The inference cycle with a remote policy whose server is replaced under it."""
    served = ServedPolicy(tiny, robot)
    with openpi_server(served.answer, served.metadata) as there:
        policy = load_policy(f'ws://127.0.0.1:{there["port"]}', robot, timeout=SOON)
        assert policy.predict(observe()).positions.shape == (HORIZON, len(JOINTS))
    policy._timeout = 0.2
    with raw_server(behave) as port:
        policy._protocol._client.url = f'ws://127.0.0.1:{port}'
        states, results = [], []
        wake = threading.Event()
        caller = ThreadWorker(policy, steady_now, wake.set)
        assembler = ObservationAssembler(robot.joint_names, ('head',), ObservationBounds())
        session = Session(3600.0, 3600.0)
        cycle = InferenceStep(
            FallbackChain([PolicySlot(policy, caller)]),
            HoldPolicy(robot),
            assembler,
            session,
            StepLimits(policy_timeout=SOON, fallback_duration=0.2, blocked_timeout=SOON),
            robot.joint_names,
            threading.RLock(),
            steady_now,
            time.time_ns,
        )
        session.accept('wave', steady_now())
        session.on_mode(Mode.READY, '', time.time_ns(), steady_now())
        session.wants_start()
        session.on_mode(Mode.RUNNING, '', time.time_ns(), steady_now())
        deadline = time.monotonic() + SOON
        while not session.results:
            assert time.monotonic() < deadline, states[-5:]
            now, now_ns = steady_now(), time.time_ns()
            pixels = np.random.default_rng(now_ns % 2**32).integers(0, 256, 192, np.uint8)
            assembler.add_image('head', now_ns, now, 8, 8, 24, 'rgb8', pixels.tobytes())
            assembler.add_joints(
                now_ns, now, robot.joint_names, robot.poses['standing'], np.zeros(robot.n)
            )
            assembler.add_imu(now_ns, now, (1.0, 0.0, 0.0, 0.0))
            attempt = cycle.run()
            states.append((attempt.state, attempt.reason))
            wake.wait(0.02)
            wake.clear()
        results = list(session.results)
        caller.close()
    assert not results[0].success
    reasons = [reason for state, reason in states if state is InferenceState.FALLBACK]
    assert reasons and f'ws://127.0.0.1:{port}' in reasons[-1]
    assert InferenceState.ACTIVE not in [state for state, _ in states[-3:]]
