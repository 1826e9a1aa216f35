# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Stop requests between two processes of a machine."""

import os
import socket
import threading

import pytest

from vla_supervisor.local_stops import LocalStopClient, LocalStops

DOMAIN = 1000 + os.getpid()  # no ROS domain: nobody else's address


@pytest.fixture
def supervisor():
    made = LocalStops(DOMAIN)
    yield made
    made.close()


def attempt(client, within=10.0):
    """An attempt in the background; its answer after `join`."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(client.attempt(within)))
    thread.start()
    return thread, answers


def requests(supervisor):
    while not (found := list(supervisor.requests())):
        pass
    return found


def test_a_request_is_answered_to_its_sender(supervisor):
    clients = {step: LocalStopClient(DOMAIN, step) for step in ('estop', 'safe_stop')}
    waiting = {step: attempt(client) for step, client in clients.items()}
    served = 0
    while served < 2:
        for step, sender in supervisor.requests():
            supervisor.answer(sender, {'success': True, 'step': step})
            served += 1
    for step, (thread, answers) in waiting.items():
        thread.join()
        assert answers == [{'success': True, 'step': step}]


def test_a_request_waits_for_a_supervisor_that_is_busy(supervisor):
    client = LocalStopClient(DOMAIN, 'estop')
    for _ in range(100):  # far more than its queue takes
        assert client.attempt(0.0) is None
    assert {step for step, _ in supervisor.requests()} == {'estop'}


def test_a_supervisor_that_begins_later_or_again_is_found():
    client = LocalStopClient(DOMAIN, 'estop')
    assert client.attempt(10.0) is None  # at once
    for _ in range(2):
        supervisor = LocalStops(DOMAIN)
        thread, answers = attempt(client)
        [(step, sender)] = requests(supervisor)
        supervisor.answer(sender, {})
        thread.join()
        assert (step, answers) == ('estop', [{}])
        supervisor.close()
        assert client.attempt(10.0) is None
        assert not client.connected


def test_only_stops_are_taken_and_only_some_at_once(supervisor):
    for request in ('start', 'arm', 'reset', '', 'estop\n', 'x' * 1000):
        LocalStopClient(DOMAIN, request).attempt(0.0)
    assert list(supervisor.requests()) == []
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.connect(f'\0vla_supervisor stops of ROS domain {DOMAIN}')
    for _ in range(10):  # its queue holds 11 or more
        sender.send(b'estop')
    assert len(list(supervisor.requests())) == 8
    assert len(list(supervisor.requests())) == 2
    supervisor.answer(None, {})  # that sender has no address


def test_the_second_supervisor_of_a_domain_is_refused_the_address(supervisor):
    with pytest.raises(OSError, match='in use'):
        LocalStops(DOMAIN)
    LocalStops(DOMAIN + 1).close()
