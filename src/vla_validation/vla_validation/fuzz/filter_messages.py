# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Subject `filter`: odd chunks, supervisor states and readings for the safety filter's core."""

import random
from collections.abc import Callable

import numpy as np

from vla_common.states import FilterState, Mode
from vla_safety.filter import SafetyFilter
from vla_safety.filter_runtime import FilterRuntime, Report, Timeouts
from vla_safety.joint_readings import JointReadings
from vla_safety.parameters import load_parameters
from vla_safety.supervisor_command import SupervisorCommand
from vla_safety.testing.box_oracle import BoxOracle
from vla_safety.testing.synthetic import SyntheticRobot
from vla_validation.fuzz.odd import (
    FINITE,
    NOT_FINITE,
    Clock,
    extreme,
    odd_names,
    odd_stamp,
    resized,
    spoiled,
)
from vla_validation.fuzz.outcome import (
    CaseResult,
    Outcome,
    SilentlyAccepted,
    UnexpectedMotion,
    assess,
)

TICKS = 150
PERIOD = 0.01  # s
TIMEOUT = 0.1  # s, of every source
ODD = 0.15  # share of odd messages
RECOVERY = 60  # ticks without odd messages, after which the filter must track again
MODES = (Mode.INACTIVE, Mode.READY, Mode.RUNNING, Mode.RUNNING, Mode.SAFE_STOP, Mode.ESTOP)


class FilterSubject:
    """See the module."""

    def __init__(self) -> None:
        self._parameters = load_parameters()

    def run(self, seed: int) -> CaseResult:
        case = _Case(self._parameters, seed)
        result = assess(case.play, 'messages')
        if result.outcome is Outcome.WORKS:
            return CaseResult(Outcome.REFUSED, case.text, f'{case.rejected} rejected')
        return CaseResult(result.outcome, case.text, result.detail)


