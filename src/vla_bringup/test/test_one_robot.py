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


SCRIPT = """
import sys
from vla_bringup.one_robot import take_domain
take_domain(sys.argv[1])
print('held', flush=True)
sys.stdin.read()
"""


def test_a_second_robot_in_a_domain_is_refused_until_the_firsts_process_is_gone(domain):
    first = subprocess.Popen(
        [sys.executable, '-c', SCRIPT, domain],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout.readline() == 'held\n'
    who = f'ROS_DOMAIN_ID: found {domain}, .* pid {first.pid} '
    with pytest.raises(ConfigError, match=who):
        take_domain(domain)
    take_domain(domain + ', another')
    first.kill()  # which leaves nothing behind
    first.communicate()
    take_domain(domain)


def test_one_process_may_launch_again_in_its_domain(domain):
    take_domain(domain)
    take_domain(domain)


def test_without_ros_domain_id_the_domain_is_0(monkeypatch):
    monkeypatch.delenv('ROS_DOMAIN_ID', raising=False)
    assert domain_of_this_process() == '0'
    monkeypatch.setenv('ROS_DOMAIN_ID', '7')
    assert domain_of_this_process() == '7'
