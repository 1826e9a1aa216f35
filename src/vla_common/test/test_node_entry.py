# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Ctrl-C while a node imports."""

import signal
import subprocess
import sys

import pytest

SLOW = """\
import sys, time
print('importing', flush=True)
for line in sys.stdin:
    break
def main():
    print('running', flush=True)
"""


@pytest.fixture
def node(tmp_path):
    """Start a node whose import lasts until it gets a line."""
    (tmp_path / 'slow.py').write_text(SLOW)
    processes = []

    def start(before=''):
        code = f'{before}\nfrom vla_common.node_entry import start\nstart("slow")'
        process = subprocess.Popen(
            [sys.executable, '-c', f'import sys\nsys.path.insert(0, {str(tmp_path)!r})\n{code}'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout.readline() == 'importing\n'
        return process

    yield start
    for process in processes:
        process.kill()


def test_ctrl_c_ends_it_without_a_traceback(node):
    process = node()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (-signal.SIGINT, '', '')


def test_where_sigint_is_ignored_from_birth_it_stays_ignored(node):
    process = node('import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)')
    process.send_signal(signal.SIGINT)
    out, err = process.communicate('go\n', timeout=60)
    assert (process.returncode, out, err) == (0, 'running\n', '')


@pytest.mark.parametrize('option', ['--help', '-h'])
def test_help_describes_the_node_and_its_parameters_and_starts_nothing(option):
    """The supervisor started once, and waited."""
    code = (
        'import sys\nfrom vla_common import node_entry\n'
        f"sys.argv = ['/x/supervisor', {option!r}, '--ros-args', '-p', 'rate:=1.0']\n"
        "node_entry.start('vla_supervisor.node')\n"
        "print(any(name.startswith('rclpy') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, '')
    lines = done.stdout.splitlines()
    assert lines[0].startswith('usage: ros2 run vla_supervisor supervisor --ros-args')
    assert lines[2].startswith('The node supervisor: ')
    assert any(line.startswith('  auto_arm: true or false; ') for line in lines)
    assert lines[-1] == 'False', 'rclpy was imported'
