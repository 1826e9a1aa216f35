# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A driver under test: created for each clause, recorded, and run by the real servo loop."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vla_common.clock import steady_now
from vla_common.parameters import Parameters
from vla_common.scheduling_delay import SchedulingDelay
from vla_common.states import Behaviour, Mode
from vla_hardware.doubles.base import DriverDouble
from vla_hardware.drivers.base import Driver, Gains, SimulatedDriver
from vla_hardware.limits import ServoLimits
from vla_hardware.servo_output import NoBalance
from vla_hardware.simulation import PERIOD, SimulatedServo, balance_correction
from vla_robot import Reading, RobotModel, load_robot

SPEED = 0.2  # rad/s of the motions
STROKE = 0.08  # rad of the motions, to either side
FAULT_CLEAR_TIME = 0.1  # s; the shipped one only makes the tests longer
PATIENCE = (
    0.5  # s of the time-outs: the supervisor is in this process, and a busy machine stalls it
)
CLOSE = 1.0  # s in which a driver disconnects
RECOVERY = 5.0  # s in which a driver reads again after its robot is back


class Broken(Exception):  # noqa: N818 (a result, not an error)
    """A clause of the contract is broken; the text says how."""


class NotApplicableError(Exception):
    """This robot has no such thing; the text says what."""


class Pace:
    """The steady clock, with the interface of `ManualClock`: advancing is sleeping."""

    def __init__(self) -> None:
        self._due = steady_now()
        self._delay = threading.local()

    def __call__(self) -> float:
        return steady_now()

    @property
    def now(self) -> float:
        return steady_now()

    def waited(self) -> float:
        """s that this thread waited for a processor, which is not the driver's time."""
        if not hasattr(self._delay, 'account'):
            self._delay.account = SchedulingDelay()
        return self._delay.account.waited()

    def advance(self, seconds: float) -> float:
        """Sleep until `seconds` after the last return; late, it does not catch up."""
        self._due = max(self._due + seconds, steady_now())
        time.sleep(max(self._due - steady_now(), 0.0))
        return steady_now()


@dataclass(frozen=True, eq=False)
class Write:
    """One call of `write`. measured: the reading before it; both (n,) rad. kp: (n,) Nm/rad."""

    at: float
    position: np.ndarray
    kp: np.ndarray
    finite: bool
    measured: np.ndarray | None


class Stopwatch:
    """s on a clock, without the time that the thread waited for a processor of a busy machine."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._waited = getattr(clock, 'waited', float)  # a simulated clock waits for nothing
        self._begin = clock(), self._waited()

    def __call__(self) -> float:
        waited = self._waited() - self._begin[1]
        return max(self._clock() - self._begin[0] - waited, 0.0)


class Recorded:
    """A driver whose calls are recorded. What it was given is overwritten after each write."""

    def __init__(self, driver: Driver, clock: Callable[[], float]) -> None:
        self.driver, self._clock = driver, clock
        self.writes: list[Write] = []
        self.read_times: list[float] = []  # s
        self.write_times: list[float] = []
        self.cpu = 0.0  # s of this thread, in both
        self.errors: list[Exception] = []
        self.reading: Reading | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.driver, name)

    def read(self) -> Reading:
        took, cpu = Stopwatch(self._clock), time.thread_time()
        try:
            self.reading = self.driver.read()
        except Exception as error:
            self.errors.append(error)
            raise
        finally:
            self.cpu += time.thread_time() - cpu
            self.read_times.append(took())
        return self.reading

    def write(
        self, position: np.ndarray, velocity: np.ndarray, effort: np.ndarray, gains: Gains
    ) -> None:
        given = [np.array(array, float) for array in (position, velocity, effort)]
        measured = None if self.reading is None else self.reading.position
        finite = all(np.isfinite(array).all() for array in given)
        self.writes.append(Write(self._clock(), given[0].copy(), gains.kp, finite, measured))
        took, cpu = Stopwatch(self._clock), time.thread_time()
        try:
            self.driver.write(*given, gains)
        except Exception as error:
            self.errors.append(error)
            raise
        finally:
            self.cpu += time.thread_time() - cpu
            self.write_times.append(took())
            for array in given:  # the loop reuses its arrays: a driver copies what it keeps
                array.fill(np.nan)


class Servo(SimulatedServo):
    """The servo loop around the driver, at the pace of the rig's clock, and its supervisor."""

    driver: Recorded

    def run(self, seconds: float) -> None:
        """Cycles for some seconds."""
        for _ in range(round(seconds / PERIOD)):
            self.cycle()

    def hold(self) -> None:
        """Into mode READY, holding."""
        self.request(Mode.READY, Behaviour.HOLD)
        self.publish_state()
        self.run(0.05)

    def start(self) -> None:
        """Into mode RUNNING, once the stiffness is there."""
        self.hold()
        self.run(float(getattr(self.driver, 'stiffen_time', 0.5)) + 0.05)
        self.request(Mode.RUNNING, Behaviour.TRACK)
        self.publish_state()

    def move(self, seconds: float, joint: int, direction: int) -> None:
        """Command one joint at `SPEED` for some seconds, to and fro within `STROKE`."""
        target = self.loop.motion.position.copy()
        middle, velocity = float(target[joint]), np.zeros(len(target))
        for _ in range(round(seconds / PERIOD)):
            target[joint] += direction * SPEED * PERIOD
            velocity[joint] = direction * SPEED
            if not 0.0 <= (target[joint] - middle) * direction <= STROKE:
                direction = -direction
                middle = float(target[joint]) if direction < 0 else middle
            self.command(target, velocity)
            self.cycle()

    def estop(self) -> None:
        """Mode ESTOP, as the node takes it: at once, not with the next cycle."""
        self.request(Mode.ESTOP, Behaviour.DAMP)
        self.publish_state()
        self.loop.apply_estop()

    def stood_up(self) -> None:
        """Put a simulated robot back, as its operator does by /sim/reset."""
        driver = self.driver.driver
        inner = getattr(driver, '_driver', driver)
        if isinstance(inner, SimulatedDriver):
            inner.reset(suspended=True)
            self.loop.relocated(standing=False)

    def recover(self) -> None:
        """An e-stop, until the fault ended; then READY. Raises Broken: it does not end."""
        self.estop()
        end = self.clock.now + RECOVERY
        while True:
            self.run(0.05)
            if not self.loop.fault:
                break
            if self.clock.now > end:
                raise Broken(
                    f'{RECOVERY:g} s after its robot was back, the driver still fails: '
                    f'{self.loop.faults.last_error}'
                )
        self.stood_up()
        self.run(0.05)
        self.hold()


