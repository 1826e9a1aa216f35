# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The base class against a real middleware."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from std_msgs.msg import Empty, Int64, String
from std_srvs.srv import Trigger

from vla_common import qos
from vla_common.errors import ConfigError
from vla_common.lifecycle import VlaLifecycleNode
from vla_common.node_main import shutdown_signals
from vla_common.parameters import ParameterSchema
from vla_common.testing_refusals import documented
from vla_common.topics import Topic

SCHEMA = """\
period:
  type: double
  unit: s
  range: [0.001, 1.0]
  description: Time between two messages.
"""


@pytest.fixture(autouse=True)
def schema(tmp_path, monkeypatch):
    path = tmp_path / 'parameters.yaml'
    path.write_text(SCHEMA)
    monkeypatch.setattr(ParameterSchema, 'load', lambda *names: ParameterSchema.from_file(path))


class Counter(VlaLifecycleNode):
    def __init__(self, **options):
        super().__init__('counter', 'vla_common', **options)
        self.calls = []
        self.broken_setup = False
        self.broken_tick = False
        self.broken_secure = False

    def setup(self):
        self.calls.append('setup')
        self.count = 0
        self.out = self.add_publisher(Topic('/count', 'std_msgs/msg/Int64', '', 'counter'))
        self.add_timer(self.params.period, self.tick)
        self.add_service(Trigger, '/count/touch', lambda request, response: response)
        if self.broken_setup:
            raise ConfigError('counter.yaml', 'start', 'x', 'a number')

    def tick(self):
        self.count += 1
        if self.broken_tick:
            raise ValueError('broken tick')
        self.out.publish(Int64(data=self.count))

    def start(self):
        self.calls.append('start')

    def secure(self):
        self.calls.append('secure')
        if self.broken_secure:
            raise RuntimeError('cannot secure')

    def stop(self):
        self.calls.append('stop')

    def teardown(self):
        self.calls.append('teardown')


def test_hooks_come_in_order_and_secure_first(ros):
    node = ros.active_node(Counter, period=0.01)
    ros.deactivate(node)
    assert ros.change(node, Transition.TRANSITION_CLEANUP)
    assert node.calls == ['setup', 'start', 'secure', 'stop', 'secure', 'teardown']


def test_a_transition_that_the_state_does_not_have_is_rejected_and_the_node_lives(ros):
    node = ros.node(Counter, period=0.01)
    assert not ros.change(node, Transition.TRANSITION_ACTIVATE)
    ros.configure(node)
    assert not ros.change(node, Transition.TRANSITION_CONFIGURE)
    assert not ros.change(node, 99)
    assert ros.state(node) == 'inactive'
    ros.activate(node)


def test_an_inactive_node_does_not_tick_and_its_services_reject(ros):
    node, probe = ros.node(Counter, period=0.005), ros.probe()
    counts = probe.subscribe(Int64, '/count', qos.STATE)
    ros.configure(node)
    answer = probe.call(Trigger, '/count/touch')
    assert not answer.success
    assert answer.message == 'counter is not active'
    assert node.count == 0
    ros.activate(node)
    counts.wait(3)


def test_a_failing_setup_is_reported_and_can_be_repeated(ros):
    node, probe = ros.node(Counter, period=0.01), ros.probe()
    reports = probe.subscribe(DiagnosticArray, '/diagnostics', qos.EVENT)
    node.broken_setup = True
    # Discovery of the probe's subscription is not under test: repeat until it received one.
    for _ in range(20):
        assert not ros.change(node, Transition.TRANSITION_CONFIGURE)
        texts = [status.message for array in reports.messages for status in array.status]
        if 'configure failed: counter.yaml: start: found x, wanted a number' in texts:
            break
        time.sleep(0.05)
    else:
        raise AssertionError(texts)
    assert ros.state(node) == 'unconfigured'
    node.broken_setup = False
    ros.configure(node)
    assert node.count_publishers('/count') == 1, 'the failed attempts left publishers behind'


