# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What the kernel reports of the nodes' processes, long before a heartbeat is due."""

import os
import signal
import subprocess
import sys
from itertools import pairwise

import pytest
from test_health_monitor import Stack

from vla_common.process import host_id
from vla_common.states import Mode
from vla_common.testing import wait_until
from vla_common.topics import HEARTBEAT_TOPIC
from vla_supervisor.core import OperatorStep
from vla_supervisor.processes import (
    RESTART_TIME,
    Processes,
    ProcessProbe,
    ProcessState,
    StalePublishers,
    process_state,
)


class Kernel:
    """A kernel that shows what the test put there."""

    def __init__(self) -> None:
        self.shown = {}

    def __call__(self, pid):
        if pid not in self.shown:
            raise ProcessLookupError(pid)
        return lambda: self.shown[pid]


@pytest.fixture
def stack():
    """The pure stack in RUNNING, with the camera known as process 7."""
    kernel = Kernel()
    kernel.shown[7] = ProcessState.RUNS
    s = Stack(processes=Processes(kernel))
    s.kernel = kernel
    s.watch.processes.on_process('camera', 7)
    s.ask(OperatorStep.ARM)
    s.ask(OperatorStep.START)
    assert s.core.mode is Mode.RUNNING
    return s


def causes(stack):
    return {c.condition.name: c.condition.detail for c in stack.decision.causes if c.present}


def test_a_killed_node_is_lost_at_the_next_look_and_not_only_when_its_silence_is_due(stack):
    stack.kernel.shown[7] = ProcessState.GONE
    assert stack.watch.processes.check(stack.now) == ['camera']
    stack.step()
    assert stack.core.mode is Mode.SAFE_STOP
    assert causes(stack) == {'node_lost:camera': 'process 7 is gone'}
    assert 'camera' not in stack.watch.active(stack.now)
    assert 'camera: process 7 is gone' in stack.watch.missing(stack.now)
    assert stack.watch.processes.check(stack.now) == []


def test_a_stopped_process_is_stale_while_it_is_stopped(stack):
    stack.kernel.shown[7] = ProcessState.STOPPED
    stack.watch.processes.check(stack.now)
    stack.step()
    assert stack.core.mode is Mode.SAFE_STOP
    assert causes(stack) == {'node_stale:camera': 'process 7 is stopped (SIGSTOP)'}
    stack.kernel.shown[7] = ProcessState.RUNS
    stack.watch.processes.check(stack.now)
    stack.step()
    assert causes(stack) == {}
    assert stack.core.mode is Mode.SAFE_STOP


def test_the_last_messages_of_a_dead_process_do_not_bring_it_back_but_a_new_one_does(stack):
    stack.kernel.shown[7] = ProcessState.GONE
    stack.watch.processes.check(stack.now)
    stack.step()  # its messages under way
    assert 'node_lost:camera' in causes(stack)
    stack.run(RESTART_TIME + 0.1)
    assert causes(stack) == {}
    assert stack.watch.processes.gone('camera') == ''


def test_a_process_that_was_never_there_is_not_watched():
    processes = Processes(Kernel())
    processes.on_process('camera', 12)
    assert processes.check(0.0) == []
    assert processes.gone('camera') == ''


def python():
    """A process that sleeps; its command line holds words that /proc uses, as any may."""
    code = 'import time; time.sleep(60)'
    return subprocess.Popen([sys.executable, '-c', code, ') T 1 (x\nState:\tZ'])


def test_a_process_runs_is_stopped_runs_again_and_is_killed_as_the_kernel_reports():
    child = python()
    try:
        probe = ProcessProbe(child.pid)
        assert probe() is ProcessState.RUNS
        for _ in range(3):
            child.send_signal(signal.SIGSTOP)
            wait_until(lambda: probe() is ProcessState.STOPPED, 10.0, 'a stopped process')
            child.send_signal(signal.SIGCONT)
            wait_until(lambda: probe() is ProcessState.RUNS, 10.0, 'a process that runs again')
        child.kill()
        wait_until(lambda: probe() is ProcessState.GONE, 10.0, 'a process that is gone')
    finally:
        child.kill()
        child.wait()
    assert probe() is ProcessState.GONE
    with pytest.raises(FileNotFoundError):
        ProcessProbe(child.pid)
    assert ProcessProbe(os.getpid())() is ProcessState.RUNS


STATUS = """Name:\tcamera
Umask:\t0022
State:\t{state}
Pid:\t7
VmPeak:\t   99 kB
VmSize:\t   99 kB
Threads:\t9
SigQ:\t0/95891
SigPnd:\t{own:016x}
ShdPnd:\t{shared:016x}
SigBlk:\t0000000000040100
"""


def status(state='S (sleeping)', own=(), shared=()):
    masks = {'own': own, 'shared': shared}
    bits = {name: sum(1 << (number - 1) for number in of) for name, of in masks.items()}
    return STATUS.format(state=state, **bits).encode()


@pytest.mark.parametrize('state', ['R (running)', 'S (sleeping)', 'D (disk sleep)', 't (traced)'])
def test_a_process_that_works_sleeps_waits_or_is_debugged_runs(state):
    assert process_state(status(state)) is ProcessState.RUNS
    assert (
        process_state(status(state, own=[signal.SIGUSR1], shared=[signal.SIGINT]))
        is ProcessState.RUNS
    )


@pytest.mark.parametrize('state', ['Z (zombie)', 'X (dead)'])
def test_a_zombie_is_gone(state):
    assert process_state(status(state)) is ProcessState.GONE


def test_a_process_without_memory_is_on_its_way_out():
    assert process_state(status('R (running)').replace(b'VmSize', b'Kernel')) is ProcessState.GONE


def test_a_process_that_gets_no_processor_is_lost_from_when_the_signal_was_sent():
    assert process_state(status('R (running)', shared=[signal.SIGSTOP])) is ProcessState.STOPPED
    assert process_state(status('R (running)', own=[signal.SIGKILL])) is ProcessState.GONE
    assert (
        process_state(status('T (stopped)', shared=[signal.SIGKILL, signal.SIGSTOP]))
        is ProcessState.GONE
    )


def test_processes_of_one_machine_agree_on_what_it_is_called():
    code = 'from vla_common.process import host_id; print(host_id())'
    other = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == host_id()


def test_the_publisher_of_a_dead_process_is_stale_and_a_second_live_one_is_not():
    publishers = StalePublishers()
    assert publishers.alive([b'old', b'new']) == 2
    publishers.mark_dead([b'old'])
    assert publishers.alive([b'old', b'new']) == 1
    assert publishers.alive([b'old', b'new', b'stranger']) == 2
    # Two of one name: which of them died is not known, so both count.
    publishers.mark_dead([b'new', b'stranger'])
    assert publishers.alive([b'new', b'stranger']) == 2


def test_every_heartbeat_topic_may_have_one_publisher_only():
    from vla_common.topics import SINGLE_PUBLISHER

    assert set(HEARTBEAT_TOPIC.values()) <= set(SINGLE_PUBLISHER)
    assert all(a != b for a, b in pairwise(sorted(SINGLE_PUBLISHER)))
