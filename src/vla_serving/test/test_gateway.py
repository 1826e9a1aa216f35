# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Admission, limits, priorities, deadlines and retries, with an engine played by the test."""

import asyncio

import pytest

from vla_serving.admission import Admission, TooBusyError
from vla_serving.gateway import Gateway, ServingMetrics
from vla_serving.testing import on_a_loop
from vla_serving.worker import REFUSED


@on_a_loop
async def test_one_client_has_only_so_many_calls_out():
    admission = Admission(8, per_client=1)
    async with admission.entry('a'):
        with pytest.raises(TooBusyError, match='a has 1 calls pending'):
            async with admission.entry('a'):
                pass
        async with admission.entry('b'):
            pass
    async with admission.entry('a'):
        pass
    assert admission.refused == {'a': 1}


@on_a_loop
async def test_waiting_calls_are_admitted_by_priority_and_rejected_in_time():
    admission = Admission(1, patience=5.0)
    entered = []

    async def enter(name, priority):
        async with admission.entry(name, priority):
            entered.append(name)

    async with admission.entry('first'):
        waiting = [
            asyncio.ensure_future(enter(name, priority))
            for name, priority in (('low', 0), ('high', 5), ('next', 0))
        ]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert entered == ['high', 'low', 'next']
    impatient = Admission(1, patience=0.01)
    async with impatient.entry('first'):
        with pytest.raises(TooBusyError, match='no turn within'):
            async with impatient.entry('late'):
                pass
    async with impatient.entry('again'):  # no place was lost
        pass


@on_a_loop
async def test_cancelled_wait_frees_its_place():
    admission = Admission(1, patience=5.0)

    async def enter():
        async with admission.entry('waiting'):
            await asyncio.sleep(0)

    async with admission.entry('first'):
        waiting = asyncio.ensure_future(enter())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with admission.entry('second'):
        pass


class Engine:
    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.calls = 0

    async def ask(self, request, priority):
        self.calls += 1
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        if outcome == 'slow':
            await asyncio.sleep(60.0)
        return outcome


def ask(engine, **settings):
    front = Gateway(engine.ask, Admission(), **settings)
    try:
        return asyncio.run(front.infer('robot', {})), front
    except Exception as error:
        return error, front


def test_worker_that_dies_under_a_call_is_tried_once_more():
    engine = Engine(RuntimeError('actor died'), {'actions': 1})
    assert ask(engine)[0] == {'actions': 1}
    engine = Engine(RuntimeError('actor died'), RuntimeError('again'))
    error, front = ask(engine)
    assert (str(error), engine.calls) == ('again', 2)
    assert front.figures.table()['robot']['errors'] == 1


def test_slow_and_refusing_engines_end_in_an_error_in_time():
    error, _ = ask(Engine('slow'), timeout=0.05)
    assert isinstance(error, TimeoutError)
    error, _ = ask(Engine({REFUSED: 'not finite'}))
    assert str(error) == 'not finite'


def test_figures_are_per_robot():
    clock = [0.0]
    figures = ServingMetrics(lambda: clock[0])
    for _ in range(11):
        figures.note('a', 0.010, False)
        clock[0] += 0.1
    figures.note('b', 1.0, True)
    table = figures.table()
    assert table['a'] == {'calls': 11, 'errors': 0, 'rate_hz': 10.0, 'p50_ms': 10.0, 'p99_ms': 10.0}
    assert table['b'] == {'calls': 0, 'errors': 1, 'rate_hz': 0.0, 'p50_ms': -1.0, 'p99_ms': -1.0}
