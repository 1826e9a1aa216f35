# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Client against server for both protocols, and peers that mean no good."""

from __future__ import annotations

import socket
import struct
import threading
import time
import tracemalloc
import urllib.error
import urllib.request

import msgpack
import numpy as np
import pytest
import yaml
from bundles import HORIZON, JOINTS, STEP, write_bundle
from hypothesis import given, settings
from hypothesis import strategies as st
from remotes import GrootDouble, arrays, openpi_server, raw_server

from vla_common.errors import ConfigError
from vla_inference.bundle import load_bundle
from vla_inference.policy import PolicyError, load_policy
from vla_inference.remote.groot_client import GrootClient
from vla_inference.remote.openpi_client import OpenPiClient, RemoteError
from vla_inference.remote.openpi_server import Bounds
from vla_inference.remote.served import Served
from vla_inference.remote.wire import Encoding, WireError, pack, unpack

LIMIT = 2**20
# A call is given 0.2 s here; what is asserted is that it does not take for ever.
SOON = 30.0


# --- the wire -----------------------------------------------------------------------------------


@pytest.mark.parametrize('encoding', list(Encoding))
@pytest.mark.parametrize('name', list(arrays()))
def test_arrays_come_back_as_they_were_in_every_encoding(encoding, name):
    sent = arrays()[name]
    got = unpack(pack({'x': sent, 'text': 'ä', 'n': [1, 2.5, None]}, encoding), LIMIT)
    assert (got['text'], got['n']) == ('ä', [1, 2.5, None])
    assert got['x'].dtype == sent.dtype
    np.testing.assert_array_equal(got['x'], sent)


def test_openpi_arrays_have_the_bytes_that_openpi_writes():
    packed = msgpack.packb(
        {'x': {b'__ndarray__': True, b'data': b'\x01\x02', b'dtype': '|u1', b'shape': [2]}}
    )
    assert pack({'x': np.array([1, 2], np.uint8)}) == packed
    number = {'n': {b'__npgeneric__': True, b'data': 2.5, b'dtype': '<f4'}}
    assert unpack(msgpack.packb(number), LIMIT)['n'] == np.float32(2.5)


