# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Which processes an event is meant for. None matches before the process was started."""

from collections.abc import Callable


def _matches(predicate: Callable[[dict], bool]) -> Callable[[object], bool]:
    return lambda action: action.process_details is not None and predicate(action.process_details)


def matches_pid(pid: int) -> Callable[[object], bool]:
    return _matches(lambda details: details.get('pid') == pid)


def matches_name(name: str) -> Callable[[object], bool]:
    """The unique name, such as `talker-1`."""
    return _matches(lambda details: details['name'] == name)


def matches_executable(executable: str) -> Callable[[object], bool]:
    """The end of the first word of the command."""
    return _matches(lambda details: details['cmd'][0].endswith(executable))
