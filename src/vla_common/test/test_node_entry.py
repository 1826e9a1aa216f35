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
