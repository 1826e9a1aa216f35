# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Client against server for both protocols. Hostile peers: test_hostile.py."""

import dataclasses
import re
import socket
import threading
import time
import tracemalloc
import urllib.error
import urllib.request
from types import SimpleNamespace

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_policy.bundle.bundle import load_bundle
from vla_policy.bundle.model_inputs import DepthInput, History, MemoryInput
from vla_policy.load import load_policy, warm_up
from vla_policy.remote.groot_client import GrootClient
from vla_policy.remote.openpi_client import OpenPiClient, RemoteError
from vla_policy.remote.wire import Encoding, WireError, pack, unpack
from vla_policy.testing.bundles import (
    HORIZON,
    JOINTS,
    REMOTE,
    STEP,
    edit,
    groot_bundle,
    remote_bundle,
    write_bundle,
    write_policy,
)
from vla_policy.types import PolicyError
from vla_serving.served_policy import ServedPolicy, specification
from vla_serving.testing import GrootDouble, arrays, openpi_server

LIMIT = 2**20
# A call is given 0.2 s here; the assertion is only that it ends.
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


def test_served_bundle_answers_as_it_does_locally(tiny, robot, observe):
    served = ServedPolicy(tiny, robot)
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


def test_server_sends_its_metadata_first_and_reports_its_health(tiny, robot):
    served = ServedPolicy(tiny, robot)
    with openpi_server(served.answer, served.metadata) as there:
        client = OpenPiClient(f'ws://127.0.0.1:{there["port"]}')
        metadata = client.connect(SOON)
        assert metadata['action_horizon'] == HORIZON
        assert metadata['vla']['outputs']['action']['parts'] == {'actions': JOINTS}
        with urllib.request.urlopen(f'http://127.0.0.1:{there["port"]}/healthz') as answer:
            assert (answer.status, answer.read()) == (200, b'OK\n')
        client.drop()


def with_inputs(policy, **changes):
    """A policy whose bundle has other inputs."""
    model = policy.bundle.model
    model = dataclasses.replace(model, inputs=dataclasses.replace(model.inputs, **changes))
    bundle = dataclasses.replace(policy.bundle, spec=model)
    return SimpleNamespace(bundle=bundle, takes_prefix=False)


def test_every_camera_of_a_served_bundle_is_requested(tiny, robot):
    image = tiny.bundle.model.inputs.images[0]
    wrist = dataclasses.replace(image, camera='wrist', tensor='wrist', width=4)
    found = specification(with_inputs(tiny, images=(image, wrist)), robot)
    assert [(i.key, i.camera, i.width) for i in found.images] == [
        ('observation/head', 'head', 8),
        ('observation/wrist', 'wrist', 4),
    ]


def test_bundle_that_wants_what_no_request_holds_is_not_served(tiny, robot):
    image = tiny.bundle.model.inputs.images[0]
    depth = DepthInput('depth', 'head', 8, 8, 'nchw', (0.1, 4.0), 0.0, 1.0, 'stretch')
    for changes, expected in (
        ({'depths': (depth,)}, 'inputs.depth: found depth, wanted .* in colour'),
        ({'history': History(3, 0.1)}, 'inputs.history: found 3 frames, wanted .* the present'),
        ({'memory': MemoryInput('m', 'n', (1, 2))}, 'inputs.memory: found m, wanted .* present'),
        ({'images': (image, image)}, 'inputs.images: found head twice, wanted each camera once'),
    ):
        with pytest.raises(ConfigError, match=expected):
            ServedPolicy(with_inputs(tiny, **changes), robot)


def test_policy_error_closes_with_1011_and_the_next_call_reconnects():
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


