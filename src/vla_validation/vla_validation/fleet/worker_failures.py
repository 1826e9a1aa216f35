# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Killed workers: how robots that run the inference node's cycle go on."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from vla_common.errors import ConfigError
from vla_robot import load_robot
from vla_validation.fleet.robots import SimulatedRobot
from vla_validation.fleet.running import SPAWN

SERVED, KILL, MARKED = 'served', 'kill', 'marked'


def fleet(link: Any, url: str, robot: str, robots: int, seconds: float) -> None:
    """In a process of its own. Sends SERVED when all are served, receives KILL before workers are
    killed, and sends the robots' outcomes when all are served again, or after `seconds`."""
    body = load_robot(robot)
    members = [SimulatedRobot(f'{url}/robot{i}', body) for i in range(robots)]
    for one in members:
        one.start()
    _wait(lambda: all(one.record.chunks > 3 for one in members), seconds)
    link.send([SERVED, sum(one.record.chunks > 3 for one in members)])
    link.recv()
    for one in members:
        one.record.mark()
    killed = time.monotonic()
    link.send(MARKED)

    def settled(one: SimulatedRobot) -> bool:
        record = one.record
        fine = time.monotonic() - killed > 2.0 * one.falls_back_within
        return bool(record.served and (record.ready or (fine and not record.fell_back)))

    _wait(lambda: all(settled(one) for one in members), seconds)
    for one in members:
        one.halt()
    for one in members:
        one.join(10.0)
    records = [one.record for one in members]
    fell = [record for record in records if record.fell_back]
    link.send(
        {
            'robots': robots,
            'fell_back': len(fell),
            'silence_s': round(max(record.silence for record in records), 3),
            'falls_back_within_s': round(members[0].falls_back_within, 3),
            'in_ready_again': sum(bool(record.ready) for record in fell),
            'served_again': sum(bool(record.served) for record in records),
            'served_again_s': round(max(record.served - killed for record in records), 3),
        }
    )


def kill(
    url: str, pids: list[int], robot: str, robots: int, seconds: float = 60.0
) -> dict[str, Any]:
    """Kill these processes under `robots`. Raises ConfigError when they were not served before."""
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=fleet, args=(theirs, url, robot, robots, seconds), daemon=True)
    process.start()
    try:
        _, served = _receive(ours, 3.0 * seconds)
        if served < robots:
            raise ConfigError('fleet', 'robots', f'{served} served', f'{robots} served')
        ours.send(KILL)
        _receive(ours, seconds)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return {'killed': len(pids)} | _receive(ours, 3.0 * seconds)
    finally:
        process.kill()
        process.join()


def kept(found: dict[str, Any]) -> bool:
    """Whether no robot was lost."""
    return (
        found['served_again'] == found['robots']
        and found['in_ready_again'] == found['fell_back']
        and found['silence_s'] <= found['falls_back_within_s']
    )


def _receive(link: Any, seconds: float) -> Any:
    if not link.poll(seconds):
        raise ConfigError('fleet', 'robots', f'silent for {seconds:g} s', 'a less loaded machine')
    return link.recv()


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
