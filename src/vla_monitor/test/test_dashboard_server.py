# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The web application: who may do what; and over a real socket: long frames, slow viewers."""

import contextlib
import json
import re
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest
from fake_robot import FakeRobot
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from vla_common.errors import ConfigError
from vla_common.testing import wait_until
from vla_common.testing_refusals import documented
from vla_monitor.dashboard.access import Access
from vla_monitor.dashboard.feed import Feed
from vla_monitor.dashboard.server import COOKIE, STATIC, WebApplication
from vla_monitor.dashboard.web import WebServer, listen
from vla_supervisor.endpoints import answer_to

TOKEN = 'the-token-of-a-test'
URL = 'http://testserver'
OURS = {'origin': URL}
SEEN = {'mode': 'ESTOP', 'epoch': 7, 'causes': ['estop_request (operator)']}


@pytest.fixture
def robot():
    return FakeRobot()


@pytest.fixture
def feed():
    return Feed()


@pytest.fixture
def application(robot, feed):
    return WebApplication(Access(TOKEN, ['testserver']), feed, robot)


@pytest.fixture
def client(application):
    with TestClient(application.asgi, base_url=URL, headers={'origin': URL}) as client:
        yield client


def log_in(client):
    assert client.post('/login', content=TOKEN).status_code == 200


class Page:
    """An operator's page on its socket."""

    def __init__(self, socket, number):
        self._socket = socket
        self.send(op='hello', page=f'{number:032x}')
        self.lease = self.receive('lease')

    def send(self, **message):
        self._socket.send_text(json.dumps(message))

    def receive(self, op):
        while True:
            message = self._socket.receive_json()
            if message['op'] == op:
                return message

    def take(self, name='Ann'):
        self.send(op='take', name=name)
        return self.receive('lease')['mine']

    def ask(self, **request):
        self.send(id=5, **request)
        answer = self.receive('answer')
        assert answer['id'] == 5
        return answer

    def endpoint(self, **request):
        self.send(**request)
        return self.receive('endpoint')

    def check_in(self, challenge, pressed=False, leaving=False):
        response = str(answer_to(int(challenge)))
        return self.endpoint(op='checkin', response=response, pressed=pressed, leaving=leaving)


@pytest.fixture
def operator(client):
    log_in(client)
    with client.websocket_connect('/ws/operator', headers=OURS) as socket:
        yield Page(socket, 1)


# -- everybody -------------------------------------------------------------------------------------


def test_the_page_has_all_its_files_here_and_a_policy_that_allows_no_other(client):
    page = client.get('/')
    policy = page.headers['content-security-policy']
    assert "default-src 'none'" in policy and "script-src 'self'" in policy
    assert 'unsafe' not in policy
    assert page.headers['referrer-policy'] == 'same-origin', 'else a form sends Origin: null'
    for name in re.findall(r'(?:src|href)="(/[^"]*)"', page.text):
        assert client.get(name).status_code == 200, name
    texts = [page.text, *(path.read_text() for path in STATIC.iterdir())]
    assert not [text for text in texts if re.search(r'https?://(?!www.w3.org/2000/svg)', text)]
    assert not re.search(r'<script[^>]*>[^<]|\son\w+=|style="', page.text), 'the policy refuses it'
    scripts = ''.join(path.read_text() for path in STATIC.glob('*.js'))
    assert not re.search(r'innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(', scripts)


def test_the_page_tells_who_it_is_for_without_a_session(client):
    assert client.get('/session').json() == {'operator': False}


@pytest.mark.parametrize('step', ['estop', 'safe_stop'])
def test_anybody_may_stop(client, robot, step):
    answer = client.post(f'/{step}')
    assert answer.status_code == 200
    assert answer.json() == {'granted': True, 'message': f'mode {step}'}
    assert robot.calls == [step]


def test_a_stop_is_a_post_and_without_an_origin_too(application, robot):
    with TestClient(application.asgi, base_url=URL) as client:
        assert client.get('/estop').status_code == 405
        assert robot.calls == []
        assert client.post('/estop').status_code == 200
    assert robot.calls == ['estop']


def test_a_form_without_any_script_stops_and_gets_a_page(client, robot):
    html = client.get('/').text
    form = r'<form id="estop" method="post" action="/estop">\s*<button[^>]*type="submit"'
    assert re.search(form, html), 'the button is a form'
    answer = client.post('/estop', headers={'accept': 'text/html'})
    assert 'estop: granted' in answer.text
    robot.silent = True
    answer = client.post('/estop', headers={'accept': 'text/html'})
    assert 'NOT CONFIRMED' in answer.text


