# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import threading

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from std_msgs.msg import UInt64

from vla_common.executor_thread import ExecutorThread, destroy_later
from vla_common.testing import own_domain, wait_until


@pytest.fixture
def node():
    own_domain()
    context = rclpy.Context()
    context.init()
    node = Node('spun', context=context, start_parameter_services=False)
    yield node
    node.destroy_node()
    context.try_shutdown()


@pytest.mark.parametrize('kind', [SingleThreadedExecutor, EventsExecutor])
def test_entities_are_destroyed_in_the_thread_that_spins(node, kind):
    gone_in = []
    spinning = ExecutorThread(node, kind(context=node.context))
    for _ in range(100):
        subscription = node.create_subscription(UInt64, '/ticks', print, 1)

        def destroy(subscription=subscription):
            node.destroy_subscription(subscription)
            gone_in.append(threading.current_thread())

        destroy_later(node, destroy)
    wait_until(lambda: len(gone_in) == 100, 20.0, 'all of them gone')
    spinning.close()
    assert spinning.failure is None
    assert set(gone_in) == {spinning.thread}


def test_an_entity_of_a_node_that_is_not_spun_is_destroyed_at_once(node):
    subscription = node.create_subscription(UInt64, '/ticks', print, 1)
    destroy_later(node, lambda: node.destroy_subscription(subscription))
    assert not list(node.subscriptions)


def test_an_exception_in_a_callback_ends_the_thread_and_is_kept(node):
    spinning = ExecutorThread(node, SingleThreadedExecutor(context=node.context))
    destroy_later(node, lambda: 1 // 0)
    wait_until(lambda: spinning.failure is not None, 20.0, 'the failure')
    spinning.close()
    assert isinstance(spinning.failure, ZeroDivisionError)
    assert not spinning.thread.is_alive()
