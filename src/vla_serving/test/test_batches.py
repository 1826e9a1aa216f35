# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What goes into a batch, in which order, and who gets which answer."""

import asyncio

import pytest

from vla_serving.batches import AHEAD, Batches
from vla_serving.testing import on_a_loop


class Engine:
    """Answers a batch when it is let go on; `batches` are those that it was given."""

    def __init__(self):
        self.batches = []
        self.go_on = asyncio.Semaphore(0)
        self.error = None

    async def run(self, requests):
        self.batches.append([request['n'] for request in requests])
        await self.go_on.acquire()
        if self.error is not None:
            raise self.error
        return [{'answer': request['n']} for request in requests]


def begin(batches, *numbers, priority=0):
    return [asyncio.ensure_future(batches.ask({'n': n}, priority)) for n in numbers]


async def settle():
    for _ in range(50):
        await asyncio.sleep(0)


@on_a_loop
async def test_lone_request_goes_at_once_and_what_waits_goes_together():
    engine = Engine()
    batches = Batches(engine.run, 4, lambda: 1)
    calls = []
    for n in range(AHEAD):
        calls += begin(batches, n)
        await settle()
    assert engine.batches == [[n] for n in range(AHEAD)]
    calls += begin(batches, *range(AHEAD, AHEAD + 6))
    await settle()
    assert len(engine.batches) == AHEAD
    for _ in range(AHEAD + 2):
        engine.go_on.release()
    answers = await asyncio.gather(*calls)
    assert [answer['answer'] for answer in answers] == list(range(AHEAD + 6))
    assert [len(batch) for batch in engine.batches[AHEAD:]] == [4, 2]
    assert batches.sizes == {1: AHEAD, 4: 1, 2: 1}


@on_a_loop
async def test_more_important_ones_go_into_the_next_batch_first():
    engine = Engine()
    batches = Batches(engine.run, 2, lambda: 1)
    calls = begin(batches, *range(AHEAD))
    await settle()
    calls += begin(batches, 10, 11) + begin(batches, 12, priority=1)
    for _ in range(AHEAD + 2):
        engine.go_on.release()
    await asyncio.gather(*calls)
    assert [n for batch in engine.batches for n in batch][AHEAD:] == [12, 10, 11]


@on_a_loop
async def test_cancelled_request_is_in_no_batch():
    engine = Engine()
    batches = Batches(engine.run, 4, lambda: 1)
    out = begin(batches, *range(AHEAD))
    await settle()
    gone, stays = begin(batches, 10, 11)
    gone.cancel()
    await settle()
    for _ in range(AHEAD + 1):
        engine.go_on.release()
    await asyncio.gather(*out, stays)
    assert sorted(n for batch in engine.batches for n in batch) == [*range(AHEAD), 11]


@on_a_loop
async def test_death_of_a_worker_fails_its_batch_alone_and_the_rest_continues():
    engine = Engine()
    batches = Batches(engine.run, 4, lambda: 1)
    first = begin(batches, *range(AHEAD))
    await settle()
    engine.error = RuntimeError('the worker died')
    for _ in range(AHEAD):
        engine.go_on.release()
    found = await asyncio.gather(*first, return_exceptions=True)
    assert [str(error) for error in found] == ['the worker died'] * AHEAD
    engine.error = None
    engine.go_on.release()
    assert await batches.ask({'n': 9}) == {'answer': 9}


@on_a_loop
async def test_worker_that_hangs_holds_its_place_for_a_while_only():
    engine = Engine()
    batches = Batches(engine.run, 1, lambda: 1, limit=0.5)
    found = await asyncio.gather(*begin(batches, *range(2 * AHEAD)), return_exceptions=True)
    assert [type(error) for error in found] == [TimeoutError] * (2 * AHEAD)
    engine.go_on.release()
    assert await batches.ask({'n': 9}) == {'answer': 9}


@on_a_loop
async def test_more_workers_have_more_batches_out():
    engine = Engine()
    workers = [1]
    batches = Batches(engine.run, 1, lambda: workers[0])
    calls = begin(batches, *range(3 * AHEAD))
    await settle()
    assert len(engine.batches) == AHEAD
    workers[0] = 2
    engine.go_on.release()
    await settle()
    assert len(engine.batches) == 2 * AHEAD + 1
    for _ in calls:
        engine.go_on.release()
    await asyncio.gather(*calls)


@on_a_loop
async def test_engine_that_answers_too_few_is_an_error_for_the_whole_batch():
    async def none(requests):
        return []

    with pytest.raises(RuntimeError, match='0 answers for 1 requests'):
        await Batches(none, 4, lambda: 1).ask({'n': 1})
