# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import re
import time

import pytest

from vla_common import scheduling_delay
from vla_common.scheduling_delay import SchedulingDelay


@pytest.fixture
def account():
    account = SchedulingDelay()
    yield account
    account.close()


def times(account, duration):
    text = account.describe(duration)
    found = re.match(r'worked (\d+), waited (\d+) for a processor, slept (\d+) ms', text)
    return [int(number) for number in found.groups()]


def test_a_sleeping_thread_is_reported_as_sleeping(account):
    begin = time.monotonic()
    account.mark(begin)
    time.sleep(0.3)
    worked, _, slept = times(account, time.monotonic() - begin)
    assert worked < 50
    assert slept > 100


def test_a_working_thread_is_reported_as_working(account):
    begin = time.monotonic()
    account.mark(begin)
    done = time.thread_time() + 0.3
    while time.thread_time() < done:
        pass
    worked, _, _ = times(account, time.monotonic() - begin)
    assert worked >= 290


def test_the_time_that_the_host_took_is_reported(account, monkeypatch):
    stolen = account._steal()
    monkeypatch.setattr(account, '_steal', lambda: stolen + 0.12)
    assert 'the host took 120 ms of this virtual machine' in account.describe(0.15)


def test_a_kernel_without_the_account_is_no_error(monkeypatch):
    monkeypatch.setattr(scheduling_delay, '_open', lambda path: None)
    account = SchedulingDelay()
    account.mark(1.0)
    assert account.describe(0.2) == ''
