# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""One QP over joint velocities, its barriers, and the proof of its answer.

A bound on the velocity alone is not enough where joints brake at a limited rate. So every barrier h
is evaluated at the end (and, where that is not enough, along the path) of the *full brake* from a
command. With u the next velocity and u_b the full brake's, which leaves h unchanged, the rows are

    ∇h·S·(u − u_b) ≥ −γ·max(h, 0),        γ = 1 − exp(−rate·T)

S being how far u moves each joint on the brake path (its leverage, see `BrakePath`). The joints
follow their commands through servos: braking from u they overshoot by about u·lag, which counts
where it makes h smaller. This is a control barrier function in discrete time (Ames et al. 2019,
ECC; Agrawal and Sreenath 2017, RSS) for the backup policy "brake" (Gurriet et al. 2020). u_b
satisfies every row and lies inside the box, so there always is an answer; a robot that starts where
h < 0 may stay or come back, never go further.

In the mode PATH the largest share of the wanted velocity that satisfies the rows comes first (see
`path_following`); the QP answers where there is none, or where the path is blocked.

The answer is then proven on the real geometry (`conservative_advancement`).
If that fails, half of the way from the brake to it is tried, then the brake, whose path was proven
with the command before.
"""

import math
import time
from collections.abc import Callable, Sequence

import numpy as np

from vla_robot import RobotModel
from vla_robot.collision import CollisionModel, Obstacle
from vla_safety.coupled.barriers import BarrierSet
from vla_safety.coupled.brake_path import BrakePath
from vla_safety.coupled.collision import CollisionBarrier
from vla_safety.coupled.conservative_advancement import ConservativeAdvancement
from vla_safety.coupled.constraint_rows import ROOM, RowSet
from vla_safety.coupled.known_obstacles import KnownObstacles
from vla_safety.coupled.limits import CoupledMode, CoupledSettings, Infeasible, MotionState
from vla_safety.coupled.nearest_first import NearestFirst
from vla_safety.coupled.path_following import GENTLE_RATE, PathFollowing
from vla_safety.coupled.power import PowerLimit
from vla_safety.coupled.proximity import Proximity
from vla_safety.coupled.qp import TOLERANCE, DaqpSolver, NearestVelocity, nearest
from vla_safety.coupled.support import Support
from vla_safety.coupled.workspace import Workspace
from vla_safety.kernel import barriers as loops
from vla_safety.known_world import KnownWorld
from vla_safety.violations import Violation, ViolationKind, violation

SHARES = (1.0, 0.5)
"""Of the way from the brake to the QP's answer, tried in this order."""

RECOVERY = 5.0
"""1/s, share of a lost margin that is requested back."""

REPORTED = 4

AT_REST = 1e-9
"""rad/s."""


