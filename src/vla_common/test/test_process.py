# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Whether a process was started before by the same parent."""

import os
import subprocess
import sys
import tempfile

import pytest

from vla_common import process
from vla_common.process import first_start, launch_id

ASK = 'from vla_common.process import first_start; print(first_start("node") or "first")'
PARENT = f"""\
import subprocess, sys
for _ in range(3):
    subprocess.run([sys.executable, '-c', {ASK!r}])
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv('TMPDIR', str(tmp_path))
    monkeypatch.setattr(tempfile, 'tempdir', None)
    return tmp_path


def answers_of_one_parent():
    ran = subprocess.run([sys.executable, '-c', PARENT], capture_output=True, text=True, timeout=60)
    return ran.stdout.splitlines()


def test_only_the_first_process_of_a_parent_is_the_first_start_and_a_new_parent_begins_anew():
    for _ in range(2):
        first, *again = answers_of_one_parent()
        assert first == 'first'
        assert len(again) == 2
        assert all('has started it before' in why for why in again)


def test_another_node_of_the_same_parent_has_a_first_start_of_its_own():
    assert first_start('supervisor') == ''
    assert first_start('camera') == ''
    assert first_start('supervisor') == f'process {os.getppid()} has started it before'


def test_each_launch_has_a_first_start_though_all_have_the_same_parent():
    for launch in (launch_id(), launch_id() + 'b'):
        assert first_start('supervisor', launch) == ''
        assert first_start('supervisor', launch) == 'its launch has started it before'


def test_a_launch_that_began_long_ago_has_no_first_start():
    """It may have been this boot's or another's: whoever kept the variable started it again."""
    began = float(launch_id().partition(':')[0]) - 3600.0
    assert 'its launch started it after' in first_start('supervisor', f'{began}:1')
    assert 'is not known' in first_start('supervisor', 'nonsense')
    assert 'started it after nan' in first_start('supervisor', 'nan:1')


def test_a_start_long_after_the_parents_is_none_whatever_was_noted(monkeypatch):
    """A cleaner of /tmp may have removed the note."""
    monkeypatch.setattr(process, 'FIRST_START_WITHIN', -1.0)
    assert 'started it after' in first_start('supervisor')


def test_where_nothing_can_be_noted_it_is_no_first_start(monkeypatch):
    monkeypatch.setattr(tempfile, 'tempdir', '/proc/nowhere')
    assert 'is not known' in first_start('supervisor')
    assert 'is not known' in first_start('supervisor', parent=2**22 + 1)
