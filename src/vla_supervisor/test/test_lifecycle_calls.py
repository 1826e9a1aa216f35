# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which nodes are present, and by which client, where discovery contradicts itself."""

from types import SimpleNamespace

import pytest
from rclpy.task import Future
from scenes import TIMING

from vla_supervisor.lifecycle_calls import LifecycleCalls
from vla_supervisor.lifecycle_manager import LifecycleManager


def none_alive(name):
    return False


class Graph:
    """A node whose clients are never answered, and what discovery reports to it."""

    def __init__(self):
        self.clients = []
        self.destroyed = []
        self.ready = False
        self.listed = 0

    def create_client(self, kind, name):
        client = SimpleNamespace(
            srv_name=name,
            service_is_ready=lambda: self.ready,
            call_async=lambda request: Future(),
            remove_pending_request=lambda future: None,
        )
        self.clients.append(client)
        return client

    def destroy_client(self, client):
        self.destroyed.append(client)

    def count_services(self, name):
        return self.listed


@pytest.fixture
def graph():
    return Graph()


@pytest.fixture
def calls(graph):
    graph.plan = LifecycleManager(('camera',), TIMING, 0.0)
    graph.now = 0.0
    return LifecycleCalls(graph, ('camera',), graph.plan, lambda: graph.now)


def test_a_ready_service_is_there_at_once(graph, calls):
    assert calls.present(none_alive) == []
    graph.ready = True
    assert calls.present(none_alive) == ['camera']


def test_a_service_that_is_listed_but_for_ever_unready_is_there_at_the_second_look(graph, calls):
    # Two writers of answers, one of them a dead process's: rmw_fastrtps does not call this ready.
    graph.listed = 2
    assert calls.present(none_alive) == []
    assert calls.present(none_alive) == ['camera']
    graph.listed = 0
    assert calls.present(none_alive) == []


def test_a_node_that_is_received_is_there_whatever_discovery_reports(calls):
    assert calls.present(lambda name: name == 'camera') == ['camera']


def test_after_two_calls_without_an_answer_other_clients_query(graph, calls):
    first = list(graph.clients)
    graph.plan.on_graph(0.0, ['camera'])
    for _ in range(100):
        graph.now += 0.1
        calls.step()
        if graph.destroyed:
            break
    # Two queries of 1 s each and the second between them.
    assert 2.5 < graph.now < 4.5
    assert graph.destroyed == first
    assert [client.srv_name for client in graph.clients[2:]] == [
        '/camera/get_state',
        '/camera/change_state',
    ]