class _Case:
    """Supervisor, joints that follow commands, a policy, and the oracle that checks commands."""

    def __init__(self, parameters, seed: int) -> None:
        self._chance = chance = random.Random(seed)
        self._clock = Clock()
        n = chance.randint(1, 4)
        self._robot = robot = SyntheticRobot.random(n, chance.randrange(2**31))
        self._core = SafetyFilter(robot, parameters)
        self._runtime = FilterRuntime(self._core, Timeouts(*(5 * [TIMEOUT])), 0.3)
        self._oracle = BoxOracle(
            robot, parameters.velocity_fraction, parameters.acceleration_fraction,
            parameters.effort_fraction, parameters.max_period, np.random.default_rng(seed),
            brake_every=10**9,
        )  # fmt: skip
        lower, upper = robot.limits.lower, robot.limits.upper
        self._q = lower + (upper - lower) * np.array([chance.uniform(0.2, 0.8) for _ in range(n)])
        self._v = np.zeros(n)
        self._mode, self._epoch, self._sequence = Mode.INACTIVE, 1, 1000
        self._sent: list[SupervisorCommand] = []
        self._last_sent = -np.inf
        self._tracking, self._owed, self._output = False, 0.0, None
        self._state = FilterState.GATED
        self.rejected = 0
        self.text = ''

    def play(self) -> None:
        """Raises SilentlyAccepted, UnexpectedMotion, and whatever the core raises."""
        for _ in range(5):
            self._step(odd=0.0)
        for tick in range(TICKS):
            if tick % 15 == 3:
                self._mode = self._chance.choice(MODES)
                self._epoch += self._mode is Mode.RUNNING
            self._step(ODD)
        self._mode = Mode.READY
        for tick in range(RECOVERY):
            if tick == RECOVERY // 2:
                self._mode, self._epoch = Mode.RUNNING, self._epoch + 1
            self._step(odd=0.0)
        if self._state is not FilterState.TRACKING:
            raise SilentlyAccepted(f'good messages do not count after odd ones: {self._state.name}')

    def _step(self, odd: float) -> None:
        chance, clock = self._chance, self._clock
        dt = PERIOD if not odd or chance.random() > 0.05 else chance.choice((1e-7, 0.002, 0.3, 5.0))
        clock.advance(dt)
        self._supervise(odd)
        self._read(self._runtime.measured, self._q, self._v, odd)
        self._read(self._runtime.reference, self._q, self._v, odd)
        self._sense(odd)
        if chance.random() < 0.2 or (not odd and self._sequence % 5 == 0):
            self._chunk(odd)
        report = self._runtime.tick(clock.now)
        self._check(report, dt)
        self._state = report.state

    # --- messages --------------------------------------------------------------------------

    def _is_odd(self, share: float) -> bool:
        return self._chance.random() < share

    def _supervise(self, odd: float) -> None:
        chance, clock = self._chance, self._clock
        if self._is_odd(odd / 2) and self._sent:
            # A replayed message; after a silence, one of a supervisor that runs again.
            old = chance.choice(self._sent)
            self._command(old)
            self.text, self.rejected = f'replayed supervisor state {old}', self.rejected + 1
        if self._is_odd(odd):
            return
        scale = chance.choice((*NOT_FINITE, *FINITE)) if self._is_odd(odd) else 1.0
        self._sequence += 1
        command = SupervisorCommand(self._mode, self._epoch, scale, clock.ns, self._sequence)
        self._command(command)
        self._sent.append(command)
        self._last_sent = clock.now

    def _command(self, command: SupervisorCommand) -> None:
        gate, now = self._runtime.gate, self._clock.now
        before, silent = gate.command, gate.silent(now)
        self._runtime.on_supervisor(command, now)
        if gate.command is before or before is None:
            return
        begun = before.mode, before.motion_epoch
        if silent or begun != (gate.command.mode, gate.command.motion_epoch):
            self._tracking = False  # another motion, from what the servos track

    def _read(self, source: JointReadings, q: np.ndarray, v: np.ndarray, odd: float) -> None:
        chance, clock = self._chance, self._clock
        if not self._is_odd(odd):
            source.update(q, v, clock.ns, clock.now, clock.ns)
            return
        stamp, harmless = clock.ns, False
        kind = chance.choice(('position', 'velocity', 'stamp', 'far', 'fast', 'none'))
        if kind == 'none':
            return
        if kind == 'position':
            q = spoiled(chance, q)
        elif kind == 'velocity':
            v = spoiled(chance, v)
        elif kind == 'stamp':
            stamp = odd_stamp(chance, clock)
        elif kind == 'far':
            q = q + chance.choice((-1.0, 1.0)) * chance.choice((1e3, 1e30, 1e308))
        elif source is self._runtime.measured:
            v, harmless = extreme(chance, v), True
        else:
            return
        accepted = source.update(q, v, stamp, clock.now, clock.ns)
        self.text, self.rejected = f'reading with odd {kind}', self.rejected + (not accepted)
        if accepted and not harmless:
            raise SilentlyAccepted(f'accepted: a reading with odd {kind}')

    def _sense(self, odd: float) -> None:
        chance, clock, runtime = self._chance, self._clock, self._runtime
        upright = np.array([1.0, 0.0, 0.0, 0.0])
        wxyz = chance.choice((spoiled, extreme))(chance, upright) if self._is_odd(odd) else upright
        stamp = odd_stamp(chance, clock) if self._is_odd(odd) else clock.ns
        runtime.on_imu(wxyz, stamp, clock.now, clock.ns)
        runtime.on_contacts(self._is_odd(0.5), True, chance.choice((stamp, 0, -1)), clock.now)
        distance = chance.choice((*NOT_FINITE, *FINITE)) if self._is_odd(odd) else 1.0
        accepted = runtime.on_range('hand', distance, stamp, clock.now, clock.ns)
        if accepted and not distance >= 0.0:
            raise SilentlyAccepted(f'accepted: a range of {distance} m')

    def _chunk(self, odd: float) -> None:
        chance, clock, robot = self._chance, self._clock, self._robot
        names, h = list(robot.joint_names), chance.randint(2, 12)
        times = 0.1 * (np.arange(h) + 1.0)
        goal = robot.limits.lower + (robot.limits.upper - robot.limits.lower) * chance.random()
        share = np.linspace(0.0, 1.0, h)[:, None]
        positions: np.ndarray | None = self._q + share * np.clip(goal - self._q, -0.5, 0.5)
        velocities, stamp, kind = None, clock.ns, ''
        if self._is_odd(3 * odd):
            kind, change = chance.choice(list(_CHUNKS.items()))
            names, times, positions, velocities, stamp = change(
                chance, clock, names, times, positions, stamp
            )
        before = self._runtime.chunks_accepted
        age = (clock.ns - stamp) * 1e-9
        found = self._runtime.on_chunk(names, times, positions, velocities, stamp, age, clock.now)
        if not kind:
            return
        self.text, self.rejected = f'chunk with odd {kind}', self.rejected + bool(found)
        if self._runtime.chunks_accepted > before:
            raise SilentlyAccepted(f'accepted: a chunk with odd {kind}')

    # --- what comes out --------------------------------------------------------------------

    def _check(self, report: Report, dt: float) -> None:
        command = report.command
        moving = report.state is not FilterState.GATED
        newest = self._sent[-1].mode if self._sent else None
        if moving and newest is not Mode.RUNNING:
            raise UnexpectedMotion(f'{report.state.name} in mode {newest and newest.name}')
        silent = not self._clock.now - self._last_sent <= TIMEOUT
        if report.state is FilterState.TRACKING and silent:
            raise UnexpectedMotion('tracks a chunk without a supervisor')
        if command is None:
            if moving:
                raise UnexpectedMotion(f'{report.state.name} without a command')
            self._tracking = False
            return
        if not all(np.isfinite(x).all() for x in (command.position, command.velocity,
                                                   command.effort)):  # fmt: skip
            raise UnexpectedMotion('a command that is not finite')
        if not moving:
            if command.velocity.any():
                raise UnexpectedMotion(f'a gated command moves: {command.velocity}')
            self._tracking = False
            return
        self._judge(command, dt)
        self._q, self._v = command.position.copy(), command.velocity.copy()

    def _judge(self, command, dt: float) -> None:
        """Limits of position, velocity and acceleration, by the oracle."""
        oracle = self._oracle
        if not self._tracking:  # it begins at the servos' reference
            self._tracking, self._owed = True, 0.0
            oracle.p, oracle.v = command.position.copy(), command.velocity.copy()
            oracle.g = command.effort.copy()
        elif command is self._output:
            self._owed += dt
        else:
            elapsed, self._owed = max(dt + self._owed, 1e-4), 0.0
            oracle.check(elapsed, command.position, command.velocity, command.effort)
        self._output = command
        if oracle.found:
            raise UnexpectedMotion(oracle.first)


