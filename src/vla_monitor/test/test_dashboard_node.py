# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The node with the real supervisor node: state, stops, steps, the endpoint over its services."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from rclpy.action import ActionServer, GoalResponse
from sensor_msgs.msg import Image
from std_msgs.msg import String
from websockets.sync.client import connect

from vla_common import qos
from vla_common.testing import wait_until
from vla_common.testing_refusals import documented
from vla_interfaces.action import RunInstruction
from vla_monitor.dashboard.node import Dashboard
from vla_supervisor.endpoints import answer_to
from vla_supervisor.node import SupervisorNode

PATIENCE = 60


@pytest.fixture
def dashboard(ros, tmp_path):
    return ros.active_node(Dashboard, port=0, token_file=str(tmp_path / 'token'))


@pytest.fixture
def supervisor(ros):
    from vla_common.parameter_files import load_node_parameters
    from vla_common.parameters import flatten

    shipped = flatten(load_node_parameters('vla_supervisor', 'supervisor'))
    return ros.active_node(SupervisorNode, **{k.replace('.', '__'): v for k, v in shipped.items()})


class Browser:
    """What the page does, without a page."""

    def __init__(self, node):
        self.address = f'127.0.0.1:{node.port}'
        token = Path(node.params.token_file).read_text().strip()
        login = self._request('/login', token.encode())
        self.cookie = login.headers['set-cookie'].partition(';')[0]

    def _request(self, path, body=b''):
        url = f'http://{self.address}{path}'
        return urllib.request.urlopen(
            urllib.request.Request(url, data=body, method='POST'), timeout=PATIENCE
        )

    def post(self, path):
        try:
            with self._request(path) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def socket(self, path):
        return connect(
            f'ws://{self.address}{path}', origin=f'http://{self.address}',
            additional_headers={'Cookie': self.cookie},
        )  # fmt: skip


def receive(socket, key, wanted=lambda value: True):
    """The next text message with `key` whose value is wanted."""
    while True:
        message = socket.recv(timeout=PATIENCE)
        if isinstance(message, str):
            value = json.loads(message).get(key)
            if value is not None and wanted(value):
                return json.loads(message)


def ask(socket, answer, /, **request):
    socket.send(json.dumps(request))
    return receive(socket, 'op', lambda op: op == answer)


def test_the_page_shows_the_mode_and_stops_and_resets_what_its_operator_saw(
    ros, dashboard, supervisor
):
    browser = Browser(dashboard)
    with browser.socket('/ws/view') as view, browser.socket('/ws/operator') as operator:
        assert len(receive(view, 'robot')['robot']['joints']) == 32
        shown = receive(view, 'state', lambda s: s['supervisor'])['state']['supervisor']
        assert shown['mode'] == 'INACTIVE' and shown['nodes_missing']
        assert ask(operator, 'lease', op='hello', page='0' * 32)['holder'] == ''
        assert ask(operator, 'lease', op='take', name='Ann')['mine']

        answer = browser.post('/estop')
        assert answer['granted'] and 'ESTOP' in answer['message']
        stopped = receive(
            view, 'state', lambda s: s['supervisor'] and s['supervisor']['mode'] == 'ESTOP'
        )['state']
        causes = [cause['seen'] for cause in stopped['supervisor']['causes']]
        assert 'estop_request (operator)' in causes
        assert stopped['operator'] == 'Ann'

        seen = {'mode': 'ESTOP', 'epoch': stopped['supervisor']['motion_epoch'], 'causes': []}
        step = {'op': 'step', 'id': 1, 'step': 'reset'}
        refused = ask(operator, 'answer', **step, seen=seen)
        assert refused['success'] is False and 'estop_request' in refused['message']
        assert supervisor._core.mode.name == 'ESTOP'
        answer = ask(operator, 'answer', **step, seen={**seen, 'causes': causes})
        assert answer['success'] is not None, answer
        # The supervisor of this test has no driver: it answers for itself.
        assert answer['success'] or 'reset refused' in answer['message']


def test_the_page_is_an_endpoint_of_the_supervisor(ros, dashboard, supervisor):
    browser = Browser(dashboard)
    endpoints = supervisor._health.endpoints
    with browser.socket('/ws/operator') as operator:
        ask(operator, 'lease', op='hello', page='0' * 32)
        ask(operator, 'lease', op='take', name='Ann')
        answer = ask(operator, 'endpoint', op='register')
        assert answer['accepted'], answer
        assert endpoints.names == ('dashboard',)
        pressed = False
        for pressed in (False, False, True):
            response = str(answer_to(int(answer['challenge'])))
            answer = ask(
                operator, 'endpoint', op='checkin', response=response, pressed=pressed,
                leaving=False,
            )  # fmt: skip
            assert answer['accepted'], answer
        wait_until(lambda: supervisor._core.mode.name == 'ESTOP')


