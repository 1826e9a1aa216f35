# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Scheduling of steps that the test holds open."""

import threading
from types import SimpleNamespace

import pytest

from vla_common.states import InferenceState
from vla_common.testing import PATIENCE, wait_until
from vla_inference.scheduler import Scheduler


class Steps:
    """Counts steps and how many ran at once; `open` lets them end."""

    def __init__(self) -> None:
        self.made = 0
        self.at_once = 0
        self.most_at_once = 0
        self.may_call: list[bool] = []
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None
        self.reason = ''

    def __call__(self, may_call: bool) -> SimpleNamespace:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.made += 1
        self.may_call.append(may_call)
        self.open.wait(PATIENCE)
        self.at_once -= 1
        if self.error is not None:
            raise self.error
        return SimpleNamespace(
            state=InferenceState.IDLE, reason=self.reason, chunk=None, called=False
        )


@pytest.fixture
def steps():
    return Steps()


@pytest.fixture
def scheduler(steps):
    """Ten a second; `published` and `failures` collect what comes of them."""
    published: list[SimpleNamespace] = []
    failures: list[int] = []
    scheduler = Scheduler(steps, published.append, lambda: failures.append(1), 10.0)
    scheduler.published, scheduler.failures = published, failures
    yield scheduler
    steps.open.set()
    scheduler.stop()


def test_the_heartbeat_continues_without_news(scheduler):
    scheduler.start()
    wait_until(lambda: len(scheduler.published) >= 3, what='three heartbeats')


def test_caller_during_an_attempt_does_not_wait_and_the_worker_makes_the_next(scheduler, steps):
    steps.open.clear()
    scheduler.start()
    wait_until(lambda: steps.made == 1, what='the first step')
    scheduler.run_step(wait=False)  # returns: the test would hang here
    assert steps.made == 1
    steps.open.set()
    wait_until(lambda: steps.made >= 2, what='the step that was left to the worker')
    assert steps.most_at_once == 1


def test_news_is_reported_before_the_next_heartbeat_and_only_once(scheduler, steps):
    slow = Scheduler(steps, scheduler.published.append, scheduler.failures.append, 0.001)
    slow.start()
    try:
        wait_until(lambda: len(scheduler.published) == 1, what='the first heartbeat')
        slow.run_step(wait=True)
        assert len(scheduler.published) == 1
        steps.reason = 'something else'
        slow.run_step(wait=True)
        assert [result.reason for result in scheduler.published] == ['', 'something else']
    finally:
        slow.stop()


def test_an_attempt_that_raises_is_no_heartbeat_and_the_next_one_is_made(scheduler, steps):
    steps.error = ValueError('no such thing')
    scheduler.start()
    wait_until(lambda: len(scheduler.failures) >= 2, what='two failures')
    assert not scheduler.published
    steps.error = None
    wait_until(lambda: scheduler.published, what='a heartbeat')


def test_nothing_is_reported_after_the_stop(scheduler, steps):
    scheduler.start()
    wait_until(lambda: scheduler.published, what='a heartbeat')
    scheduler.stop()
    published, made = len(scheduler.published), steps.made
    scheduler.run_step(wait=True)
    assert (len(scheduler.published), steps.made) == (published, made)
