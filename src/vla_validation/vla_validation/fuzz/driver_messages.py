# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Subject `driver`: odd commands, supervisor states and readings for the servo loop."""

import random
import tempfile
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from vla_common.states import Behaviour, Mode
from vla_hardware.command_gate import Rejection
from vla_hardware.drivers.base import DriverError
from vla_hardware.drivers.mock import MockDriver
from vla_hardware.limits import ServoLimits
from vla_hardware.servo_loop import ServoLoop
from vla_hardware.servo_output import NoBalance
from vla_robot import Reading, RobotModel, load_robot
from vla_validation.fuzz.odd import BYTES, Clock, extreme, odd_names, resized, spoiled
from vla_validation.fuzz.outcome import (
    CaseResult,
    Outcome,
    SilentlyAccepted,
    UnexpectedMotion,
    assess,
)
from vla_validation.fuzz.small_robot import write_small_robot

CYCLES = 160
PERIOD = 0.005  # s
ODD = 0.1  # share of odd messages and readings
STATES = (
    (Mode.INACTIVE, Behaviour.HOLD),
    (Mode.READY, Behaviour.HOLD),
    (Mode.RUNNING, Behaviour.TRACK),
    (Mode.RUNNING, Behaviour.TRACK),
    (Mode.SAFE_STOP, Behaviour.STAND),
    (Mode.ESTOP, Behaviour.DAMP),
)
ERRORS = (DriverError('no answer'), OSError('bus'), ValueError('vendor'), KeyError('joint'))


