# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Simulated robots for measuring: callers that only ask, and cycles that also fall back."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from vla_common.clock import steady_now
from vla_common.modes import Mode
from vla_inference.caller import ThreadCaller
from vla_inference.chain import Chain, Link
from vla_inference.cycle import InferenceCycle, Limits, State
from vla_inference.observation import Bounds, ObservationAssembler
from vla_inference.policy import load_policy
from vla_inference.remote.wire import pack, unpack
from vla_inference.runtimes.scripted import HoldPolicy
from vla_inference.session import Session


async def ask_for(
    url: str, metadata: dict[str, Any], robot: Any, name: str, seconds: float, rate: float
) -> tuple[list[float], int]:
    """(s of each answered call, failed calls) of one robot that asks `rate` times a second, or as
    fast as it is answered where that is slower."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    rng = np.random.default_rng(abs(hash(name)) % 2**32)
    request: dict[str, Any] = {
        'observation/position': robot.poses['standing'].astype(np.float32),
        'observation/velocity': np.zeros(robot.n, np.float32),
        'prompt': 'wave with your left hand',
        'elapsed': 0.0,
    }
    for key, image in metadata['vla']['inputs'].get('images', {}).items():
        request[key] = rng.integers(0, 256, (image['height'], image['width'], 3), np.uint8)
    packed = pack(request)
    took, failed = [], 0
    end = time.monotonic() + seconds
    due = time.monotonic() + rng.uniform(0.0, 1.0 / rate)
    while time.monotonic() < end:
        try:
            async with connect(f'{url}/{name}', compression=None, max_size=None) as connection:
                await connection.recv()
                while time.monotonic() < end:
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
                    began = time.monotonic()
                    due = max(due + 1.0 / rate, began)
                    await connection.send(packed)
                    answer = await connection.recv()
                    if isinstance(answer, str):
                        failed += 1
                        break
                    took.append(time.monotonic() - began)
                    unpack(answer, 2**24)
        except (OSError, WebSocketException):
            failed += 1
            await asyncio.sleep(0.05)
    return took, failed


@dataclass
class Life:
    """What became of a robot. gap: the longest time without a chunk while its instruction ran,
    the fallback's chunks included. ready: it is back in READY, or its instruction still runs."""

    chunks: int = 0
    fallback_chunks: int = 0
    gap: float = 0.0
    aborted: int = 0
    ready: bool = False


class SimulatedRobot(threading.Thread):
    """The inference node's cycle with a remote policy, without ROS: 200 Hz joints and 15 Hz images
    of noise, an instruction that is given again whenever it ended."""

    def __init__(self, url: str, robot: Any, timeout: float) -> None:
        super().__init__(name=url.rsplit('/', 1)[-1], daemon=True)
        self._robot = robot
        self._policy = load_policy(url, robot, timeout=timeout)
        self._assembler = ObservationAssembler(
            robot.joint_names, self._policy.bundle.cameras, Bounds()
        )
        self._session = Session(3600.0, 5.0)
        self._wake = threading.Event()
        self._caller = ThreadCaller(self._policy, steady_now, self._wake.set)
        self._timeout = timeout
        self._cycle = InferenceCycle(
            Chain([Link(self._policy, self._caller)]),
            HoldPolicy(robot),
            self._assembler,
            self._session,
            Limits(policy_timeout=timeout, fallback_after=1, fallback_duration=0.5),
            robot.joint_names,
            threading.RLock(),
            steady_now,
            time.time_ns,
        )
        self._halt = threading.Event()
        self.life = Life()

    def halt(self) -> None:
        self._halt.set()
        self._wake.set()

    def run(self) -> None:
        rng = np.random.default_rng()
        size = self._robot.camera
        position = self._robot.poses['standing']
        zeros = np.zeros(self._robot.n)
        last: float | None = None
        frame = 0.0
        while not self._halt.is_set():
            now, now_ns = steady_now(), time.time_ns()
            if now >= frame:
                frame = now + 1.0 / 15.0
                pixels = rng.integers(0, 256, (size.height, size.width, 3), np.uint8).tobytes()
                for camera in self._policy.bundle.cameras:
                    self._assembler.add_image(
                        camera, now_ns, now, size.height, size.width, 3 * size.width, 'rgb8', pixels
                    )
            self._assembler.add_joints(now_ns, now, self._robot.joint_names, position, zeros)
            self._assembler.add_imu(now_ns, now, (1.0, 0.0, 0.0, 0.0))
            if self._session.running(now) is None:
                last = None
                self._begin(now, now_ns)
            attempt = self._cycle.attempt()
            if attempt.chunk is not None:
                if last is not None:
                    self.life.gap = max(self.life.gap, steady_now() - last)
                last = steady_now()
                if attempt.state is State.FALLBACK:
                    self.life.fallback_chunks += 1
                else:
                    self.life.chunks += 1
            self._wake.clear()
            self._wake.wait(0.02)
        self._caller.close()

    def _begin(self, now: float, now_ns: int) -> None:
        """READY, and the supervisor here starts the next instruction by itself."""
        while self._session.results:
            self.life.aborted += not self._session.results.popleft().success
        self._session.accept('wave', now)
        self._session.on_mode(Mode.READY, '', now_ns, now)
        self.life.ready = True
        self._session.wants_start()
        self._session.on_mode(Mode.RUNNING, '', now_ns, now)
