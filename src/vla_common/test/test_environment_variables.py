# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
import pytest

from vla_common.environment import check_environment, installed_middleware
from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented

GOOD = {'HOME': '/home/me'}


@pytest.mark.parametrize(
    'changes',
    [
        {},
        {'ROS_DOMAIN_ID': ''},
        {'ROS_DOMAIN_ID': '0'},
        {'ROS_DOMAIN_ID': '232', 'HOME': '', 'ROS_LOG_DIR': '/tmp'},
        {'RMW_IMPLEMENTATION': ''},
        {'RMW_IMPLEMENTATION': 'rmw_fastrtps_cpp'},
    ],
)
def test_what_ros_takes_is_accepted(changes):
    check_environment(GOOD | changes)


@pytest.mark.parametrize(
    ('case', 'name', 'value', 'message'),
    [
        *(('a ROS_DOMAIN_ID that is none', 'ROS_DOMAIN_ID', value,
           f'found {value}, wanted a whole number from 0 to 232')
          for value in ('abc', '-1', '233', '1.5', '077', '٣')),
        ('a middleware that is not installed', 'RMW_IMPLEMENTATION', 'rmw_no_such_cpp',
         f'found rmw_no_such_cpp, wanted {" or ".join(installed_middleware())}, which is '
         'installed; or unset it'),
        ('no HOME', 'HOME', '',
         'found nothing, wanted a folder for the logs: export HOME or ROS_LOG_DIR'),
    ],
)  # fmt: skip
def test_each_variable_that_cannot_be_used_is_one_error(case, name, value, message):
    with pytest.raises(ConfigError) as error:
        check_environment(GOOD | {name: value})
    assert str(error.value) == f'environment: {name}: {message}'
    if value in ('abc', 'rmw_no_such_cpp', ''):
        documented('The shell', case, error.value, ' or '.join(installed_middleware()))