class BrakingBarriers:
    """See the module; a CoupledLimits.

    Args:
        acceleration: (n,) rad/s², of the full brake.
        effort: (n,) Nm, limit of the servos.
        obstacles: the surroundings.
        solver: of the QP; None takes DAQP.
        clock: s, of the time budget; by default CPU time of the thread, because a tick that the
            scheduler delayed is no fault of the solver.
    """

    def __init__(
        self,
        robot: RobotModel,
        settings: CoupledSettings,
        acceleration: np.ndarray,
        effort: np.ndarray,
        obstacles: Sequence[Obstacle] = (),
        solver: NearestVelocity | None = None,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        s = settings
        self._settings = s
        self._clock = clock
        self._acceleration = np.array(acceleration, dtype=float)
        self._model = model = CollisionModel(robot, obstacles)
        self._solver = solver or DaqpSolver(robot.n)
        self._path = BrakePath(self._acceleration)
        self._support = Support(robot, model, s.support_margin)
        self._proximity = Proximity(
            model, s.proximity_frames, s.proximity_margin, s.proximity_timeout
        )
        barriers = (
            CollisionBarrier(model, s.margin, s.floor),
            Workspace(model, s.frames, s.lower, s.upper),
            self._support,
        )
        self._obstacles = KnownObstacles(model, s.margin, s.floor, robot.hands, robot.n)
        self._barriers = (*barriers, self._obstacles)
        self._payload: list[tuple[str, float, tuple[float, ...]]] = []
        self._connect()
        self._power = PowerLimit(robot.servo.kp, robot.servo.kv, effort, s.power)
        self._rows = RowSet(model)
        self._motion = np.zeros((2, robot.n))
        self._reserve(ROOM)
        self._known = (b'', b'')
        self._appeared: Violation | None = None
        self._follow = PathFollowing() if s.mode is CoupledMode.PATH else None
        self.findings: list[Violation] = []
        self.solved = 0

    def _connect(self) -> None:
        """Number the barriers' quantities; those that are known already keep what is known."""
        s = self._settings
        self._quantities = quantities = BarrierSet(self._model, self._barriers)
        bounds = NearestFirst(
            quantities.distance_bounds, quantities.zeros, quantities.spares, s.lag
        )
        proof = ConservativeAdvancement(quantities, bounds, s.max_configurations)
        if hasattr(self, '_bounds'):
            bounds.take(self._bounds)
            proof.take(self.proof)
        self._bounds, self.proof = bounds, proof
        self._obstacles.connect(quantities, bounds, proof)

    @property
    def on_path(self) -> bool:
        """See CoupledLimits."""
        return self._follow is not None and self._follow.on_path

    def set_contacts(self, left: bool, right: bool) -> None:
        """The feet that carry the robot."""
        if self._support.set_contacts(left, right):
            self._bounds.forget(self._quantities.subjects.index(self._support.subjects[0]))

    def set_range(self, frame: str, distance: float, age: float) -> None:
        """A reading of a range sensor; see Proximity."""
        self._proximity.set_range(frame, distance, age)

    def set_known(self, world: KnownWorld, now: float) -> None:
        """The obstacles, and the objects in the hands. now: s, steady."""
        obstacles = self._obstacles
        if not world.changes:
            return
        if world.changes != obstacles.changes and obstacles.reserve(len(world.obstacles)):
            self._connect()
        if obstacles.update(world, now):
            self._known = (b'', b'')  # the rows are those of before
            self._set_payload(world)

    def _note_appeared(self, proven: bool) -> None:
        """Something came too near for the brake path: come to rest, then go on from there."""
        obstacles, worst = self._obstacles, self.proof.worst
        if obstacles.is_news and not proven and obstacles.owns(worst):
            subject = self._quantities.subjects[worst]
            self._appeared = violation(subject.kind, subject.name)
        obstacles.is_news = False

    def _set_payload(self, world: KnownWorld) -> None:
        held = [known.reading for known in world.carried.values()]
        payload = [(item.hand, item.mass, item.position) for item in held]
        if payload != self._payload:
            self._payload = payload
            self._model.set_payload(payload)
            support = self._quantities.subjects.index(self._support.subjects[0])
            self._bounds.begin(support, self._support.update_bounds())

    def restrict(
        self, wanted: np.ndarray, low: np.ndarray, high: np.ndarray, state: MotionState
    ) -> np.ndarray:
        """See CoupledLimits."""
        begin = self._clock()
        self.findings = []
        if (state.position.tobytes(), state.velocity.tobytes()) != self._known:
            # The filter sent another velocity than the last answer: a stop, or a reset.
            proven = self._assess(state.position, state.velocity, state.period, strict=False)
            self._note_appeared(proven)
        if self._appeared is not None and not (np.abs(state.velocity) > AT_REST).any():
            self._appeared = None
        stopped_by = self._obstacles.stale or self._appeared
        if stopped_by is not None:
            self.findings.append(stopped_by)
            brake = state.brake
            self._assess(state.position + brake * state.period, brake, state.period, strict=False)
            return brake
        velocity = self._nearest(wanted, low, high, state)
        velocity = self._limit_power(velocity, low, high, state)
        if not self._clock() - begin <= self._settings.time_budget:
            raise Infeasible('late')
        brake = state.brake
        for share in SHARES:
            if share < 1.0:
                candidate = brake + share * (velocity - brake)
                np.minimum(np.maximum(candidate, low), high, out=candidate)
            else:
                candidate = velocity
            position = state.position + candidate * state.period
            if self._assess(position, candidate, state.period, strict=True):
                return candidate
            if not self._clock() - begin <= self._settings.time_budget:
                break
        worst = self.proof.worst
        subject = self._quantities.subjects[worst].name if worst >= 0 else ''
        self.findings.append(violation(ViolationKind.UNPROVEN, subject))
        self._assess(state.position + brake * state.period, brake, state.period, strict=False)
        return brake

    def _nearest(
        self, wanted: np.ndarray, low: np.ndarray, high: np.ndarray, state: MotionState
    ) -> np.ndarray:
        """The answer of the QP; the wanted velocity where it satisfies every row."""
        rows, follow = self._rows, self._follow
        if not len(rows):
            if follow is not None:
                follow.update(1.0, state.period)
            return wanted
        s, count = self._settings, len(rows)
        if len(self._scaled) < count:
            self._reserve(2 * count)
        self._motion[0], self._motion[1] = state.velocity, state.brake
        gamma = 1.0 - math.exp(-s.rate * state.period)
        gentle = gamma
        if self.on_path:
            gentle = 1.0 - math.exp(-min(s.rate, GENTLE_RATE) * state.period)
        short = loops.constrain(
            rows.buffer,
            rows.along,
            count,
            self._motion,
            self._acceleration,
            wanted,
            self._scaled,
            self._required,
            state.period,
            s.lag,
            gentle,
            s.margin - s.floor,
            RECOVERY * state.period,
        )
        if short <= TOLERANCE:  # Not where one is not a number.
            if follow is not None:
                follow.update(1.0, state.period)
            return wanted
        if not math.isfinite(short):
            raise Infeasible('barriers not finite')
        scaled = self._scaled[:count]
        floor, outwards, shortage, clearance = self._required[:, :count]
        share = -1.0
        if follow is not None:
            share = loops.path_share(wanted, low, high, self._required, count)
            if share < 0.0 and gentle < gamma:
                more = (gamma - gentle) * np.maximum(clearance, 0.0)
                floor -= more
                outwards -= more
                shortage -= more
                share = loops.path_share(wanted, low, high, self._required, count)
            follow.update(share, state.period)
        self._report(rows, shortage)
        if self.on_path and share >= 0.0:
            return np.minimum(np.maximum(share * wanted, low), high)  # rounding
        self.solved += 1
        if outwards.tobytes() != floor.tobytes():
            try:
                return nearest(self._solver, wanted, low, high, scaled, outwards)
            except Infeasible:
                pass
        return nearest(self._solver, wanted, low, high, scaled, floor)

    def _report(self, rows: RowSet, shortage: np.ndarray) -> None:
        """List the rows that the wanted velocity falls short of, the worst first."""
        named: set[str] = set()
        for k in (-shortage).argsort().tolist():
            if shortage[k] <= TOLERANCE or len(self.findings) >= REPORTED:
                break
            subject, limit = rows.subjects[k], rows.limit[k]
            if subject.name not in named:
                named.add(subject.name)
                left = limit + float(self._required[3, k])
                self.findings.append(violation(subject.kind, subject.name, left, limit))

    def _reserve(self, rows: int) -> None:
        self._scaled = np.zeros((rows, len(self._acceleration)))
        self._required = np.zeros((4, rows))

    def _limit_power(
        self, velocity: np.ndarray, low: np.ndarray, high: np.ndarray, state: MotionState
    ) -> np.ndarray:
        power = self._power
        if power.harmless(velocity):
            return velocity
        power.update(
            state.position,
            state.velocity,
            state.measured_position,
            state.measured_velocity,
            state.feed_forward,
        )
        share = power.share(velocity, state.brake)
        if share >= 1.0:
            return velocity
        self.findings.append(violation(ViolationKind.POWER, '', power.power(velocity), power.limit))
        if self.on_path:
            slower = velocity * (power.limit / power.power(velocity))
            rows, floor = self._scaled[: len(self._rows)], self._required[0, : len(self._rows)]
            if loops.is_feasible(slower, low, high, rows, floor, TOLERANCE) and (
                power.power(slower) <= power.limit + TOLERANCE
            ):
                return slower
        # Between two answers of a convex problem there are only answers.
        return state.brake + share * (velocity - state.brake)

    def _assess(
        self, position: np.ndarray, velocity: np.ndarray, period: float, strict: bool
    ) -> bool:
        """Rows and proof of the brake path from a command; the rows serve the next tick."""
        path, rows, model, bounds = self._path, self._rows, self._model, self._bounds
        path.set(position, velocity, period)
        if self._obstacles.moving:
            self._obstacles.look_ahead(path.duration + period)
        near = bounds.candidates(path, velocity, self._acceleration, period)
        rows.clear()
        self._known = (position.tobytes(), velocity.tobytes())
        sensing = bool(self._proximity)
        if near or sensing:
            self._quantities.place(path.stop, near)
        if sensing:
            self._proximity.append(model, rows, bounds.reach, path.stop - path.start, velocity)
        return self.proof.assess(path, near, rows, period, strict)