def test_a_parameter_out_of_range_fails_configure(ros):
    node = ros.node(Counter, period=5.0)
    assert not ros.change(node, Transition.TRANSITION_CONFIGURE)
    assert node.calls == ['teardown']


def test_a_missing_required_parameter_fails_configure(ros):
    assert not ros.change(ros.node(Counter), Transition.TRANSITION_CONFIGURE)


def test_a_raising_callback_is_counted_and_the_node_lives(ros):
    node, probe = ros.node(Counter, period=0.005), ros.probe()
    counts = probe.subscribe(Int64, '/count', qos.STATE)
    ros.configure(node)
    ros.activate(node)
    counts.wait(1)
    node.broken_tick = True
    deadline = time.monotonic() + 10
    while node.callback_errors < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert node.callback_errors >= 3
    node.broken_tick = False
    counts.clear()
    counts.wait(2)


def test_teardown_happens_even_when_secure_raises(ros):
    node = ros.active_node(Counter, period=0.01)
    node.broken_secure = True
    ros.deactivate(node)
    assert ros.change(node, Transition.TRANSITION_CLEANUP)
    assert node.calls[-1] == 'teardown'


def test_parameters_cannot_change_behind_a_configured_node(ros):
    from rclpy.parameter import Parameter

    node = ros.node(Counter, period=0.01)
    ros.configure(node)
    (result,) = node.set_parameters([Parameter('period', value=0.02)])
    assert not result.successful
    assert 'read at configure only' in result.reason
    before = node.get_clock().now().nanoseconds
    (result,) = node.set_parameters([Parameter('use_sim_time', value=True)])
    assert not result.successful
    assert node.get_clock().now().nanoseconds >= before > 0


def test_a_topic_of_another_type_and_a_name_that_is_none_are_one_error(ros):
    """They were tracebacks of rcl, and the parameter that named the topic was not in them."""
    node = ros.node(Counter, period=0.01)
    node.create_subscription(String, '/words', print, 1)
    for topic, case in (
        ('/words', 'a topic of another type'),
        ('/no words', 'a topic with a space'),
    ):
        for create in (
            lambda topic: node.create_subscription(Empty, topic, print, 1),
            lambda topic: node.add_publisher(Topic(topic, 'std_msgs/msg/Empty', '', 'counter')),
        ):
            with pytest.raises(ConfigError) as error:
                create(topic)
            documented('Topics', case, error.value)


PROCESS = """\
import sys, pathlib
from vla_common.lifecycle import VlaLifecycleNode
from vla_common.node_main import shutdown_signals
from vla_common.node_main import run
from vla_common.parameters import ParameterSchema
ParameterSchema.load = classmethod(lambda cls, *names: cls.from_file(sys.argv[1]))

class Leaving(VlaLifecycleNode):
    def __init__(self):
        super().__init__('leaving', 'vla_common')
        self.create_timer(0.05, self.raw)
    def raw(self):
        if self.callback_errors < 2:
            raise ValueError('out of an unguarded callback')
        if self.callback_errors == 2:
            print('up', flush=True)
            self.callback_errors += 1
    def secure(self):
        print('secured', flush=True)
    def finish(self, elapsed):
        return elapsed > 0.3

code = run(Leaving)
print('left', flush=True)
sys.exit(code)
"""


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_unguarded_exception_is_survived_and_a_signal_secures_then_finishes(tmp_path, number):
    from vla_common.testing import own_domain

    own_domain()
    script = tmp_path / 'leaving.py'
    script.write_text(PROCESS)
    process = subprocess.Popen(
        [sys.executable, str(script), str(pathlib.Path(tmp_path) / 'parameters.yaml')],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    assert process.stdout.readline() == 'up\n'
    process.send_signal(number)
    assert process.stdout.readline() == 'secured\n'
    process.send_signal(number)  # Ctrl-C reaches it a second time, through launch
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert out.splitlines()[-1] == 'left'


def test_a_node_under_nohup_outlives_its_terminal():
    assert signal.SIGHUP in shutdown_signals()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert shutdown_signals() == [signal.SIGINT, signal.SIGTERM]
    finally:
        signal.signal(signal.SIGHUP, before)
