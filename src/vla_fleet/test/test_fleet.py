# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Robots at a server whose engine dies on purpose; and Ray Serve, where it is there."""

from __future__ import annotations

import asyncio
import time

import pytest

from vla_fleet.admission import Admission
from vla_fleet.front import Front
from vla_fleet.robots import SimulatedRobot
from vla_fleet.simulate import kill_drill, load_test, running
from vla_fleet.worker import Worker


class MortalEngine:
    """Workers in this process; killed, it answers nobody until it is back."""

    def __init__(self, bundle):
        self._worker = Worker(bundle)
        self.dead = False

    async def ask(self, request):
        if self.dead:
            await asyncio.sleep(30.0)
        return self._worker.answer([request])[0]


def wait_until(condition, what):
    end = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def test_engine_that_dies_loses_no_robot_and_serves_them_again(bundle, robot):
    engine = MortalEngine(bundle)
    front = Front(engine.ask, Admission(64, 4), timeout=3.0)
    with running(front, engine._worker.metadata) as url:
        fleet = [SimulatedRobot(f'{url}/robot{i}', robot, 1.0) for i in range(4)]
        for one in fleet:
            one.start()
        wait_until(lambda: all(one.life.chunks > 3 for one in fleet), 'every robot is served')
        engine.dead = True
        wait_until(lambda: all(one.life.fallback_chunks for one in fleet), 'every robot falls back')
        wait_until(lambda: all(one.life.aborted for one in fleet), 'instructions end: READY')
        engine.dead = False
        counts = [one.life.chunks for one in fleet]
        wait_until(
            lambda: all(o.life.chunks > n for o, n in zip(fleet, counts, strict=True)),
            'every robot is served again',
        )
        for one in fleet:
            one.halt()
        for one in fleet:
            one.join(10.0)
            assert not one.is_alive()
    table = front.figures.table()
    assert set(table) == {f'robot{i}' for i in range(4)}


def test_ray_serves_a_fleet_and_outlives_a_killed_worker(bundle, robot):
    pytest.importorskip('ray.serve', reason='Ray is optional: environment/fleet.in')
    from vla_fleet.ray_engine import RayEngine, RayParameters

    engine = RayEngine(bundle, 'humanoid32', 'cpu', RayParameters(2, batch=4))
    try:
        front = Front(engine.ask, Admission(64, 4), timeout=10.0)
        with running(front, engine.metadata) as url:
            row = load_test(url, engine.metadata, robot, 4, 2.0, 20.0)
            assert row['throughput_hz'] > 1.0
            found = kill_drill(url, engine, robot, 4, 2.0)
        assert found['served_before'] == found['served_after'] == 4
    finally:
        engine.close()
