# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The robot's motion_switcher: which motion service of the maker runs, and its release.

Requests and answers are messages on two topics, matched by a number, with JSON in them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

CHECK_MODE, SELECT_MODE, RELEASE_MODE = 1001, 1002, 1003
REQUEST, RESPONSE = '/api/motion_switcher/request', '/api/motion_switcher/response'
ANSWER = 1.0  # s
POLL = 0.01  # s


class ServiceError(RuntimeError):
    """The motion service did not answer, or refused."""


def active_mode(data: str) -> str:
    """Name of the active motion service in the answer to CHECK_MODE; '' if it is released.

    Raises ServiceError: the text is no such answer.
    """
    try:
        name = json.loads(data)['name']
    except (ValueError, KeyError, TypeError):
        name = None
    if not isinstance(name, str):
        raise ServiceError(f'motion_switcher answers {data[:80]!r}')
    return name


def numbers() -> Iterator[int]:
    """Request numbers: increasing, also from one process to the next."""
    number = time.time_ns() // 1000
    while True:
        yield number
        number += 1


class MotionSwitcher:
    """Client of the service.

    ask: sends (number, api_id, parameter). answers: (number, code, data) received since the last
    call. clock, sleep: s.
    """

    def __init__(
        self,
        ask: Callable[[int, int, str], None],
        answers: Callable[[], list[tuple[int, int, str]]],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ask, self._answers = ask, answers
        self._clock, self._sleep = clock, sleep
        self._numbers = numbers()

    def call(self, api_id: int, parameter: dict[str, Any] | None = None) -> str:
        """Data of the answer. Raises ServiceError."""
        number = next(self._numbers)
        self._ask(number, api_id, json.dumps(parameter) if parameter else '')
        end = self._clock() + ANSWER
        while self._clock() < end:
            for answered, code, data in self._answers():
                if answered != number:
                    continue  # to somebody else, or to a request from before
                if code != 0:
                    raise ServiceError(f'motion_switcher refuses {api_id} with code {code}')
                return data
            self._sleep(POLL)
        raise ServiceError('motion_switcher does not answer')

    def mode(self) -> str:
        return active_mode(self.call(CHECK_MODE))

    def release(self, attempts: int = 5) -> None:
        """Release until nothing is active: a service may release another one first.

        Raises ServiceError: it is still active.
        """
        for _ in range(attempts):
            if not self.mode():
                return
            self.call(RELEASE_MODE)
        if name := self.mode():
            raise ServiceError(f'the motion service {name} is still active')

    def select(self, name: str) -> None:
        self.call(SELECT_MODE, {'name': name})
