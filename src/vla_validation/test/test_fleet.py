# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Robots at a server whose engine dies on purpose; the command; Ray Serve where it is installed."""

import asyncio
import json
import sys
import time

import pytest

from vla_common.errors import ConfigError
from vla_serving import serve
from vla_serving.admission import Admission
from vla_serving.batches import Batches
from vla_serving.engine import LocalEngine, start_engine
from vla_serving.gateway import Gateway
from vla_serving.ray_engine import RayParameters, within
from vla_validation.fleet import command
from vla_validation.fleet.robots import SimulatedRobot
from vla_validation.fleet.running import load, running
from vla_validation.fleet.worker_failures import kept, kill

ROBOT = 'humanoid32'


class FailingEngine(LocalEngine):
    """Killed, it answers no request until it is back."""

    dead = False

    async def run(self, requests):
        if self.dead:
            await asyncio.sleep(30.0)
        return await super().run(requests)


def wait_until(condition, what):
    end = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def test_engine_that_dies_loses_no_robot_and_serves_them_again(bundle, robot):
    engine = FailingEngine(bundle, ROBOT)
    batches = Batches(engine.run, 4, engine.workers, limit=1.0)
    gateway = Gateway(batches.ask, Admission(64, 4), timeout=3.0)
    with running(gateway.infer, engine.metadata) as url:
        fleet = [SimulatedRobot(f'{url}/robot{i}', robot, 1.0) for i in range(4)]
        for one in fleet:
            one.start()
        wait_until(lambda: all(one.record.chunks > 3 for one in fleet), 'every robot is served')
        engine.dead = True
        for one in fleet:
            one.record.mark()
        wait_until(lambda: all(one.record.fell_back for one in fleet), 'every robot falls back')
        wait_until(lambda: all(one.record.ready for one in fleet), 'instructions end: READY')
        assert all(one.record.aborted and one.record.ready > one.record.fell_back for one in fleet)
        engine.dead = False
        wait_until(lambda: all(one.record.served for one in fleet), 'every robot is served again')
        for one in fleet:
            one.halt()
        for one in fleet:
            one.join(10.0)
            assert not one.is_alive()
    engine.close()
    assert set(gateway.figures.table()) == {f'robot{i}' for i in range(4)}


def test_benchmark_prints_a_table_and_where_batching_lost(bundle, capsys):
    arguments = ['--bundle', bundle, '--engine', 'local', '--workers', '1', '--batch', '4']
    arguments += ['--timeout', '60']
    command.main([*arguments, '--robots', '4', '--seconds', '1', '--rounds', '1', '--json'])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    rows = [(row['engine'], row['batch']) for row in found['table']]
    assert rows == [('vla_serving serve', 1), ('local', 1), ('local', 4)]
    assert sum(row['calls'] for row in found['table']) > 0
    assert all(row['p99_ms'] >= row['p50_ms'] for row in found['table'])
    assert all(row['failed'] == 0 for row in found['table'])


def row(batch, calls, p99, engine='ray'):
    return {'engine': engine, 'workers': 1, 'batch': batch, 'throughput_hz': calls, 'p99_ms': p99}


def test_batching_loses_by_fewer_calls_or_by_longer_ones():
    base = row(1, 100.0, 50.0)
    assert command.losses([base, row(16, 200.0, 30.0), row(4, 98.0, 51.0)]) == []
    assert 'batch 16: 90 calls/s' in command.losses([base, row(16, 90.0, 30.0)])[0]
    assert 'p99 80 ms' in command.losses([base, row(16, 100.0, 80.0)])[0]
    assert command.losses([base, row(1, 10.0, 500.0, 'local')]) == []


def test_robot_is_lost_that_is_silent_for_too_long_or_does_not_come_back():
    good = {
        'robots': 4,
        'fell_back': 2,
        'in_ready_again': 2,
        'served_again': 4,
        'silence_s': 1.0,
        'falls_back_within_s': 2.0,
    }
    assert kept(good)
    assert not kept(good | {'silence_s': 2.5})
    assert not kept(good | {'served_again': 3})
    assert not kept(good | {'in_ready_again': 1})


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--bundle', '/nowhere'), '--bundle: found /nowhere'),
        (('--host', '256.0.0.1'), '--host 256.0.0.1'),
        (('--engine', 'local', '--device', 'cuda:0'), 'device: found cuda:0'),
    ],
)
def test_server_that_cannot_start_reports_why(bundle, arguments, message, capsys):
    assert serve.main(['--bundle', bundle, '--port', '0', '--workers', '1', *arguments]) == 1
    assert message in capsys.readouterr().err


def test_without_ray_the_error_says_how_to_install_it(bundle, monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(ConfigError, match='pip install -r environment/fleet.in'):
        start_engine('ray', bundle, ROBOT, 'cpu', RayParameters())


def test_what_does_not_start_is_given_up_with_its_last_message():
    with pytest.raises(ConfigError, match=r'2 workers: found not there after 0.05 s \(no GPU\)'):
        within(0.05, '2 workers', lambda: time.sleep(3.0), lambda: 'no GPU')
    with pytest.raises(ZeroDivisionError):
        within(30.0, 'it', lambda: 1 // 0)
    assert within(30.0, 'it', lambda: 7) == 7


def test_ray_serves_a_fleet_and_outlives_its_killed_workers(bundle):
    pytest.importorskip('ray.serve', reason='Ray is optional: environment/fleet.in')
    with pytest.raises(ConfigError, match='--gpus: found 2 workers with 1 GPU each'):
        start_engine('ray', bundle, ROBOT, 'cpu', RayParameters(2, gpus=1.0))
    engine = start_engine('ray', bundle, ROBOT, 'cpu', RayParameters(2))
    try:
        batches = Batches(engine.run, 4, engine.workers)
        gateway = Gateway(batches.ask, Admission(64, 4), timeout=0.4)
        with running(gateway.infer, engine.metadata) as url:
            found = load(url, engine.metadata, ROBOT, 4, 2.0, 20.0)
            assert found['throughput_hz'] > 1.0
            for count in (1, 2):
                outcome = kill(url, engine.pids()[:count], ROBOT, 4)
                assert outcome['served_again'] == 4
                assert outcome['in_ready_again'] == outcome['fell_back']
    finally:
        engine.close()
