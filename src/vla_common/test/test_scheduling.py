# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import errno
import os
import subprocess
import sys

from vla_common.scheduling import Priority, request_realtime


def test_the_process_that_can_stop_the_robot_has_the_highest_priority():
    assert max(Priority) == Priority.SUPERVISOR
    assert max(Priority) < 50, 'above the kernel threads that serve interrupts'


def test_without_permission_the_process_continues_and_reports_what_to_do(monkeypatch):
    def refuse(*arguments):
        raise PermissionError(errno.EPERM, 'Operation not permitted')

    monkeypatch.setattr(os, 'sched_setscheduler', refuse)
    monkeypatch.setattr(os, 'setpriority', refuse)
    monkeypatch.delenv('VLA_REALTIME', raising=False)
    result = request_realtime(Priority.DRIVER)
    assert 'Operation not permitted' in result
    assert 'limits.d' in result


def run(script):
    """Run a script with an assertion in a process and a session of its own."""
    prelude = (
        'import os, pathlib, re, threading\n'
        'from vla_common.scheduling import NormalPriority, Priority, Scheduled, request_realtime\n'
        'seen = []\n'
        'def look(): seen.append(os.sched_getparam(0).sched_priority)\n'
        'def look_from_thread(): t = threading.Thread(target=look); t.start(); t.join()\n'
    )
    environment = {name: value for name, value in os.environ.items() if name != 'VLA_REALTIME'}
    subprocess.run(
        [sys.executable, '-c', prelude + script],
        check=True,
        env=environment,
        start_new_session=True,
    )


def test_threads_created_after_it_inherit_the_priority():
    run(
        'result = request_realtime(Priority.DRIVER)\n'
        'look_from_thread()\n'
        'assert seen == [30 if "SCHED_FIFO" in result and "no real" not in result else 0], seen'
    )


def test_with_the_priority_its_memory_is_locked_or_it_reports_that_it_is_not():
    run(
        'result = request_realtime(Priority.DRIVER)\n'
        'locked = re.search(r"VmLck:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())\n'
        'wanted = "SCHED_FIFO" in result and "not locked" not in result\n'
        'assert (int(locked[1]) > 0) == wanted, (result, locked[0])'
    )


def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setenv('VLA_REALTIME', '0')
    monkeypatch.setattr(os, 'sched_setscheduler', lambda *arguments: 1 / 0)
    monkeypatch.setattr(os, 'setpriority', lambda *arguments: 1 / 0)
    assert request_realtime(Priority.DRIVER) == 'default scheduling'


def test_work_at_default_priority_comes_before_other_programs_where_permitted():
    """The camera's node, and the model's threads in a real-time process."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    for priority in ('NORMAL', 'INFERENCE'):
        run(
            f'nice = lambda: seen.append(os.getpriority(os.PRIO_PROCESS, 0))\n'
            f'request_realtime(Priority.{priority})\n'
            'with NormalPriority():\n'
            '    t = threading.Thread(target=nice); t.start(); t.join()\n'
            'try:\n'
            '    os.setpriority(os.PRIO_PROCESS, 0, -10); wanted = -10\n'
            f'except PermissionError: wanted = {before}\n'
            'assert seen == [wanted], seen\n'
            'group = pathlib.Path("/proc/self/autogroup")\n'
            'text = group.read_text() if group.exists() else ""\n'
            'assert not text or wanted != -10 or text.split()[-1] == "-10", text'
        )


def test_long_work_and_the_threads_it_creates_run_at_default_priority():
    run(
        'result = request_realtime(Priority.INFERENCE)\n'
        'with NormalPriority():\n'
        '    look()\n'
        '    look_from_thread()\n'
        'look()\n'
        'with Scheduled(Priority.MONITOR): look()\n'
        'look()\n'
        'granted = 10 if "SCHED_FIFO" in result and "no real" not in result else 0\n'
        'assert seen == [0, 0, granted, 2 * granted, granted], (result, seen)'
    )