_Chunk = tuple[list[str], np.ndarray, np.ndarray | None, np.ndarray | None, int]
_CHUNKS: dict[str, Callable[..., _Chunk]] = {
    'numbers': lambda c, k, n, t, p, s: (n, t, _spoiled_row(c, p), None, s),
    'velocities': lambda c, k, n, t, p, s: (n, t, p, _spoiled_row(c, 0 * p), s),
    'degrees': lambda c, k, n, t, p, s: (n, t, p + c.choice((57.3, -1e6, 1e308)), None, s),
    'names': lambda c, k, n, t, p, s: (_other_names(c, n, p), t, p, None, s),
    'stamp': lambda c, k, n, t, p, s: (n, t, p, None, odd_stamp(c, k)),
    'order': lambda c, k, n, t, p, s: (n, t[::-1].copy(), p, None, s),
    'times': lambda c, k, n, t, p, s: (n, spoiled(c, t), p, None, s),
    'late times': lambda c, k, n, t, p, s: (n, t * 1e6, p, None, s),
    'size': lambda c, k, n, t, p, s: (n, resized(c, t), p, None, s),
    'ragged points': lambda c, k, n, t, p, s: (n, t, None, None, s),
    'no points': lambda c, k, n, t, p, s: (n, t[:0], p[:0], None, s),
    'no joints': lambda c, k, n, t, p, s: ([], t, p[:, :0], None, s),
}
"""Changes of a chunk, each of which must be rejected: of chance, clock, and the chunk's parts."""


def _spoiled_row(chance: random.Random, table: np.ndarray) -> np.ndarray:
    table = table.copy()
    row = chance.randrange(len(table))
    table[row] = spoiled(chance, table[row])
    return table


def _other_names(chance: random.Random, names: list[str], positions: np.ndarray) -> list[str]:
    """Unknown or repeated names; a part of the joints would be a valid chunk."""
    while True:
        other = odd_names(chance, names)
        if len(other) >= len(names):
            return other
