# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Whose turn the next attempt is, with attempts that the test holds open."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from vla_common.states import InferenceState
from vla_common.testing import PATIENCE, wait_until
from vla_inference.scheduler import Scheduler


class Attempts:
    """Makes attempts and counts how many were under way at once; `open` lets them end."""

    def __init__(self) -> None:
        self.made = 0
        self.at_once = 0
        self.most_at_once = 0
        self.asked: list[bool] = []
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None
        self.reason = ''

    def __call__(self, may_ask: bool) -> SimpleNamespace:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.made += 1
        self.asked.append(may_ask)
        self.open.wait(PATIENCE)
        self.at_once -= 1
        if self.error is not None:
            raise self.error
        return SimpleNamespace(
            state=InferenceState.IDLE, reason=self.reason, chunk=None, asked=False
        )


@pytest.fixture
def attempts():
    return Attempts()


@pytest.fixture
def turns(attempts):
    """Ten a second; `told` and `failures` collect what comes of them."""
    told: list[SimpleNamespace] = []
    failures: list[int] = []
    turns = Scheduler(attempts, told.append, lambda: failures.append(1), 10.0)
    turns.told, turns.failures = told, failures
    yield turns
    attempts.open.set()
    turns.stop()


def test_the_heartbeat_goes_on_without_anybody_having_news(turns):
    turns.start()
    wait_until(lambda: len(turns.told) >= 3, what='three heartbeats')


def test_who_finds_an_attempt_under_way_does_not_wait_and_the_worker_makes_the_next(
    turns, attempts
):
    attempts.open.clear()
    turns.start()
    wait_until(lambda: attempts.made == 1, what='the first attempt')
    turns.take(wait=False)  # returns: the test would hang here
    assert attempts.made == 1
    attempts.open.set()
    wait_until(lambda: attempts.made >= 2, what='the attempt that was left to the worker')
    assert attempts.most_at_once == 1


def test_news_is_told_before_the_next_heartbeat_and_the_same_again_is_not(turns, attempts):
    slow = Scheduler(attempts, turns.told.append, turns.failures.append, 0.001)
    slow.start()
    try:
        wait_until(lambda: len(turns.told) == 1, what='the first heartbeat')
        slow.take(wait=True)
        assert len(turns.told) == 1
        attempts.reason = 'something else'
        slow.take(wait=True)
        assert [attempt.reason for attempt in turns.told] == ['', 'something else']
    finally:
        slow.stop()


def test_an_attempt_that_raises_is_no_heartbeat_and_the_next_one_is_made(turns, attempts):
    attempts.error = ValueError('no such thing')
    turns.start()
    wait_until(lambda: len(turns.failures) >= 2, what='two failures')
    assert not turns.told
    attempts.error = None
    wait_until(lambda: turns.told, what='a heartbeat')


def test_nothing_is_told_once_it_was_stopped(turns, attempts):
    turns.start()
    wait_until(lambda: turns.told, what='a heartbeat')
    turns.stop()
    told, made = len(turns.told), attempts.made
    turns.take(wait=True)
    assert (len(turns.told), attempts.made) == (told, made)