def test_address_without_server_or_description_is_refused_at_configure(robot):
    with socket.create_server(('127.0.0.1', 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ConfigError, match='wanted a policy server there') as error:
        load_policy(f'ws://127.0.0.1:{port}', robot)
    documented('Policy servers', 'an address where nothing answers', error.value, str(port))
    with (
        openpi_server(lambda request: {}, {'model': 'pi0'}) as there,
        pytest.raises(ConfigError, match='only model.*wanted a server of ours, or a bundle'),
    ):
        load_policy(f'ws://127.0.0.1:{there["port"]}', robot)


def test_address_of_another_robot_is_refused_at_configure(robot, tiny):
    served = ServedPolicy(tiny, robot)
    metadata = served.metadata
    metadata['vla']['outputs']['action']['parts'] = {'actions': ['tail', *JOINTS[1:]]}
    with (
        openpi_server(served.answer, metadata) as there,
        pytest.raises(ConfigError, match='found tail, wanted joints of the robot humanoid32'),
    ):
        load_policy(f'ws://127.0.0.1:{there["port"]}', robot)


# --- bundles that describe other servers -------------------------------------------------------


def test_bundle_defines_the_request_to_an_openpi_server(tmp_path, robot, observe):
    requests = []

    def infer(request):
        requests.append(request)
        return {'actions': np.full((1, 9, 3), 0.25, np.float32)}

    with openpi_server(infer, {}) as there:
        path = remote_bundle(tmp_path / 'pi', f'ws://127.0.0.1:{there["port"]}')
        policy = load_policy(path, robot, timeout=SOON)
        observation = observe()
        chunk = policy.predict(observation)
        policy.close()
    assert requests[0]['observation/image'].shape == (8, 12, 3)
    assert requests[0]['prompt'] == 'wave with the left hand'
    state = observation.position[[robot.index[name] for name in JOINTS]]
    np.testing.assert_allclose(requests[0]['observation/state'], state, atol=1e-6)
    assert chunk.positions.shape == (5, 3)  # no more than the horizon
    np.testing.assert_allclose(chunk.positions[0], state + 0.25, atol=1e-6)
    np.testing.assert_allclose(chunk.times, STEP * np.arange(1, 6))


def test_server_that_compiles_at_its_first_call_is_waited_for_at_configure_only(
    tmp_path, robot, observe
):
    compiling = [1.0]  # s of the calls to come

    def infer(request):
        time.sleep(compiling.pop() if compiling else 0.0)
        return {'actions': np.zeros((5, 3), np.float32)}

    with openpi_server(infer, {}) as there:
        path = remote_bundle(tmp_path / 'pi', f'ws://127.0.0.1:{there["port"]}')
        policy = load_policy(path, robot, timeout=0.5)
        first, *others = warm_up(policy, observe(), first_limit=SOON)
        assert first > 1.0 and max(others) < 0.5
        compiling.append(2.0)
        with pytest.raises(PolicyError, match='no answer within 0.5'):
            policy.predict(observe())
        compiling.append(2.0)
        with pytest.raises(PolicyError, match='no answer within 0.6'):
            warm_up(policy, observe(), first_limit=0.6)
        policy.close()


@pytest.mark.parametrize(
    ('answer', 'expected'),
    [
        ({'action': np.zeros((5, 3))}, 'the answer has no array actions, only action'),
        ({'actions': np.zeros((5, 4))}, 'actions has shape .5, 4., wanted .points, 3.'),
        ({'actions': np.zeros((0, 3))}, 'no points'),
        ({'actions': np.full((5, 3), np.nan)}, 'not finite'),
        ({'actions': np.full((5, 3), 100.0)}, 'beyond'),
        ({'actions': 'none'}, 'no array actions'),
    ],
)
def test_answer_that_is_no_chunk_is_a_policy_error(tmp_path, robot, observe, answer, expected):
    with openpi_server(lambda request: answer, {}) as there:
        path = remote_bundle(tmp_path / 'pi', f'ws://127.0.0.1:{there["port"]}')
        policy = load_policy(path, robot, timeout=SOON)
        with pytest.raises(PolicyError, match=expected):
            policy.predict(observe())
        policy.close()


@pytest.mark.parametrize(
    ('case', 'changes', 'expected'),
    [
        ('no actions', {'outputs action parts': {}}, 'outputs.action.parts: found none'),
        (
            'a joint in two parts',
            {'outputs action parts': {'a': ['head_yaw'], 'b': ['head_yaw']}},
            'outputs.action.parts: found a joint twice',
        ),
        (
            'an http address',
            {'url': 'http://host:8000'},
            'url: found http://host:8000, wanted ws:// or wss://host:port',
        ),
        (
            'an address without a port',
            {'inputs': None, 'outputs': None, 'runtime': 'groot', 'url': 'tcp://host'},
            'url: found tcp://host, wanted tcp://host:port',
        ),
        (
            'a joint that the robot has not',
            {'inputs states observation/state joints': ['tail']},
            'inputs.states.observation/state: found tail',
        ),
        (
            'neither images nor states',
            {'inputs images': None, 'inputs states': None},
            'inputs.states: found neither images nor states',
        ),
        ('a misspelt input', {'inputs instructions': 'prompt'}, 'instructions'),
    ],
)
def test_malformed_remote_bundle_is_refused_with_its_reason(
    tmp_path, robot, case, changes, expected
):
    content = REMOTE | {'url': 'ws://127.0.0.1:1'}
    write_policy(tmp_path, content, change=lambda c: edit(c, changes))
    with pytest.raises(ConfigError, match=re.escape(expected)) as error:
        load_bundle(tmp_path, robot)
    documented('Policy servers', case, error.value, tmp_path)


# --- GR00T --------------------------------------------------------------------------------------


@pytest.mark.parametrize('encoding', ['npy', 'msgpack_numpy'])
@pytest.mark.parametrize('dialect', ['nested', 'flat'])
def test_groot_requests_and_answers_work_in_both_dialects_and_encodings(
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


def test_groot_error_is_reported_and_the_next_call_succeeds():
    answers = [{'error': 'no checkpoint'}, {'ok': 1}]
    with GrootDouble(lambda request: answers.pop(0)) as server:
        client = GrootClient(server.url)
        with pytest.raises(RemoteError, match='the server failed: no checkpoint'):
            client.call('ping', None, SOON)
        assert client.call('ping', None, SOON) == {'ok': 1}
        client.close()


def test_groot_server_restarted_between_two_calls_is_used_again():
    with GrootDouble(lambda request: {'n': 1}) as server:
        client = GrootClient(server.url)
        assert client.call('ping', None, SOON) == {'n': 1}
        port = server.port
    with GrootDouble(lambda request: {'n': 2}, port=port):
        assert client.call('ping', None, SOON) == {'n': 2}
    with pytest.raises(RemoteError, match='refused'):
        client.call('ping', None, SOON)
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
