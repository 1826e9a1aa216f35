# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Environment variables that a node needs, checked before one is started.

rcl, the middleware and the logging library end a node with a traceback of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from vla_common.errors import ConfigError

HIGHEST_DOMAIN = 232
"""Ports of a higher domain would be above 65535."""


def check_environment(environment: Mapping[str, str]) -> None:
    """Raise ConfigError for a domain, a middleware or a log folder that cannot be used."""
    domain = environment.get('ROS_DOMAIN_ID') or '0'
    # rcl reads a leading zero as octal: 077 would be 63.
    if not re.fullmatch('0|[1-9][0-9]{0,2}', domain) or int(domain) > HIGHEST_DOMAIN:
        wanted = f'a whole number from 0 to {HIGHEST_DOMAIN}'
        raise ConfigError('environment', 'ROS_DOMAIN_ID', domain, wanted)
    middleware = environment.get('RMW_IMPLEMENTATION')
    installed = installed_middleware()
    if middleware and middleware not in installed:
        wanted = f'{" or ".join(installed)}, which is installed; or unset it'
        raise ConfigError('environment', 'RMW_IMPLEMENTATION', middleware, wanted)
    if not any(environment.get(name) for name in ('ROS_LOG_DIR', 'ROS_HOME', 'HOME')):
        wanted = 'a folder for the logs: export HOME or ROS_LOG_DIR'
        raise ConfigError('environment', 'HOME', 'nothing', wanted)


def installed_middleware() -> list[str]:
    """Names of the RMW implementations of this installation."""
    from ament_index_python import get_resources

    return sorted(set(get_resources('rmw_typesupport')) - {'rmw_implementation'})