class DriverSubject:
    """See the module."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix='vla_fuzz_')
        directory = Path(self._folder.name) / 'smallbot'
        write_small_robot(directory)
        self._robot = load_robot(directory)
        self._limits = ServoLimits.load()

    def run(self, seed: int) -> CaseResult:
        case = _Case(self._robot, self._limits, seed)
        result = assess(case.play, 'messages')
        if result.outcome is Outcome.WORKS:
            return CaseResult(Outcome.REFUSED, case.text, f'{case.loop.gate.rejections} rejected')
        return CaseResult(result.outcome, case.text, result.detail)


class _OddDriver(MockDriver):
    """A mock whose readings are odd when `odd` is set."""

    odd: random.Random | None = None

    def read(self) -> Reading:
        reading = super().read()
        if self.odd is None:
            return reading
        name = self.odd.choice([field.name for field in fields(Reading)])
        if name == 'has_orientation':
            return replace(reading, has_orientation=False)
        if self.odd.random() < 0.2:
            raise self.odd.choice(ERRORS)
        change = self.odd.choice((spoiled, extreme, resized))
        return replace(reading, **{name: change(self.odd, getattr(reading, name))})


class _Case:
    """A supervisor and a filter around the loop."""

    def __init__(self, robot: RobotModel, limits: ServoLimits, seed: int) -> None:
        self._chance, self._robot, self._limits = random.Random(seed), robot, limits
        self._clock = Clock()
        self._driver = _OddDriver(
            robot.poses['standing'], robot.limits.velocity, robot.total_mass, clock=self._clock
        )
        self.loop = ServoLoop(
            robot, period=PERIOD, limits=limits, driver=self._driver, balance=NoBalance(robot.n),
            clock=self._clock,
        )  # fmt: skip
        self.loop.connect()
        self.loop.begin()
        self._mode, self._behaviour = Mode.INACTIVE, Behaviour.HOLD
        self._epoch, self._sequence = 1, 10**9
        self._states: list[tuple[int, ...]] = []
        self._last_state = -np.inf
        self._was_passive = False
        self.text = ''

    def play(self) -> None:
        """Raises SilentlyAccepted, UnexpectedMotion, and whatever the loop raises."""
        chance = self._chance
        for cycle in range(CYCLES):
            odd = ODD if cycle > 5 else 0.0
            stalls = odd and chance.random() < 0.02
            dt = chance.choice((0.0, 0.02, 0.3)) if stalls else PERIOD
            self._clock.advance(dt)
            if cycle % 16 == 8:
                self._mode, self._behaviour = chance.choice(STATES)
                self._epoch += self._mode is Mode.RUNNING
            if cycle % 2 == 0:
                self._supervise(odd)
                self._command(odd)
            self._driver.odd = chance.choice((chance, None)) if chance.random() < odd else None
            before = self.loop.motion.position.copy()
            self.loop.cycle()
            self._check(before, dt)

    # --- messages --------------------------------------------------------------------------

    def _supervise(self, odd: float) -> None:
        chance = self._chance
        if chance.random() < odd:
            self._supervise_oddly()
        if chance.random() < odd:
            return
        self._sequence += 1
        state = (int(self._mode), int(self._behaviour), self._epoch, self._sequence, self._clock.ns)
        self.loop.update_supervisor(*state, self._clock.ns)
        self._states.append(state)
        self._last_state = self._clock.now

    def _supervise_oddly(self) -> None:
        """A state that does not exist, an old one, or one of another clock."""
        chance = self._chance
        kind = chance.choice(('mode', 'behaviour', 'old', 'clock'))
        self.text = f'supervisor state with odd {kind}'
        running, track = int(Mode.RUNNING), int(Behaviour.TRACK)
        unknown = [value for value in BYTES if value > 10]
        state = (running, track, 10**6, self._sequence + 1, self._clock.ns)
        if kind == 'mode':
            state = (chance.choice(unknown), *state[1:])
        elif kind == 'behaviour':
            state = (running, chance.choice(unknown), *state[2:])
        elif kind == 'clock':
            ahead = chance.choice((-3600, -1, 1, 3600, 10**9)) * 10**9
            state = (*state[:4], self._clock.ns + ahead)
        elif self._states:
            state = chance.choice(self._states)
            if self._clock.now - self._last_state > self._limits.supervisor_timeout:
                return  # after a silence the stamp alone decides, and this one may be young
        else:
            return
        if self.loop.update_supervisor(*state, self._clock.ns):
            raise SilentlyAccepted(f'accepted: {self.text}')

    def _command(self, odd: float) -> None:
        chance, robot = self._chance, self._robot
        limits, n = robot.limits, robot.n
        names = list(robot.joint_names)
        step = 0.3 * limits.velocity * 2 * PERIOD
        at = self.loop.motion.position
        goal = np.clip(at + step * chance.choice((-1.0, 1.0)), limits.lower, limits.upper)
        command: tuple[Any, ...] = (names, goal, np.zeros(n), np.zeros(n), self._clock.ns)
        kind = ''
        if chance.random() < 2 * odd:
            kind, change = chance.choice(list(_COMMANDS.items()))
            command = change(chance, *command)
            self.text = f'command with odd {kind}'
        rejection: Rejection | None = self.loop.offer_command(*command, self._clock.ns)
        if rejection is not None:
            return
        newest = self._states[-1][0] if self._states else None
        if kind or newest != Mode.RUNNING:
            what = kind and f'odd {kind}'
            raise UnexpectedMotion(f'the gate accepts a command with {what or "no RUNNING"}')

    # --- what comes out --------------------------------------------------------------------

    def _check(self, before: np.ndarray, dt: float) -> None:
        loop, limits = self.loop, self._robot.limits
        if 'control error' in loop.fault:
            raise RuntimeError(loop.fault)
        at, behaviour = loop.motion.position, loop.motion.behaviour
        tracks = behaviour is Behaviour.TRACK
        newest = self._states[-1][0] if self._states else None
        if tracks and newest != Mode.RUNNING:
            raise UnexpectedMotion(f'the driver tracks in mode {newest}')
        silence = self._clock.now - self._last_state
        if tracks and silence > 2 * self._limits.supervisor_timeout + 0.3:
            raise UnexpectedMotion(f'the driver tracks, {silence:.2f} s after the supervisor')
        inside = (limits.lower - 1e-9 <= at) & (at <= limits.upper + 1e-9)
        if not inside.all():
            raise UnexpectedMotion(f'the reference leaves the limits: {at}')
        longest = max(min(dt, 4 * PERIOD), 0.1 * PERIOD)
        fast = np.abs(at - before) > limits.velocity * longest * 1.001 + 1e-9
        # A passive robot leads the reference, which begins there when the servos are stiff again.
        led = behaviour.passive or self._was_passive or behaviour is Behaviour.STAND
        if fast.any() and not led:
            raise UnexpectedMotion(f'the reference jumps by {np.abs(at - before).max():.4f} rad')
        self._was_passive = behaviour.passive
        if not np.isfinite(self._driver.target).all():
            raise UnexpectedMotion('the target of a servo is not finite')


_COMMANDS: dict[str, Callable[..., tuple]] = {
    'position': lambda c, n, q, v, e, s: (n, spoiled(c, q), v, e, s),
    'velocity': lambda c, n, q, v, e, s: (n, q, spoiled(c, v), e, s),
    'effort': lambda c, n, q, v, e, s: (n, q, v, spoiled(c, e), s),
    'names': lambda c, n, q, v, e, s: (odd_names(c, n), q, v, e, s),
    'number of positions': lambda c, n, q, v, e, s: (n, resized(c, q), v, e, s),
    'number of velocities': lambda c, n, q, v, e, s: (n, q, resized(c, v), e, s),
    'no positions': lambda c, n, q, v, e, s: (n, q[:0], v, e, s),
    'distance': lambda c, n, q, v, e, s: (n, q + c.choice((0.2, -1.0, 57.3, 1e308)), v, e, s),
    'future': lambda c, n, q, v, e, s: (n, q, v, e, s + c.choice((10**9, 2**62))),
    'age': lambda c, n, q, v, e, s: (n, q, v, e, s - c.choice((10**9, 10**18))),
}
"""Changes of a command, each of which must be rejected: of chance, and the command's fields."""