def test_a_stop_that_nobody_grants_is_never_reported_as_granted(client, robot):
    robot.silent = True
    answer = client.post('/estop')
    assert answer.status_code == 504
    assert answer.json()['granted'] is False


def test_pressing_often_is_one_line_of_the_log_each_second(robot, feed):
    times = [0.0]
    access = Access(TOKEN, ['testserver'])
    app = WebApplication(access, feed, robot, now=lambda: times[-1]).asgi
    with TestClient(app, base_url=URL) as client:
        for now in (0.0, 0.1, 0.9, 1.0, 1.5):
            times.append(now)
            client.post('/estop')
    assert len(robot.notes) == 2
    assert len(robot.calls) == 5


def test_another_site_can_neither_stop_nor_log_in_nor_listen(client, robot):
    evil = {'origin': 'http://evil.example'}
    for path in ('/estop', '/safe_stop', '/login', '/logout'):
        assert client.post(path, content=TOKEN, headers=evil).status_code == 403
    assert robot.calls == []
    log_in(client)
    for path in ('/ws/view', '/ws/operator'):
        for site in (evil, {'origin': 'null'}):
            with pytest.raises(WebSocketDisconnect), client.websocket_connect(path, headers=site):
                pass


def test_a_name_that_was_rebound_to_this_machine_gets_nothing(client, robot):
    rebound = {'host': 'evil.example', 'origin': 'http://evil.example'}
    assert client.get('/', headers=rebound).status_code == 403
    assert client.post('/estop', headers=rebound).status_code == 403
    with pytest.raises(WebSocketDisconnect), client.websocket_connect('/ws/view', headers=rebound):
        pass
    assert robot.calls == []


def test_a_body_that_is_too_long_is_refused_with_and_without_a_length(client):
    assert client.post('/login', content=b'x' * 20_000).status_code == 413
    parts = (b'x' * 1000 for _ in range(100))
    assert client.post('/login', content=parts).status_code == 413
    assert client.get('/session').json() == {'operator': False}


# -- the token -------------------------------------------------------------------------------------


def test_the_token_becomes_a_cookie_that_no_script_reads(client, robot):
    assert client.post('/login', content='wrong').status_code == 403
    assert robot.notes == ['wrong token from testclient']
    answer = client.post('/login', content=TOKEN)
    cookie = answer.headers['set-cookie']
    assert TOKEN not in cookie
    for word in ('HttpOnly', 'SameSite=strict', 'Path=/'):
        assert word.lower() in cookie.lower()
    assert client.get('/session').json() == {'operator': True}
    client.post('/logout')
    assert client.get('/session').json() == {'operator': False}


def test_over_tls_the_cookie_is_for_tls_only(robot, feed):
    app = WebApplication(Access(TOKEN, ['testserver']), feed, robot, secure=True).asgi
    with TestClient(app, base_url='https://testserver') as client:
        assert 'Secure' in client.post('/login', content=TOKEN).headers['set-cookie']


def test_without_the_token_nothing_moves_the_robot(client, robot):
    with client.websocket_connect('/ws/operator', headers=OURS) as socket:
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
        assert closed.value.code == 4401
    client.cookies.set(COOKIE, 'guessed')
    guessing = client.websocket_connect('/ws/operator', headers=OURS)
    with guessing as socket, pytest.raises(WebSocketDisconnect):
        socket.receive_json()
    assert robot.calls == []


def test_a_session_that_ended_ends_its_socket(client, operator, robot):
    assert operator.take()
    client.post('/logout')
    operator.send(op='run', id=1, text='wave', time_limit=0.0)
    with pytest.raises(WebSocketDisconnect) as closed:
        operator.receive('answer')
    assert closed.value.code == 4401
    assert robot.calls == []


# -- operators -------------------------------------------------------------------------------------


def test_steps_and_instructions_need_the_lease(operator, robot):
    for request in (
        {'op': 'step', 'step': 'reset', 'seen': SEEN},
        {'op': 'run', 'text': 'wave', 'time_limit': 0.0},
        {'op': 'cancel'},
    ):
        answer = operator.ask(**request)
        assert answer['success'] is False and 'lease' in answer['message']
    assert not operator.endpoint(op='register')['accepted']
    assert robot.calls == []
    assert operator.take()
    assert operator.ask(op='run', text='wave', time_limit=2.5)['success']
    assert operator.ask(op='cancel')['success']
    assert robot.calls == [('run', 'wave', 2.5), 'cancel']


def test_a_reset_that_does_not_name_a_cause_is_refused(operator, robot):
    operator.take()
    unseen = {**SEEN, 'causes': []}
    answer = operator.ask(op='step', step='reset', seen=unseen)
    assert answer['success'] is False
    assert 'estop_request (operator)' in answer['message']
    assert robot.calls == []
    assert operator.ask(op='step', step='reset', seen=SEEN)['success']
    assert robot.calls == ['reset']


