# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Hostile input against the box limits of the safety filter, with an oracle that shares no code
with it."""

import dataclasses
import time
from collections import Counter
from collections.abc import Callable

import numpy as np

from vla_common.chunk_curve import Interpolation
from vla_common.states import FilterState
from vla_safety.chunk import Chunk
from vla_safety.coupled import Infeasible, MotionState
from vla_safety.coupled.limits import CoupledMode, CoupledSettings
from vla_safety.filter import SafetyFilter
from vla_safety.known_world import ObstacleRules, StalePolicy
from vla_safety.parameters import FilterParameters
from vla_safety.testing.box_oracle import BoxOracle
from vla_safety.testing.synthetic import SyntheticRobot
from vla_safety.validation import ChunkRules
from vla_safety.violations import ViolationKind, violation

COUPLED = CoupledSettings(
    mode=CoupledMode.QP,
    rate=30.0,
    lag=0.06,
    time_budget=1.0,
    margin=0.02,
    floor=0.01,
    max_configurations=12,
    surroundings='',
    frames=('left_hand', 'right_hand'),
    lower=(-0.4, -0.9, -0.5),
    upper=(0.8, 0.9, 1.2),
    support_margin=0.01,
    power=1500.0,
    proximity_frames=(),
    proximity_margin=0.05,
    proximity_timeout=0.2,
)
"""As shipped, with a large time budget: the result must not depend on the machine's load."""

OBSTACLES = ObstacleRules(32, 1.0, StalePolicy.KEEP, 2.0, 2.0)
"""As shipped."""

MODES = tuple(mode.value for mode in CoupledMode)

EPISODE = 500
"""Ticks after which everything is drawn again."""


class JunkLimits:
    """Coupled limits that fail in every way that the filter has to catch."""

    findings = ()

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    @property
    def on_path(self) -> bool:
        return bool(self._rng.random() < 0.5)

    def restrict(
        self, wanted: np.ndarray, low: np.ndarray, high: np.ndarray, state: MotionState
    ) -> np.ndarray:
        match self._rng.integers(0, 12):
            case 0:
                raise Infeasible('none')
            case 1:
                return np.full_like(wanted, np.nan)
            case 2:
                return wanted * 1e6
            case 3:
                return wanted[:-1]
            case 4:
                return self._rng.uniform(low, high)
            case 5:
                return low.copy()
        return wanted


def random_parameters(rng: np.random.Generator) -> FilterParameters:
    """Settings anywhere in their ranges."""
    return FilterParameters(
        stage=str(rng.choice(['sim', 'slow', 'fast'])),
        interpolation=Interpolation(str(rng.choice([kind.value for kind in Interpolation]))),
        cross_fade=float(rng.uniform(0.01, 0.5)),
        max_playback_age=5.0,
        rules=ChunkRules(
            max_age=0.5,
            max_future=0.05,
            max_points=64,
            max_horizon=5.0,
            max_first_step=float(rng.uniform(0.5, 3.0)),
            max_excess=float(rng.uniform(0.0, 3.0)),
        ),
        velocity_fraction=float(rng.uniform(0.2, 1.0)),
        acceleration_fraction=float(rng.uniform(0.2, 1.0)),
        effort_fraction=float(rng.uniform(0.3, 1.0)),
        braking_lag=float(rng.choice([0.0, 1.0, 3.0])),
        min_period=1e-4,
        max_period=float(rng.uniform(0.004, 0.1)),
        speed_scale_rate=float(rng.uniform(0.5, 20.0)),
        hold_limit=5.0,
        coupled=dataclasses.replace(COUPLED, mode=CoupledMode(str(rng.choice(MODES)))),
        obstacles=OBSTACLES,
    )


