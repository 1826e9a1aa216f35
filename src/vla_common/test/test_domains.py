# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A ROS domain has one launched robot."""

import os
import subprocess
import sys

import pytest

from vla_common.domains import (
    domain_of_this_process,
    has_robot,
    release_domains,
    reserve_domain,
    take_domain,
)
from vla_common.errors import ConfigError


@pytest.fixture
def domain():
    yield f'test {os.getpid()}'
    release_domains()


SCRIPT = """
import sys
from vla_common.domains import take_domain
take_domain(sys.argv[1])
print('held', flush=True)
sys.stdin.read()
"""


def test_a_second_robot_in_a_domain_is_rejected_until_the_first_process_ended(domain):
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


def test_one_process_may_launch_again_in_its_domain_and_can_release_it(domain):
    take_domain(domain)
    take_domain(domain)
    assert has_robot(domain)
    release_domains()
    assert not has_robot(domain)


def test_a_reserved_domain_has_no_robot():
    first, lock = reserve_domain()
    assert not has_robot(first)
    take_domain(first)
    assert has_robot(first)
    lock.__exit__(None, None, None)  # free by its port, but a robot is up there
    second, lock = reserve_domain('17')
    assert second not in (first, '17')
    lock.__exit__(None, None, None)
    release_domains()


def test_without_ros_domain_id_the_domain_is_0(monkeypatch):
    monkeypatch.delenv('ROS_DOMAIN_ID', raising=False)
    assert domain_of_this_process() == '0'
    monkeypatch.setenv('ROS_DOMAIN_ID', '7')
    assert domain_of_this_process() == '7'
