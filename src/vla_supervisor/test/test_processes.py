# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the kernel says of the nodes' processes, and what follows long before a heartbeat is due."""

import os
import signal
import subprocess
import sys
from itertools import pairwise

import pytest
from test_watch import Stack

from vla_common.machine import machine
from vla_common.modes import Mode
from vla_common.testing import wait_until
from vla_supervisor.core import Step
from vla_supervisor.heartbeats import HEARTBEAT_TOPIC
from vla_supervisor.processes import SPEAKS_AGAIN, Ghosts, Processes, Sight, kernel


class Kernel:
    """A kernel that shows what the test put there."""

    def __init__(self) -> None:
        self.shown = {}

    def __call__(self, pid):
        return self.shown.get(pid)


@pytest.fixture
def stack():
    """The pure stack in RUNNING, with the camera known as process 7."""
    kernel = Kernel()
    kernel.shown[7] = Sight('S', 100)
    s = Stack(processes=Processes(kernel))
    s.kernel = kernel
    s.watch.processes.on_process('camera', 7)
    s.ask(Step.ARM)
    s.ask(Step.START)
    assert s.core.mode is Mode.RUNNING
    return s


def causes(stack):
    return {c.condition.name: c.condition.detail for c in stack.decision.causes if c.present}


def test_a_killed_node_is_lost_at_the_next_look_and_not_only_when_its_silence_is_due(stack):
    del stack.kernel.shown[7]
    assert stack.watch.processes.look(stack.now) == ['camera']
    stack.step()
    assert stack.core.mode is Mode.SAFE_STOP
    assert causes(stack) == {'node_lost:camera': 'process 7 is gone'}
    assert 'camera' not in stack.watch.active(stack.now)
    assert 'camera: process 7 is gone' in stack.watch.missing(stack.now)
    assert stack.watch.processes.look(stack.now) == []


@pytest.mark.parametrize('state', ['Z', 'X'])
def test_a_zombie_is_gone(stack, state):
    stack.kernel.shown[7] = Sight(state, 100)
    stack.watch.processes.look(stack.now)
    stack.step()
    assert 'node_lost:camera' in causes(stack)


def test_another_process_under_the_same_number_is_not_the_node(stack):
    stack.kernel.shown[7] = Sight('R', 101)
    stack.watch.processes.look(stack.now)
    stack.step()
    assert 'node_lost:camera' in causes(stack)


def test_a_stopped_process_is_stale_while_it_is_stopped(stack):
    stack.kernel.shown[7] = Sight('T', 100)
    stack.watch.processes.look(stack.now)
    stack.step()
    assert stack.core.mode is Mode.SAFE_STOP
    assert causes(stack) == {'node_stale:camera': 'process 7 is stopped (SIGSTOP)'}
    stack.kernel.shown[7] = Sight('S', 100)
    stack.watch.processes.look(stack.now)
    stack.step()
    assert causes(stack) == {}
    assert stack.core.mode is Mode.SAFE_STOP


@pytest.mark.parametrize('state', ['R', 'S', 'D', 't', 'I'])
def test_a_process_that_works_sleeps_waits_or_is_debugged_is_none_of_this(stack, state):
    stack.kernel.shown[7] = Sight(state, 100)
    stack.watch.processes.look(stack.now)
    stack.step()
    assert stack.core.mode is Mode.RUNNING


def test_the_last_words_of_a_dead_process_do_not_bring_it_back_but_a_new_one_does(stack):
    del stack.kernel.shown[7]
    stack.watch.processes.look(stack.now)
    stack.step()  # its messages under way
    assert 'node_lost:camera' in causes(stack)
    stack.run(SPEAKS_AGAIN + 0.1)
    assert causes(stack) == {}
    assert stack.watch.processes.gone('camera') == ''


def test_a_process_that_was_never_there_is_not_watched():
    processes = Processes(Kernel())
    processes.on_process('camera', 12)
    assert processes.look(0.0) == []
    assert processes.gone('camera') == ''


def test_the_kernels_own_word_for_a_running_a_stopped_and_a_killed_process():
    # The command line has brackets and blanks in its name, as any process may.
    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', ') R 1 (x'])
    try:
        first = kernel(child.pid)
        assert first is not None
        assert first.state in 'RSD'
        child.send_signal(signal.SIGSTOP)
        wait_until(lambda: kernel(child.pid).state == 'T', 10.0, 'a stopped process')
        assert kernel(child.pid).started == first.started
        child.kill()
        wait_until(lambda: kernel(child.pid).state in 'ZX', 10.0, 'a dead process')
    finally:
        child.kill()
        child.wait()
    assert kernel(child.pid) is None
    assert kernel(os.getpid()).state == 'R'


def test_processes_of_one_machine_agree_on_what_it_is_called():
    code = 'from vla_common.machine import machine; print(machine())'
    other = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == machine()


def test_the_publisher_of_a_dead_process_is_a_ghost_and_a_second_speaker_is_not():
    ghosts = Ghosts()
    assert ghosts.alive([b'old', b'new']) == 2
    ghosts.bury([b'old'])
    assert ghosts.alive([b'old', b'new']) == 1
    assert ghosts.alive([b'old', b'new', b'stranger']) == 2
    # Two of one name: which of them died is not known, so both count.
    ghosts.bury([b'new', b'stranger'])
    assert ghosts.alive([b'new', b'stranger']) == 2


def test_every_heartbeat_topic_may_have_one_publisher_only():
    from vla_supervisor.node import SINGLE_PUBLISHER

    assert set(HEARTBEAT_TOPIC.values()) <= set(SINGLE_PUBLISHER)
    assert all(a != b for a, b in pairwise(sorted(SINGLE_PUBLISHER)))