class Adversary:
    """Draws the filter's input, for a robot of n joints."""

    def __init__(self, robot: object, rng: np.random.Generator) -> None:
        self._robot = robot
        self._rng = rng
        self._n = len(robot.joint_names)
        self._clock = rng.choice(['steady', 'jitter', 'wild'])
        self._style = 'step'
        self._sent: list[Chunk] = []
        self._drift = rng.choice([-1.0, 1.0], self._n)

    def period(self) -> float:
        rng = self._rng
        if self._clock == 'steady':
            return 0.01
        if self._clock == 'jitter':
            return float(abs(rng.normal(0.01, 0.003)))
        if rng.random() < 0.01:
            return float(rng.choice([0.0, -0.01, 1e-7, np.nan, np.inf, 10.0]))
        return float(np.exp(rng.uniform(np.log(1e-4), np.log(0.2))))

    def chunk(self, now: float, position: np.ndarray) -> Chunk:
        rng, limits = self._rng, self._robot.limits
        if rng.random() < 0.1:
            self._style = str(rng.choice(['step', 'drift', 'swing', 'noise', 'hold', 'junk']))
        h = int(rng.integers(1, 20))
        k = int(rng.integers(1, self._n + 1))
        joints = rng.permutation(self._n)[:k].astype(np.intp)
        times = np.cumsum(rng.uniform(0.002, 0.2, h))
        low, high = limits.lower[joints], limits.upper[joints]
        here = position[joints]
        if self._style == 'step':
            positions = np.tile(np.where(rng.random(k) < 0.5, low - 0.4, high + 0.4), (h, 1))
        elif self._style == 'drift':
            positions = here + self._drift[joints] * limits.velocity[joints] * times[:, None] * 2
        elif self._style == 'swing':
            positions = np.where(np.arange(h)[:, None] % 2, low, high) * np.ones(k)
        elif self._style == 'noise':
            positions = here + rng.normal(0, 0.5, (h, k))
        else:
            positions = np.tile(here, (h, 1))
        if rng.random() < 0.85:
            positions[0] = here  # get past the plausibility check more often
        velocities = rng.normal(0, 20.0, (h, k)) if rng.random() < 0.2 else None
        chunk = Chunk(joints, times, positions, now - float(rng.uniform(0, 0.1)), velocities)
        if self._style == 'junk':
            chunk = self._spoil(chunk)
        self._sent.append(chunk)
        return self._sent[int(rng.integers(0, len(self._sent)))] if rng.random() < 0.05 else chunk

    def _spoil(self, chunk: Chunk) -> Chunk:
        rng = self._rng
        joints, times = chunk.joints.copy(), chunk.times.copy()
        positions, stamp = chunk.positions.copy(), chunk.stamp
        spot = tuple(rng.integers(0, size) for size in positions.shape)
        case = rng.integers(0, 9)
        if case == 0:
            positions[spot] = rng.choice([np.nan, np.inf, -np.inf, 1e308, -1e300, 57.3])
        elif case == 1:
            joints[0] = rng.choice([-1, self._n, 10**6, joints[-1]])
        elif case == 2:
            times = times[::-1].copy()
        elif case == 3:
            times[rng.integers(0, len(times))] = rng.choice([np.nan, np.inf, 0.0, -1.0, 1e9])
        elif case == 4:
            positions = positions[:, :-1]
        elif case == 5:
            stamp += float(rng.choice([-10.0, 10.0, np.nan, np.inf]))
        elif case == 6:
            positions = positions[:0]
        elif case == 7:
            times = np.repeat(times, 2)[: len(times)]
        else:
            positions = positions.ravel()
        return Chunk(joints, times, positions, stamp, None)

    def measured(self, command: np.ndarray, velocity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rng = self._rng
        case = rng.random()
        if case < 0.005:
            bad = command.copy()
            bad[rng.integers(0, self._n)] = rng.choice([np.nan, np.inf])
            return bad, velocity
        if case < 0.05:
            return command + rng.normal(0, 1.0, self._n), velocity + rng.normal(0, 5.0, self._n)
        return command + rng.normal(0, 0.02, self._n), velocity + rng.normal(0, 0.1, self._n)

    def speed_scale(self) -> float:
        rng = self._rng
        if rng.random() < 0.02:
            return float(rng.choice([np.nan, np.inf, -1.0, 2.0]))
        return float(rng.choice([0.0, 0.5, 1.0, 1.0, 1.0]))


def attack(
    ticks: int,
    seed: int,
    robot: object | None = None,
    adversary_of: Callable[[object, np.random.Generator], Adversary] = Adversary,
) -> dict[str, object]:
    """Run `ticks` adversarial ticks; return the summary that --json prints."""
    rng = np.random.default_rng(seed)
    violations: Counter[str] = Counter()
    states: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    accepted = commands = brakes = 0
    first = ''
    begin = time.perf_counter()
    done = 0
    while done < ticks:
        body = robot or SyntheticRobot.random(
            int(rng.integers(1, 9)), int(rng.integers(0, 2**31)), bool(rng.random() < 0.3)
        )
        parameters = random_parameters(rng)
        coupled = (JunkLimits(rng),) if rng.random() < 0.3 else ()
        subject = SafetyFilter(body, parameters, coupled)
        oracle = BoxOracle(
            body,
            parameters.velocity_fraction,
            parameters.acceleration_fraction,
            parameters.effort_fraction,
            parameters.max_period,
            rng,
        )
        start = rng.uniform(oracle.lower, oracle.upper)
        subject.reset(start)
        oracle.reset(start)
        adversary = adversary_of(body, rng)
        now, owed = 100.0, 0.0
        output = None
        sent, speed = start, np.zeros_like(start)
        for _ in range(min(EPISODE, ticks - done)):
            done += 1
            dt = adversary.period()
            now += dt if 0.0 < dt < 1.0 else 0.0
            q, qd = adversary.measured(sent, speed)
            if rng.random() < 0.1:
                reasons = subject.accept(adversary.chunk(now, sent), now, q)
                accepted += not reasons
                refused.update(item.kind.value for item in reasons[:1])
            if rng.random() < 0.002:
                subject.flush('adversary')
            stop = violation(ViolationKind.STATE_STALE) if rng.random() < 0.01 else None
            before = output
            output = subject.tick(now, dt, q, qd, adversary.speed_scale(), None, stop)
            states[FilterState(output.state).name] += 1
            if output is before:
                owed += dt if dt > 0.0 else 0.0  # a repeated command
                continue
            # Elapsed time for the oracle, from the same clock.
            elapsed = (dt if dt > 0.0 else 0.0) + owed
            elapsed = max(elapsed if np.isfinite(elapsed) else parameters.max_period, 1e-4)
            owed = 0.0
            trusted = stop is None and np.isfinite(q).all()
            braked = bool(output.counts.get(ViolationKind.INFEASIBLE))
            plain = trusted and not braked
            oracle.check(
                elapsed,
                output.position,
                output.velocity,
                output.effort,
                q if plain else None,
                qd if plain else None,
            )
            sent, speed = output.position, output.velocity
        violations.update(oracle.found)
        commands += oracle.commands
        brakes += oracle.brakes
        first = first or oracle.first
    return {
        'ticks': done,
        'commands_judged': commands,
        'brakes_played': brakes,
        'seed': seed,
        'violations': sum(violations.values()),
        'by_kind': dict(violations),
        'first': first,
        'chunks_accepted': accepted,
        'chunks_refused': dict(sorted(refused.items())),
        'states': dict(sorted(states.items())),
        'seconds': round(time.perf_counter() - begin, 1),
    }