def test_an_instruction_with_markup_is_passed_on_as_it_is(operator, robot):
    operator.take('<b>Ann</b>')
    text = '<img src=x onerror=alert(1)>"\'&\u202e wave'
    assert operator.ask(op='run', text=text, time_limit=0.0)['success']
    assert robot.calls == [('run', text, 0.0)]


def test_of_two_operators_one_has_the_lease_and_the_other_takes_it_where_nothing_may_move(
    client, operator, robot
):
    with client.websocket_connect('/ws/operator', headers=OURS) as socket:
        second = Page(socket, 2)
        assert operator.take('Ann')
        assert second.receive('lease') == {'op': 'lease', 'mine': False, 'holder': 'Ann'}
        robot.now = robot.now.__class__('RUNNING', 7, ())
        assert not second.take('Bo')
        assert 'lease' in second.ask(op='cancel')['message']
        robot.now = robot.now.__class__('SAFE_STOP', 8, ())
        assert second.take('Bo')
        assert second.ask(op='cancel')['success']
        assert 'lease' in operator.ask(op='cancel')['message']


def test_two_operators_who_reset_at_once_reset_what_they_saw(client, operator, robot):
    """The second's reset would clear a stop that it never saw."""
    operator.take()
    assert operator.ask(op='step', step='reset', seen=SEEN)['success']
    robot.now = robot.now.__class__('ESTOP', 9, ('fall (supervisor)',))
    answer = operator.ask(op='step', step='reset', seen=SEEN)
    assert answer['success'] is False and 'fall (supervisor)' in answer['message']


def test_the_same_page_opened_twice_is_one_page(client, operator):
    assert operator.take()
    with client.websocket_connect('/ws/operator', headers=OURS) as socket:
        again = Page(socket, 1)
        assert again.lease['mine'], 'as after a reload'
        with pytest.raises(WebSocketDisconnect) as closed:
            operator.receive('nothing')
        assert closed.value.code == 4409


@pytest.mark.parametrize(
    'message', ['{"op":"cancel","id":1}', 'x', '{"op":"hello","page":"1"}', '{"op":"estop"}']
)
def test_what_is_no_request_ends_the_connection(client, message):
    log_in(client)
    with client.websocket_connect('/ws/operator', headers=OURS) as socket:
        socket.send_text(message)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
        assert closed.value.code == 1008


def test_bytes_are_no_request_either(client):
    log_in(client)
    with client.websocket_connect('/ws/operator', headers=OURS) as socket:
        socket.send_bytes(b'\0' * 100)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
        assert closed.value.code == 1008


# -- the e-stop endpoint ---------------------------------------------------------------------------


def test_the_page_is_an_endpoint_whose_answers_are_its_own(operator, robot):
    operator.take()
    challenge = operator.endpoint(op='register')['challenge']
    for _ in range(3):
        answer = operator.check_in(challenge)
        assert answer['accepted']
        challenge = answer['challenge']
    wrong = operator.endpoint(op='checkin', response='12345', pressed=False, leaving=False)
    assert not wrong['accepted'] and wrong['challenge'] == challenge
    assert robot.conditions() == []
    operator.check_in(challenge, pressed=True)
    assert robot.conditions() == ['estop_endpoint:dashboard']


def test_a_press_with_a_wrong_response_counts(operator, robot):
    operator.take()
    operator.endpoint(op='register')
    operator.endpoint(op='checkin', response='0', pressed=True, leaving=False)
    assert robot.conditions() == ['estop_endpoint:dashboard']


def test_a_page_that_gave_the_lease_away_stays_the_endpoint_until_the_robot_may_not_move(
    operator, robot
):
    operator.take()
    challenge = operator.endpoint(op='register')['challenge']
    challenge = operator.check_in(challenge)['challenge']
    robot.now = robot.now.__class__('READY', 7, ())
    operator.send(op='release')
    assert not operator.receive('lease')['mine']
    refused = operator.check_in(challenge, leaving=True)
    assert not refused['accepted'] and 'motion is allowed' in refused['reason']
    robot.now = robot.now.__class__('SAFE_STOP', 7, ())
    assert operator.check_in(refused['challenge'], leaving=True)['accepted']
    assert robot.endpoints.names == ()


