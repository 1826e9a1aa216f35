# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the workspace expects of `diagnostic_updater`, whoever provides it."""

import os
import time
from collections.abc import Callable, Iterator

import pytest

domain_coordinator = pytest.importorskip('domain_coordinator')
rclpy = pytest.importorskip('rclpy')
pytest.importorskip('diagnostic_updater')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from diagnostic_updater import DiagnosticStatusWrapper, Updater  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.lifecycle import LifecycleNode  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def task(level: bytes, message: str, **values: str) -> Callable:
    """Return a task's function that reports this."""

    def run(stat: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        stat.summary(level, message)
        for key, value in values.items():
            stat.add(key, value)
        return stat

    return run


def values_of(status: DiagnosticStatus) -> dict[str, str]:
    return {pair.key: pair.value for pair in status.values}


# ------------------------------------------------------------------ the status


def test_a_summary_is_set() -> None:
    status = DiagnosticStatusWrapper()
    assert isinstance(status, DiagnosticStatus)
    status.summary(WARN, 'warm')
    assert (status.level, status.message) == (WARN, 'warm')


def test_values_are_kept_in_order() -> None:
    status = DiagnosticStatusWrapper()
    status.add('b', '1')
    status.add('a', '2')
    assert [(pair.key, pair.value) for pair in status.values] == [('b', '1'), ('a', '2')]


# ------------------------------------------------------------------ the updater


class Listener:
    """Hears /diagnostics, and turns the executor that everything runs on."""

    def __init__(self) -> None:
        self.node = rclpy.create_node('listener')
        self.arrays: list[DiagnosticArray] = []
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self.arrays.append, 100)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)

    def connect(self, node: Node) -> None:
        self.executor.add_node(node)
        self.until(lambda: node.count_subscribers('/diagnostics') > 0)
        self.until(lambda: self.node.count_publishers('/diagnostics') > 0)

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20.0
        while not condition():
            assert time.monotonic() < deadline, f'in vain; heard {self.statuses()}'
            self.executor.spin_once(timeout_sec=0.05)

    def statuses(self) -> list[DiagnosticStatus]:
        return [status for array in self.arrays for status in array.status]

    def wait_for(self, name: str, message: str) -> DiagnosticStatus:
        def found() -> list[DiagnosticStatus]:
            return [s for s in self.statuses() if (s.name, s.message) == (name, message)]

        self.until(lambda: bool(found()))
        return found()[-1]


@pytest.fixture(scope='module', autouse=True)
def ros() -> Iterator[None]:
    with domain_coordinator.domain_id() as domain:
        kept = {
            key: os.environ.get(key) for key in ('ROS_DOMAIN_ID', 'ROS_AUTOMATIC_DISCOVERY_RANGE')
        }
        os.environ['ROS_DOMAIN_ID'] = str(domain)
        os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
        rclpy.init()
        yield
        rclpy.shutdown()
        for key, value in kept.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.executor.shutdown()
    listener.node.destroy_node()


@pytest.fixture
def node() -> Iterator[Node]:
    node = rclpy.create_node('probe', namespace='/lab')
    yield node
    node.destroy_node()


def test_tasks_are_published_with_node_name_and_hardware_id(listener: Listener, node: Node) -> None:
    updater = Updater(node, period=60.0)
    updater.setHardwareID('arm 7')
    listener.connect(node)
    updater.add('motor', task(WARN, 'warm', temperature='71'))
    status = listener.wait_for('probe: motor', 'Node starting up')
    assert status.level == OK
    updater.force_update()
    status = listener.wait_for('probe: motor', 'warm')
    assert (status.level, status.hardware_id) == (WARN, 'arm 7')
    assert values_of(status) == {'temperature': '71'}
    assert listener.arrays[-1].header.stamp.sec > 0


def test_a_task_that_sets_nothing_is_an_error(listener: Listener, node: Node) -> None:
    updater = Updater(node, period=60.0)
    updater.setHardwareID('none')
    listener.connect(node)
    updater.add('silent', lambda status: status)
    updater.force_update()
    assert listener.wait_for('probe: silent', 'No message was set').level == ERROR


def test_the_period_is_a_parameter_and_drives_a_timer(listener: Listener) -> None:
    node = rclpy.create_node(
        'fast', parameter_overrides=[Parameter('diagnostic_updater.period', value=0.05)]
    )
    updater = Updater(node, period=60.0)
    assert updater.period == 0.05
    assert node.get_parameter('diagnostic_updater.period').value == 0.05
    updater.setHardwareID('none')
    updater.add('motor', task(OK, 'turning'))
    listener.connect(node)
    listener.until(lambda: sum(s.message == 'turning' for s in listener.statuses()) >= 3)
    node.destroy_node()


def test_the_default_period_is_a_second(node: Node) -> None:
    assert Updater(node).period == 1.0
    assert node.get_parameter('diagnostic_updater.period').value == 1.0


def test_the_fully_qualified_name_is_used_if_asked(listener: Listener) -> None:
    node = rclpy.create_node(
        'probe',
        namespace='/lab',
        parameter_overrides=[Parameter('diagnostic_updater.use_fqn', value=True)],
    )
    updater = Updater(node, period=60.0)
    updater.setHardwareID('none')
    updater.add('motor', task(OK, 'turning'))
    listener.connect(node)
    updater.force_update()
    listener.wait_for('/lab/probe: motor', 'turning')
    node.destroy_node()


def test_an_exception_in_a_task_leaves_the_updater_and_releases_its_lock(node: Node) -> None:
    updater = Updater(node, period=60.0)

    def broken(stat: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        raise ZeroDivisionError('broken task')

    updater.add('broken', broken)
    with pytest.raises(ZeroDivisionError, match='broken task'):
        updater.update()
    updater.add('next', broken)  # takes the lock


def test_it_works_on_a_lifecycle_node(listener: Listener) -> None:
    node = LifecycleNode('cycle')
    updater = Updater(node, period=60.0)
    updater.setHardwareID('none')
    updater.add('motor', task(OK, 'turning'))
    listener.connect(node)
    updater.force_update()
    listener.wait_for('cycle: motor', 'turning')
    node.destroy_node()