class InferenceNode:
    """Its action server: rejects 'no', and ends everything else as done."""

    def __init__(self, probe):
        self.goals, self.texts = [], []
        self._server = ActionServer(
            probe.node, RunInstruction, '/vla/run_instruction', self._execute,
            goal_callback=self._goal,
        )  # fmt: skip
        probe.node.create_subscription(
            String, '/vla/instruction', lambda m: self.texts.append(m.data), qos.COMMAND
        )

    def _goal(self, goal):
        self.goals.append((goal.instruction, goal.time_limit))
        return GoalResponse.REJECT if goal.instruction == 'no' else GoalResponse.ACCEPT

    def _execute(self, goal):
        goal.succeed()
        return RunInstruction.Result(success=True, reason='done', duration=2.0)


def test_an_instruction_is_a_goal_whose_end_is_in_the_log_and_whose_client_goes(ros, dashboard):
    probe = ros.probe()
    inference = InferenceNode(probe)
    browser = Browser(dashboard)
    with browser.socket('/ws/view') as view, browser.socket('/ws/operator') as operator:
        ask(operator, 'lease', op='hello', page='0' * 32)
        ask(operator, 'lease', op='release')
        run = {'op': 'run', 'id': 1, 'time_limit': 3.0}
        assert not ask(operator, 'answer', **run, text='wave')['success'], 'without the lease'
        # No supervisor is received here, and a page that is alone gets the lease all the same.
        assert ask(operator, 'lease', op='take', name='Ann')['mine']
        answer = ask(operator, 'answer', **run, text='wave')
        assert answer['success'], answer
        assert inference.goals == [('wave', 3.0)]
        receive(view, 'log', lambda lines: '"wave": done after 2.0 s' in [x['text'] for x in lines])
        refused = ask(operator, 'answer', **run, text='no')
        assert refused['success'] is False
        assert ask(operator, 'answer', op='cancel', id=2)['success']
        wait_until(lambda: inference.texts == [''])
        # A client that stays would hide from the inference node that another one died.
        wait_until(lambda: probe.node.count_clients('/vla/run_instruction/_action/send_goal') == 0)


def test_a_stop_without_a_supervisor_is_not_confirmed_and_shown_to_all(ros, dashboard):
    browser = Browser(dashboard)
    with browser.socket('/ws/view') as view:
        assert browser.post('/estop')['granted'] is False
        text = 'estop requested from 127.0.0.1'
        receive(view, 'log', lambda log: text in [line['text'] for line in log])
        # The first state may be from before the request.
        receive(view, 'state', lambda state: state['pending'] == ['estop'])


def test_pictures_of_each_color_camera_are_small_jpegs(ros, dashboard):
    probe = ros.probe()
    publisher = probe.publisher(Image, '/camera/left/image_raw', qos.IMAGE)
    wait_until(lambda: '/camera/left/image_raw' in dashboard._cameras)
    probe.wait_for_subscriber(publisher)
    pixels = np.full((600, 800, 3), 90, np.uint8)
    message = Image(height=600, width=800, encoding='rgb8', step=2400, data=pixels.tobytes())
    browser = Browser(dashboard)
    with browser.socket('/ws/view') as view:
        wait_until(lambda: dashboard._feed.viewers == 1)
        for _ in range(200):
            publisher.publish(message)
            content = view.recv(timeout=PATIENCE)
            if isinstance(content, bytes):
                break
    assert content[:3] == b'\x00\xff\xd8'
    assert len(content) < 20_000


@pytest.mark.parametrize(
    ('case', 'values', 'words'),
    [
        ('other machines without TLS', {'address': '0.0.0.0'}, 'wanted a loopback address'),
        ('a certificate without its key', {'certificate': __file__}, 'certificate and key'),
        (
            'endpoint timeouts that cross',
            {'endpoint__soft_timeout': 4.0, 'endpoint__hard_timeout': 2.0},
            'more than endpoint.soft_timeout',
        ),
    ],
)
def test_a_parameter_that_cannot_be_used_fails_configure(ros, tmp_path, case, values, words):
    node = ros.node(Dashboard, port=0, token_file=str(tmp_path / 'token'), **values)
    assert not ros.change(node, 1)
    message = node._lifecycle_message[1].removeprefix('configure failed: ')
    assert words in message
    documented('Dashboard', case, message, tmp_path)


def test_a_second_activation_serves_again(ros, dashboard):
    port = dashboard.port
    ros.deactivate(dashboard)
    ros.activate(dashboard)
    assert dashboard.port == port
    assert Browser(dashboard).cookie