@dataclass
class Rig:
    """One driver by its class, and the double of its robot.

    clock: of the driver and of the loop. joint, direction: what the motions move.
    """

    name: str
    kind: Any
    robot: RobotModel
    double: DriverDouble
    params: Parameters
    limits: ServoLimits
    clock: Any
    folder: Path
    pulls: int = 30
    cable_pull_ms: list[float] = field(default_factory=list)
    cpu_percent: float | None = None
    simulated: bool = False

    def __post_init__(self) -> None:
        self.limits = replace(
            self.limits,
            fault_clear_time=FAULT_CLEAR_TIME,
            command_timeout=PATIENCE,
            supervisor_timeout=PATIENCE,
        )

    @contextlib.contextmanager
    def driver(self, robot: RobotModel | None = None) -> Iterator[Recorded]:
        """A new driver, not connected; closed at the end."""
        made = self.kind.from_parameters(robot or self.robot, self.params, self.clock)
        self.simulated = isinstance(made, SimulatedDriver)
        driver = Recorded(self.double.attach(made), self.clock)
        try:
            yield driver
        finally:
            driver.close()

    @contextlib.contextmanager
    def servo(self) -> Iterator[Servo]:
        """The servo loop around a new driver, connected and begun; no supervisor state yet."""
        with self.driver() as driver:
            balance = balance_correction(self.robot) if driver.can_fall else NoBalance(self.robot.n)
            yield Servo(self.robot, driver, balance, self.limits, self.clock)

    def wait(self, seconds: float) -> None:
        """Let time pass without the servo loop."""
        for _ in range(round(seconds / PERIOD)):
            self.clock.advance(PERIOD)

    def where(self, driver: Recorded) -> np.ndarray:
        """(n,) rad, where the joints are, by the double or else by a reading."""
        position = self.double.position()
        return driver.read().position if position is None else position

    def moved_joint(self, at: np.ndarray) -> tuple[int, int]:
        """A joint of the upper body with room for the motions, and the direction of the room."""
        body = self.robot.groups['upper_body']
        joints = body if len(body) else np.arange(self.robot.n)
        room = np.stack([self.robot.limits.upper - at, at - self.robot.limits.lower])[:, joints]
        side, best = np.unravel_index(int(room.argmax()), room.shape)
        return int(joints[best]), -1 if side else 1

    def until(self, done: Callable[[], bool], seconds: float, step: Callable[[], None]) -> float:
        """Take steps until `done`; return the time that took, s; inf after `seconds`."""
        begin = self.clock.now
        while not done():
            if self.clock.now - begin > seconds:
                return float('inf')
            step()
        return self.clock.now - begin

    def permuted(self) -> RobotModel:
        """The same robot with its joints in the opposite order in robot.yaml."""
        directory = self.folder / 'permuted'
        shutil.copytree(self.robot.directory, directory)
        file = directory / 'robot.yaml'
        content = yaml.safe_load(file.read_text(encoding='utf-8'))
        content['joints'] = content['joints'][::-1]
        file.write_text(yaml.safe_dump(content, sort_keys=False), encoding='utf-8')
        return load_robot(str(directory))


def refusal(work: Callable[[], object], *kinds: type[Exception]) -> Exception | None:
    """The error of one of `kinds` that `work` raises; None. Raises Broken: it is another."""
    try:
        work()
    except kinds as error:
        return error
    except Exception as error:
        wanted = ' or '.join(kind.__name__ for kind in kinds)
        raise Broken(f'{type(error).__name__} was raised ({error}), wanted {wanted}') from error
    return None


def within(took: float, limit: float, what: str) -> None:
    if not took <= limit:
        raise Broken(f'{what} took {took:.2f} s (limit {limit:g} s)')
