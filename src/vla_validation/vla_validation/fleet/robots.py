# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Simulated robots: clients that only send requests, and inference cycles that also fall back."""

import asyncio
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from vla_common.clock import steady_now
from vla_common.states import InferenceState, Mode
from vla_inference.fallback import FallbackChain, PolicySlot
from vla_inference.inference_step import InferenceStep, StepLimits
from vla_inference.observation import ObservationAssembler, ObservationBounds
from vla_inference.policy_worker import ThreadWorker
from vla_inference.session import Session
from vla_policy.load import load_policy
from vla_policy.remote.wire import pack, unpack
from vla_policy.scripted_policy import HoldPolicy


async def request_repeatedly(
    url: str, metadata: dict[str, Any], robot: Any, name: str, seconds: float, rate: float
) -> tuple[list[float], int]:
    """(s of each answered call, failed calls) of one robot that calls `rate` times a second, or as
    fast as it is answered where that is slower."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    rng = np.random.default_rng()
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
class RobotRun:
    """The record of a robot; times of the monotonic clock, 0 for never. fell_back, ready, served:
    when its fallback first sent a chunk, when it was next in READY, when the policy next sent one,
    each since `mark`. silence: the longest time without a chunk while an instruction ran since."""

    chunks: int = 0
    fallback_chunks: int = 0
    aborted: int = 0
    fell_back: float = 0.0
    ready: float = 0.0
    served: float = 0.0
    silence: float = 0.0

    def mark(self) -> None:
        self.fell_back = self.ready = self.served = self.silence = 0.0

    def note_chunk(self, fallback: bool, now: float, last: float) -> None:
        """last: when the chunk before came; 0 for the first of an instruction."""
        if fallback:
            self.fallback_chunks += 1
            self.fell_back = self.fell_back or now
        else:
            self.chunks += 1
            if self.ready or not self.fell_back:
                self.served = self.served or now
        if last:
            self.silence = max(self.silence, now - last)

    def note_ready(self, aborted: int, now: float) -> None:
        self.aborted += aborted
        if self.fell_back:
            self.ready = self.ready or now


class SimulatedRobot(threading.Thread):
    """The inference node's cycle with a remote policy, without ROS: joints at 50 Hz, images of
    noise at `rate` Hz, an instruction that is repeated whenever it has ended."""

    def __init__(self, url: str, robot: Any, timeout: float = 0.5, rate: float = 8.0) -> None:
        super().__init__(name=url.rsplit('/', 1)[-1], daemon=True)
        self._robot = robot
        self._policy = load_policy(url, robot, timeout=timeout)
        self._assembler = ObservationAssembler(
            robot.joint_names, self._policy.bundle.cameras, ObservationBounds()
        )
        self._session = Session(3600.0, 5.0)
        self._wake = threading.Event()
        self._worker = ThreadWorker(self._policy, steady_now, self._wake.set)
        self._period = 1.0 / rate
        self._limits = StepLimits(policy_timeout=timeout, settle_time=0.0)
        self._inference = InferenceStep(
            FallbackChain([PolicySlot(self._policy, self._worker)]),
            HoldPolicy(robot),
            self._assembler,
            self._session,
            self._limits,
            robot.joint_names,
            threading.RLock(),
            steady_now,
            time.time_ns,
        )
        self._halt = threading.Event()
        self.record = RobotRun()

    @property
    def falls_back_within(self) -> float:
        """s from the last chunk before a failure to the fallback's first: so many calls may fail,
        each at its deadline, with an image to wait for before each and after."""
        limits = self._limits
        return limits.fallback_after * (limits.policy_timeout + self._period) + self._period

    def halt(self) -> None:
        self._halt.set()
        self._wake.set()

    def run(self) -> None:
        rng = np.random.default_rng()
        size = self._robot.camera
        frames = [
            rng.integers(0, 256, (size.height, size.width, 3), np.uint8).tobytes() for _ in range(4)
        ]
        position = self._robot.poses['standing']
        zeros = np.zeros(self._robot.n)
        last = 0.0
        frame, due = 0, steady_now() + rng.uniform(0.0, self._period)
        while not self._halt.is_set():
            now, now_ns = steady_now(), time.time_ns()
            if now >= due:
                due = max(due + self._period, now)
                frame += 1
                for camera in self._policy.bundle.cameras:
                    self._assembler.add_image(
                        camera,
                        now_ns,
                        now,
                        size.height,
                        size.width,
                        3 * size.width,
                        'rgb8',
                        frames[frame % len(frames)],
                    )
            self._assembler.add_joints(now_ns, now, self._robot.joint_names, position, zeros)
            self._assembler.add_imu(now_ns, now, (1.0, 0.0, 0.0, 0.0))
            if self._session.running(now) is None:
                last = 0.0
                self._begin(now, now_ns)
            step = self._inference.run()
            if step.chunk is not None:
                moment = time.monotonic()
                self.record.note_chunk(step.state is InferenceState.FALLBACK, moment, last)
                last = moment
            self._wake.clear()
            self._wake.wait(0.02)
        self._worker.close()

    def _begin(self, now: float, now_ns: int) -> None:
        """READY; the supervisor here starts the next instruction by itself."""
        aborted = 0
        while self._session.results:
            aborted += not self._session.results.popleft().success
        self._session.accept('wave', now)
        self._session.on_mode(Mode.READY, '', now_ns, now)
        self.record.note_ready(aborted, time.monotonic())
        self._session.wants_start()
        self._session.on_mode(Mode.RUNNING, '', now_ns, now)
