# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Tokens of policy servers reach the server and nothing else: no log, error or parameter."""

import contextlib
import threading

import numpy as np
import pytest
from websockets.sync.server import serve

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_policy.bundle.bundle import load_bundle
from vla_policy.bundle.resolve_bundle import locate_bundle
from vla_policy.load import load_policy
from vla_policy.remote.wire import pack
from vla_policy.testing.bundles import JOINTS, groot_bundle, remote_bundle
from vla_policy.types import PolicyError
from vla_serving.testing import GrootDouble

SECRET = 'sk-9f2kd8QzN'
SOON = 20.0
DESCRIBED = {
    'name': 'pi',
    'inputs': {'states': {'state': {'joints': JOINTS}}, 'instruction': 'prompt'},
    'outputs': {'action': {'parts': {'actions': JOINTS}, 'step': 0.1}},
}


@contextlib.contextmanager
def guarded_server(failing=False):
    """An openpi server that answers with the header that it wants; failing: repeats it in an
    error."""
    seen = []

    def handle(connection):
        seen.append(connection.request.headers.get('Authorization', ''))
        connection.send(pack({'vla': DESCRIBED}))
        for _ in connection:
            if failing:
                connection.send(f'ValueError: bad token {seen[-1]}')
            else:
                connection.send(pack({'actions': np.zeros((2, 3), np.float32)}))

    with serve(handle, '127.0.0.1', 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f'ws://127.0.0.1:{server.socket.getsockname()[1]}', seen
        server.shutdown()


@pytest.mark.parametrize('scheme', [None, 'Bearer'])
@pytest.mark.parametrize('place', ['variable', 'file'])
def test_a_token_from_a_variable_or_a_file_is_sent_as_the_header(
    tmp_path, robot, observe, monkeypatch, place, scheme
):
    monkeypatch.setenv('PI_TOKEN', SECRET)
    (tmp_path / 'token').write_text(f'{SECRET}\n')
    section = {'variable': 'PI_TOKEN'} if place == 'variable' else {'file': f'{tmp_path}/token'}
    section |= {'scheme': scheme} if scheme else {}
    with guarded_server() as (url, seen):
        path = remote_bundle(tmp_path / 'pi', url, token=section)
        policy = load_policy(path, robot, timeout=SOON)
        assert policy.predict(observe()).positions.shape == (2, 3)
        policy.close()
    assert seen == [f'{scheme or "Api-Key"} {SECRET}']
    assert SECRET not in repr(policy.bundle)


def test_the_address_alone_takes_the_token_from_its_variable(robot, observe, monkeypatch):
    with guarded_server() as (url, seen):
        monkeypatch.setenv('VLA_POLICY_TOKEN', SECRET)
        load_policy(url, robot, timeout=SOON).close()
        monkeypatch.delenv('VLA_POLICY_TOKEN')
        load_policy(url, robot, timeout=SOON).close()
    assert seen == [f'Api-Key {SECRET}', '']


def test_a_server_that_repeats_the_token_does_not_publish_it(tmp_path, robot, observe, monkeypatch):
    monkeypatch.setenv('PI_TOKEN', SECRET)
    with guarded_server(failing=True) as (url, _):
        path = remote_bundle(tmp_path / 'pi', url, token={'variable': 'PI_TOKEN'})
        policy = load_policy(path, robot, timeout=SOON)
        with pytest.raises(PolicyError, match='bad token Api-Key …') as error:
            policy.predict(observe())
    documented('Tokens of policy servers', 'a server that repeats the token', error.value, url)


def test_a_groot_server_gets_the_token_in_each_request(tmp_path, robot, observe, monkeypatch):
    def answer(request):
        if request.get('api_token') != SECRET:
            return {'error': 'Unauthorized'}
        if request['endpoint'] == 'reset':
            return {'error': f'not {SECRET}'}
        return [{'left_arm': np.zeros((1, 4, 2)), 'head': np.zeros((1, 4, 1))}, {}]

    monkeypatch.setenv('GROOT_TOKEN', SECRET)
    with GrootDouble(answer) as server:
        path = groot_bundle(tmp_path / 'groot', server.url)
        with (path / 'policy.yaml').open('a') as file:
            file.write('token: {variable: GROOT_TOKEN}\n')
        policy = load_policy(path, robot, timeout=SOON)
        assert policy.predict(observe()).positions.shape == (4, 3)
        policy.reset()
        with pytest.raises(PolicyError, match='the server failed: not …'):
            policy.predict(observe())
        policy.close()


@pytest.mark.parametrize(
    ('case', 'section', 'reason'),
    [
        (
            'a variable that is not set',
            {'variable': 'NOT_SET'},
            'token.variable: found nothing in NOT_SET, wanted a token',
        ),
        (
            'a token with a space',
            {'variable': 'TWO_WORDS'},
            'token.variable: found other characters in TWO_WORDS',
        ),
        (
            'a file that does not exist',
            {'file': '/nowhere/token'},
            'token.file: found /nowhere/token: No such file',
        ),
        (
            'a variable and a file',
            {'variable': 'A', 'file': 'b'},
            'token: found both variable and file',
        ),
        ('neither variable nor file', {}, 'token: found neither variable nor file'),
        ('the token itself', SECRET, 'token: found a value that is not shown'),
        ('an unknown scheme', {'variable': 'A', 'scheme': 'Basic'}, 'token.scheme: found Basic'),
    ],
)
def test_a_token_that_is_not_there_is_reported_without_any_secret(
    tmp_path, robot, monkeypatch, case, section, reason
):
    monkeypatch.setenv('TWO_WORDS', f'{SECRET} {SECRET}')
    path = remote_bundle(tmp_path / 'pi', 'ws://127.0.0.1:1', token=section)
    with pytest.raises(ConfigError) as error:
        load_policy(path, robot)
    assert reason in str(error.value) and SECRET not in str(error.value)
    documented('Tokens of policy servers', case, error.value, tmp_path)


@pytest.mark.parametrize(
    'address',
    [
        f'ws://me:{SECRET}@host:8000',
        f'wss://{SECRET}@host/robot',
        f'ws://host:8000/?key={SECRET}',
        f'ws://host:8000/#{SECRET}',
        f'ws://me:{SECRET}/x@host:8000',
        f'ws://me:{SECRET}@host:port',
    ],
)
def test_a_secret_in_an_address_is_rejected_and_not_printed(tmp_path, robot, address):
    path = remote_bundle(tmp_path / 'pi', address)
    for call in (lambda: load_policy(address, robot), lambda: load_bundle(path)):
        with pytest.raises(ConfigError) as error:
            call()
        assert SECRET not in str(error.value)
    if address == f'ws://me:{SECRET}@host:8000':
        documented('Tokens of policy servers', 'a password in the address', error.value, tmp_path)
    with pytest.raises(ConfigError) as error:
        locate_bundle(address.replace('ws', 'http', 1), tmp_path)
    assert SECRET not in str(error.value)
