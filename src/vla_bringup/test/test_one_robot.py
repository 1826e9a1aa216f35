# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A ROS domain has one launched robot."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from vla_bringup.one_robot import domain_of_this_process, take_domain
from vla_common.errors import ConfigError


@pytest.fixture
def domain() -> str:
    return f'test {os.getpid()}'


def test_a_second_robot_in_a_domain_is_refused_and_told_who_has_the_first(domain):
    with take_domain(domain):
        who = f'ROS_DOMAIN_ID: found {domain}, .* pid {os.getpid()} '
        with pytest.raises(ConfigError, match=who):
            take_domain(domain)
        take_domain(domain + ', another').close()
    take_domain(domain).close()


def test_a_launch_that_was_killed_leaves_its_domain_free(domain):
    script = f"""
import sys
from vla_bringup.one_robot import take_domain
held = take_domain({domain!r})
print('held', flush=True)
sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, '-c', script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == 'held\n'
    with pytest.raises(ConfigError, match=f'pid {process.pid} '):
        take_domain(domain)
    process.kill()
    process.communicate()
    take_domain(domain).close()


def test_without_ros_domain_id_the_domain_is_0(monkeypatch):
    monkeypatch.delenv('ROS_DOMAIN_ID', raising=False)
    assert domain_of_this_process() == '0'
    monkeypatch.setenv('ROS_DOMAIN_ID', '7')
    assert domain_of_this_process() == '7'