def array(**changes):
    good = {b'__ndarray__': True, b'data': b'\0' * 8, b'dtype': '<f4', b'shape': [2]}
    return msgpack.packb({'x': good | {k.encode(): v for k, v in changes.items()}})


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'garbage',
        b'\xdd\xff\xff\xff\xff',  # a list of 4 thousand million
        b'\xc6\xff\xff\xff\xff',  # as many bytes
        b'\x91' * 5000,  # lists in lists
        array(shape=[3]),
        array(shape=[-2]),
        array(shape=[2**40, 2**40]),
        array(shape=[True, 2]),
        array(shape=[1] * 9 + [2]),
        array(dtype='|O'),
        array(dtype='O8'),
        array(dtype='<c16'),
        array(dtype='M8[ns]'),
        array(dtype=7),
        array(data='text'),
        msgpack.packb({b'nd': True, b'type': '|O', b'kind': b'O', b'shape': [1], b'data': b'c'}),
        msgpack.packb({'__ndarray_class__': True, 'as_npy': b'\x93NUMPY'}),
        msgpack.packb({'__ndarray_class__': True, 'as_npy': b'\x93NUMPY\x01\x00\xff\xff' + b'('}),
        msgpack.packb({'__ndarray_class__': True, 'as_npy': 5}),
        msgpack.packb({'x': 1}) + b'trailing',
    ],
)
def test_what_is_no_message_is_refused_and_takes_no_memory(content):
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            unpack(content, LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 4 * LIMIT
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_random_bytes_are_a_message_or_a_wire_error(content):
    try:
        unpack(content, LIMIT)
    except WireError:
        pass


def test_object_arrays_are_not_sent():
    with pytest.raises(TypeError, match='no encoding for object'):
        pack({'x': np.array([object()])})


def test_message_beyond_the_limit_is_refused_unread():
    with pytest.raises(WireError, match='limit 10'):
        unpack(b'\0' * 11, 10)


# --- openpi -------------------------------------------------------------------------------------


@pytest.fixture
def tiny(tmp_path, robot):
    write_bundle(tmp_path / 'tiny')
    policy = load_policy(tmp_path / 'tiny', robot)
    yield policy
    policy.close()


def test_served_bundle_answers_as_it_does_at_home(tiny, robot, observe):
    served = Served(tiny, robot)
    observation = observe(elapsed=0.7)
    at_home = tiny.predict(observation)
    with openpi_server(served.answer, served.metadata) as there:
        remote = load_policy(f'ws://127.0.0.1:{there["port"]}', robot, timeout=SOON)
        chunk = remote.predict(observation)
        remote.close()
    assert remote.bundle.title == 'tiny 0.1.0'
    assert chunk.joints == at_home.joints
    np.testing.assert_allclose(chunk.positions, at_home.positions, atol=1e-6)
    np.testing.assert_allclose(chunk.times, at_home.times)


def test_server_speaks_first_and_says_that_it_is_well(tiny, robot):
    served = Served(tiny, robot)
    with openpi_server(served.answer, served.metadata) as there:
        client = OpenPiClient(f'ws://127.0.0.1:{there["port"]}')
        metadata = client.connect(SOON)
        assert metadata['action_horizon'] == HORIZON
        assert metadata['vla']['outputs']['action']['parts'] == {'actions': JOINTS}
        with urllib.request.urlopen(f'http://127.0.0.1:{there["port"]}/healthz') as answer:
            assert (answer.status, answer.read()) == (200, b'OK\n')
        client.drop()


def test_policy_error_closes_with_1011_and_the_next_call_connects_anew():
    from websockets.exceptions import ConnectionClosedError
    from websockets.sync.client import connect

    broken = [True]

    def infer(request):
        if broken[0]:
            raise RuntimeError('out of memory')
        return {'actions': request['x'] + 1.0}

    with openpi_server(infer, {}) as there:
        url = f'ws://127.0.0.1:{there["port"]}'
        with connect(url, proxy=None) as plain:  # what openpi's own client sees
            assert unpack(plain.recv(), LIMIT) == {}
            plain.send(pack({'x': np.zeros(1)}))
            assert plain.recv() == 'RuntimeError: out of memory'
            with pytest.raises(ConnectionClosedError) as closed:
                plain.recv()
            assert closed.value.rcvd.code == 1011
        client = OpenPiClient(url)
        with pytest.raises(RemoteError, match='the server failed: RuntimeError: out of memory'):
            client.infer({'x': np.zeros(1)}, SOON)
        assert not client.connected
        broken[0] = False
        assert client.infer({'x': np.zeros(1)}, SOON)['actions'] == [1.0]
        client.drop()


def test_late_answer_is_dropped_and_never_taken_for_the_next_one():
    slow = threading.Event()

    def infer(request):
        if request['n'] == 1:
            slow.wait(SOON)
        return {'n': request['n']}

    with openpi_server(infer, {}) as there:
        client = OpenPiClient(f'ws://127.0.0.1:{there["port"]}')
        client.connect(SOON)
        with pytest.raises(RemoteError, match='no answer within'):
            client.infer({'n': 1}, 0.2)
        slow.set()
        assert client.infer({'n': 2}, SOON)['n'] == 2
        client.drop()


def test_server_that_comes_back_is_found_again():
    with openpi_server(lambda request: {'n': 1}, {}) as there:
        port = there['port']
        client = OpenPiClient(f'ws://127.0.0.1:{port}')
        assert client.infer({}, SOON)['n'] == 1
    with pytest.raises(RemoteError):
        client.infer({}, 0.5)
    with pytest.raises(RemoteError, match='refused'):
        client.infer({}, SOON)
    with openpi_server(lambda request: {'n': 2}, {}, port=port):
        assert client.infer({}, SOON)['n'] == 2
        client.drop()


HELLO = (
    b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
    b'Sec-WebSocket-Accept: %s\r\n\r\n'
)


def welcome(connection):
    """The websocket handshake, and nothing else."""
    import base64
    import hashlib

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


@pytest.mark.parametrize(
    'behave',
    [
        silent,
        closes,
        garbage,
        drips_the_handshake,
        says_no_metadata,
        drips_the_answer,
        announces_a_huge_answer,
        half_closes,
        never_reads,
        answers_text,
        answers_nonsense,
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


def test_server_drops_who_sends_too_much_too_often_or_nonsense(robot, tiny):
    served = Served(tiny, robot)
    bounds = Bounds(request=2**16, clients=2, silence=4.0, rate=0.001)
    with openpi_server(served.answer, served.metadata, bounds) as there:
        url = f'ws://127.0.0.1:{there["port"]}'
        good = {
            'observation/head': np.zeros((8, 8, 3), np.uint8),
            'observation/position': robot.poses['standing'],
            'observation/velocity': np.zeros(robot.n),
        }

        def told(request):
            client = OpenPiClient(url)
            try:
                with pytest.raises(RemoteError) as error:
                    client.infer(request, SOON)
            finally:
                client.drop()
            return str(error.value)

        assert 'wanted uint8 (8, 8, 3)' in told(good | {'observation/head': np.zeros((9, 9, 3))})
        assert 'observation/position: not finite' in told(
            good | {'observation/position': np.full(robot.n, np.nan)}
        )
        assert 'observation/velocity: found nothing' in told(
            {k: v for k, v in good.items() if 'velocity' not in k}
        )
        assert 'at most 2000 characters' in told(good | {'prompt': 'x' * 3000})
        assert told(good | {'more': np.zeros(2**16)})  # closed with 1009 before it is read
        client = OpenPiClient(url)
        assert client.infer(good, SOON)['actions'].shape == (HORIZON, len(JOINTS))
        with pytest.raises(RemoteError, match='requests per second'):
            client.infer(good, SOON)
        client.drop()
        # Two that say nothing are all that there may be, and they are sent away.
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


def test_server_bounds_who_sends_garbage_instead_of_http(tiny, robot):
    served = Served(tiny, robot)
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


def test_address_without_server_or_description_is_refused_at_configure(robot):
    with socket.create_server(('127.0.0.1', 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ConfigError, match='wanted a policy server there'):
        load_policy(f'ws://127.0.0.1:{port}', robot)
    with (
        openpi_server(lambda request: {}, {'model': 'pi0'}) as there,
        pytest.raises(ConfigError, match='only model.*wanted a server of ours, or a bundle'),
    ):
        load_policy(f'ws://127.0.0.1:{there["port"]}', robot)


def test_address_of_another_robot_is_refused_at_configure(robot, tiny):
    served = Served(tiny, robot)
    metadata = served.metadata
    metadata['vla']['outputs']['action']['parts'] = {'actions': ['tail', *JOINTS[1:]]}
    with (
        openpi_server(served.answer, metadata) as there,
        pytest.raises(ConfigError, match='found tail, wanted joints of the robot humanoid32'),
    ):
        load_policy(f'ws://127.0.0.1:{there["port"]}', robot)


# --- bundles that say how to ask others' servers ------------------------------------------------

REMOTE = {
    'format': 1,
    'name': 'pi',
    'version': '1',
    'runtime': 'openpi',
    'inputs': {
        'images': {'observation/image': {'camera': 'head', 'width': 12, 'height': 8}},
        'states': {'observation/state': {'joints': JOINTS}},
        'instruction': 'prompt',
    },
    'outputs': {
        'action': {'parts': {'actions': JOINTS}, 'kind': 'joint_delta', 'step': STEP, 'horizon': 5}
    },
}


def remote_bundle(directory, url, **changes):
    directory.mkdir(exist_ok=True)
    content = REMOTE | {'url': url} | changes
    (directory / 'policy.yaml').write_text(yaml.safe_dump(content, sort_keys=False))
    return directory


def test_bundle_says_how_an_openpi_server_is_asked(tmp_path, robot, observe):
    asked = []

    def infer(request):
        asked.append(request)
        return {'actions': np.full((1, 9, 3), 0.25, np.float32)}

    with openpi_server(infer, {}) as there:
        path = remote_bundle(tmp_path / 'pi', f'ws://127.0.0.1:{there["port"]}')
        policy = load_policy(path, robot, timeout=SOON)
        observation = observe()
        chunk = policy.predict(observation)
        policy.close()
    assert asked[0]['observation/image'].shape == (8, 12, 3)
    assert asked[0]['prompt'] == 'wave with the left hand'
    state = observation.position[[robot.index[name] for name in JOINTS]]
    np.testing.assert_allclose(asked[0]['observation/state'], state, atol=1e-6)
    assert chunk.positions.shape == (5, 3)  # no more than the horizon
    np.testing.assert_allclose(chunk.positions[0], state + 0.25, atol=1e-6)
    np.testing.assert_allclose(chunk.times, STEP * np.arange(1, 6))


@pytest.mark.parametrize(
    ('answer', 'told'),
    [
        ({'action': np.zeros((5, 3))}, 'the answer has no array actions, only action'),
        ({'actions': np.zeros((5, 4))}, 'actions has shape .5, 4., wanted .points, 3.'),
        ({'actions': np.zeros((0, 3))}, 'no points'),
        ({'actions': np.full((5, 3), np.nan)}, 'not finite'),
        ({'actions': np.full((5, 3), 100.0)}, 'beyond'),
        ({'actions': 'none'}, 'no array actions'),
    ],
)
def test_answer_that_is_no_chunk_is_a_policy_error(tmp_path, robot, observe, answer, told):
    with openpi_server(lambda request: answer, {}) as there:
        path = remote_bundle(tmp_path / 'pi', f'ws://127.0.0.1:{there["port"]}')
        policy = load_policy(path, robot, timeout=SOON)
        with pytest.raises(PolicyError, match=told):
            policy.predict(observe())
        policy.close()


def no_parts(c):
    c['outputs']['action']['parts'] = {}


def twice(c):
    c['outputs']['action']['parts'] = {'a': ['head_yaw'], 'b': ['head_yaw']}


def another_scheme(c):
    c['url'] = 'http://host:8000'


def unknown_joint(c):
    c['inputs']['states']['observation/state']['joints'] = ['tail']


def nothing_seen(c):
    del c['inputs']['images'], c['inputs']['states']


def misspelt(c):
    c['inputs']['instructions'] = 'prompt'


@pytest.mark.parametrize(
    ('spoil', 'told'),
    [
        (no_parts, 'outputs.action.parts: found none'),
        (twice, 'outputs.action.parts: found a joint twice'),
        (another_scheme, 'url: found http://host:8000, wanted ws:// or wss://host:port'),
        (unknown_joint, 'inputs.states.observation/state: found tail'),
        (nothing_seen, 'inputs.states: found neither images nor states'),
        (misspelt, 'instructions'),
    ],
)
def test_malformed_remote_bundle_is_refused_with_its_reason(tmp_path, robot, spoil, told):
    import copy

    content = copy.deepcopy(REMOTE) | {'url': 'ws://127.0.0.1:1'}
    spoil(content)
    (tmp_path / 'policy.yaml').write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError) as error:
        load_bundle(tmp_path, robot)
    assert told in str(error.value)


# --- GR00T --------------------------------------------------------------------------------------


def groot_bundle(path, url, dialect='nested', encoding='npy'):
    return remote_bundle(
        path,
        url,
        runtime='groot',
        dialect=dialect,
        encoding=encoding,
        inputs={
            'images': {'ego_view': {'camera': 'head', 'width': 12, 'height': 8}},
            'states': {'left_arm': {'joints': JOINTS[:2]}, 'head': {'joints': JOINTS[2:]}},
            'instruction': 'annotation.human.task_description',
        },
        outputs={'action': {'parts': {'left_arm': JOINTS[:2], 'head': JOINTS[2:]}, 'step': STEP}},
    )


@pytest.mark.parametrize('encoding', ['npy', 'msgpack_numpy'])
@pytest.mark.parametrize('dialect', ['nested', 'flat'])
def test_groot_is_asked_and_understood_in_both_dialects_and_encodings(
    tmp_path, robot, observe, dialect, encoding
):
    def answer(request):
        if request['endpoint'] == 'reset':
            return {}
        assert request['endpoint'] == 'get_action'
        if dialect == 'nested':
            seen = request['data']['observation']
            assert seen['video']['ego_view'].shape == (1, 1, 8, 12, 3)
            assert seen['state']['left_arm'].shape == (1, 1, 2)
            assert seen['language'] == {
                'annotation.human.task_description': [['wave with the left hand']]
            }
            left, head = np.full((1, 4, 2), 0.1), np.full((1, 4, 1), 0.2)
            return [{'left_arm': left, 'head': head}, {}]
        assert request['data']['video.ego_view'].shape == (1, 8, 12, 3)
        assert request['data']['state.head'].shape == (1, 1)
        return {'action.left_arm': np.full((4, 2), 0.1), 'action.head': np.full((4, 1), 0.2)}

    with GrootDouble(answer, Encoding(encoding)) as server:
        path = groot_bundle(tmp_path / 'groot', server.url, dialect, encoding)
        policy = load_policy(path, robot, timeout=SOON)
        policy.reset()
        chunk = policy.predict(observe())
        policy.close()
    assert chunk.joints == tuple(JOINTS)
    np.testing.assert_allclose(chunk.positions, np.tile([0.1, 0.1, 0.2], (4, 1)))


def test_groot_error_is_told_and_the_next_call_goes_on():
    answers = [{'error': 'no checkpoint'}, {'ok': 1}]
    with GrootDouble(lambda request: answers.pop(0)) as server:
        client = GrootClient(server.url)
        with pytest.raises(RemoteError, match='the server failed: no checkpoint'):
            client.call('ping', None, SOON)
        assert client.call('ping', None, SOON) == {'ok': 1}
        client.close()


def test_groot_that_answers_late_costs_one_call_and_its_answer_is_dropped():
    slow = threading.Event()

    def answer(request):
        if request['data']['n'] == 1:
            slow.wait(SOON)
        return {'n': request['data']['n']}

    with GrootDouble(answer) as server:
        client = GrootClient(server.url)
        with pytest.raises(RemoteError, match='no answer within'):
            client.call('get_action', {'n': 1}, 0.2)
        slow.set()
        assert client.call('get_action', {'n': 2}, SOON) == {'n': 2}
        client.close()


@pytest.mark.parametrize(
    'answer', [b'', b'ERROR', b'nonsense', pack([]), pack(7), b'\0' * (2**20 + 1)]
)
def test_hostile_groot_server_costs_a_clear_error(tmp_path, robot, observe, answer):
    with GrootDouble(lambda request: answer) as server:
        path = groot_bundle(tmp_path / 'groot', server.url)
        policy = load_policy(path, robot, timeout=0.5)
        policy._wire._client._limit = 2**20
        with pytest.raises(PolicyError, match=server.url):
            policy.predict(observe())
        policy.close()


@pytest.mark.parametrize('behave', [silent, closes, garbage])
def test_peer_that_is_no_groot_costs_its_deadline(behave):
    with raw_server(behave) as port:
        client = GrootClient(f'tcp://127.0.0.1:{port}')
        began = time.monotonic()
        with pytest.raises(RemoteError, match='no answer within'):
            client.call('ping', None, 0.2)
        assert time.monotonic() - began < SOON
        client.close()