def test_the_page_of_the_next_operator_replaces_the_endpoint(client, operator, robot):
    operator.take()
    challenge = operator.endpoint(op='register')['challenge']
    with client.websocket_connect('/ws/operator', headers=OURS) as socket:
        second = Page(socket, 2)
        assert second.take('Bo')
        fresh = second.endpoint(op='register')['challenge']
        late = operator.check_in(challenge)
        assert not late['accepted'], 'two pages would answer each other away'
        assert second.check_in(fresh)['accepted']


def test_a_page_that_is_closed_leaves_where_the_robot_may_not_move(client, operator, robot):
    def leave(challenge, page=1):
        response = str(answer_to(int(challenge)))
        body = {'op': 'leave', 'page': f'{page:032x}', 'response': response}
        return client.post('/leave', content=json.dumps(body)).json()['accepted']

    operator.take()
    challenge = operator.check_in(operator.endpoint(op='register')['challenge'])['challenge']
    assert not leave(challenge, page=2), 'another page cannot'
    assert not leave(0), 'nor one that does not know the challenge'
    robot.now = robot.now.__class__('READY', 7, ())
    assert not leave(challenge)
    assert robot.endpoints.names == ('dashboard',)
    # That was a check-in: the challenge is another one.
    refused = operator.endpoint(op='checkin', response='0', pressed=False, leaving=False)
    robot.now = robot.now.__class__('ESTOP', 7, ())
    assert leave(refused['challenge'])
    assert robot.endpoints.names == ()
    assert client.post('/leave', content='{}').status_code == 400
    client.post('/logout')
    assert client.post('/leave', content='{}').status_code == 403


# -- over a real socket ----------------------------------------------------------------------------


@pytest.fixture
def address(application):
    listening = listen('127.0.0.1', 0, 'test')
    server = WebServer(application.asgi, listening)
    port = listening.getsockname()[1]
    wait_until(lambda: answers(port))
    yield f'127.0.0.1:{port}'
    server.close()
    wait_until(lambda: server.failed)
    listening.close()


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


def view(address, **options):
    return connect(f'ws://{address}/ws/view', origin=f'http://{address}', **options)


def post(address, path, body=b''):
    request = urllib.request.Request(f'http://{address}{path}', data=body, method='POST')
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_a_frame_of_100_mb_ends_its_own_connection_only(address, robot, feed):
    with view(address) as good:
        with view(address) as bad:
            with contextlib.suppress(ConnectionClosed):  # while it is sent, or after
                bad.send('x' * 100_000_000)
            with pytest.raises(ConnectionClosed):
                bad.recv(timeout=30)
        with pytest.raises(urllib.error.URLError):
            post(address, '/login', b'x' * 100_000_000)
        feed.put('state', 'still here')
        assert good.recv(timeout=30) == 'still here'
    assert post(address, '/estop')['granted']


def test_a_viewer_that_reads_nothing_slows_nobody(address, feed, robot):
    stuck = socket.create_connection(address.split(':'))
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.sendall(
        f'GET /ws/view HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\n'
        'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'.encode()
    )
    wait_until(lambda: feed.viewers == 1)
    picture = b'\0' * 300_000
    with view(address) as good:
        wait_until(lambda: feed.viewers == 2)
        for i in range(200):  # 60 MB for the one that reads nothing
            feed.put('picture', picture)
            feed.put('state', f'{i}')
            while good.recv(timeout=30) != f'{i}':
                pass
        assert post(address, '/estop')['granted']
    stuck.close()
    wait_until(lambda: feed.viewers == 0)


def test_viewers_are_bounded(address, feed):
    with contextlib.ExitStack() as viewers:
        for _ in range(32):
            viewers.enter_context(view(address))
        wait_until(lambda: feed.viewers == 32)
        with view(address) as late, pytest.raises(ConnectionClosed) as closed:
            late.recv(timeout=30)
        assert closed.value.rcvd.code == 1013


def test_an_end_of_the_server_ends_its_connections(application, feed):
    listening = listen('127.0.0.1', 0, 'test')
    server = WebServer(application.asgi, listening)
    address = f'127.0.0.1:{listening.getsockname()[1]}'
    wait_until(lambda: answers(listening.getsockname()[1]))
    with view(address) as viewer:
        begin = time.monotonic()
        threading.Thread(target=server.close).start()
        with pytest.raises(ConnectionClosed):
            viewer.recv(timeout=30)
        assert time.monotonic() - begin < 20.0
    wait_until(lambda: server.failed)
    listening.close()


def test_a_port_that_is_taken_is_one_error():
    taken = listen('127.0.0.1', 0, 'test')
    with pytest.raises(ConfigError) as error:
        listen('127.0.0.1', taken.getsockname()[1], 'parameters of /dashboard')
    documented('Dashboard', 'a port that is taken', error.value, re.compile(r'(?<=port )\d+'))
    taken.close()
