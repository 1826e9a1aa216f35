# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Chunks that drive the robot, and what it carries, into obstacles that come, go and move.

The obstacles keep to what they declare (speed, position error) and are reported at uneven times.
They also move into the robot, which the filter cannot prevent. So a contact counts as one *by
command* where a pair touches after the command, and would not touch had the robot not moved. Not
counted, but listed: contacts of a pair that was nearer than the filter's floor, its uncertainty
included, through no motion of the robot: an obstacle that came or appeared, or an object that was
gripped there. Inside an uncertainty nobody knows which way is out. MuJoCo measures; BoxOracle
checks the box limits.
"""

import dataclasses
import time
from collections import Counter

import numpy as np

from vla_robot import RobotModel
from vla_safety.coupled.build import braking_barriers
from vla_safety.filter import SafetyFilter
from vla_safety.known_world import Arrival, HeldObject, KnownWorld, ObstacleReading
from vla_safety.obstacle_shape import ObstacleShape, ShapeType
from vla_safety.parameters import FilterParameters
from vla_safety.testing.box_oracle import BoxOracle
from vla_validation.filter.collision_attack import PERIOD, REACH, Striker
from vla_validation.filter.mujoco_oracle import FAR, MujocoOracle

EPISODE = 20.0
"""s after which everything is drawn again."""
WAIT = 0.5
"""s, the longest between two reports on an obstacle."""
SLACK = 1e-3
"""m; see `vla_safety.coupled.collision.SPARE`."""
NEARER = 1e-9
"""m by which a pair must have come nearer without the robot."""
REST = 1e-6
"""rad/s."""
TOUCH = -1e-6
"""m; MuJoCo's distances of boxes are as exact."""
NS = 1_000_000_000


class MovingBox:
    """A box that moves within its declared bounds.

    Attributes:
        size, position: (3,) m. here: whether it exists.
    """

    def __init__(self, name: str, rng: np.random.Generator) -> None:
        self.name, self._rng = name, rng
        self.here = False
        self.size = np.full(3, 0.1)
        self.position = np.array(FAR)
        self._due = self._speed = self._error = self.reported_at = 0.0

    def appear(self) -> None:
        rng = self._rng
        self.here = True
        self.size = rng.uniform(0.04, 0.3, 3)
        self.position = rng.uniform(*REACH)
        self._speed = float(rng.choice([0.0, 0.0, 0.1, 0.5, 1.5]))
        self._error = float(rng.choice([0.0, 0.005, 0.03]))
        self._goal = rng.uniform(*REACH)
        self._due = 0.0

    def reach(self, now: float) -> float:
        """m by which it may be elsewhere than reported."""
        return self._error + self._speed * max(0.0, now - self.reported_at)

    def move(self, dt: float) -> None:
        way = self._goal - self.position
        length = float(np.linalg.norm(way))
        if length < 1e-3:
            self._goal = self._rng.uniform(*REACH)
        else:
            self.position = self.position + way * min(1.0, 0.999 * self._speed * dt / length)

    def report(self, now: float) -> ObstacleReading | None:
        """What is reported now, if anything."""
        if now < self._due:
            return None
        rng = self._rng
        self.reported_at = now
        self._due = now + float(rng.uniform(0.01, WAIT))
        noise = rng.uniform(-1.0, 1.0, 3)
        noise *= 0.999 * self._error / max(1.0, float(np.linalg.norm(noise)))
        return ObstacleReading(
            self.name,
            ObstacleShape(ShapeType.BOX, tuple(self.size.tolist())),
            tuple((self.position + noise).tolist()),
            (0.0, 0.0, 0.0, 1.0),
            self._speed,
            self._error,
        )


class _Episode:
    """A robot among obstacles."""

    def __init__(
        self,
        robot: RobotModel,
        parameters: FilterParameters,
        rng: np.random.Generator,
        boxes: int,
        oracles: tuple[MujocoOracle, MujocoOracle, MujocoOracle],
    ) -> None:
        self.robot, self.rng = robot, rng
        self.oracle, self.reported, self._postures = oracles
        self._floor = parameters.coupled.floor
        self._after: dict[str, float] = {}
        self._news: set[str] = set()
        self.now = 0.0
        self.barriers = braking_barriers(robot, parameters, lambda: 0.0)
        self.filter = SafetyFilter(robot, parameters, (self.barriers,))
        self.world = KnownWorld.of(robot, parameters.obstacles)
        self.boxes = [MovingBox(f'box_{k}', rng) for k in range(boxes)]
        self._acceleration = robot.limits.acceleration * parameters.acceleration_fraction
        for k, box in enumerate(self.boxes):
            self.oracle.set_box(k, box.size, box.position)
            self.reported.set_box(k, box.size, box.position)
        for hand in robot.hands:
            self.oracle.release(hand)
            self.reported.release(hand)
        self.striker = Striker(robot, self._postures, rng, np.arange(robot.n))
        self.sent = robot.poses[str(rng.choice(list(robot.poses)))].copy()
        self.speed = np.zeros(robot.n)
        self.filter.reset(self.sent)
        self.excused: set[str] = set()
        self._braking: set[str] = set()

    def arrival(self, now: float) -> Arrival:
        """Of a message that took up to 20 ms."""
        stamp = round((now - float(self.rng.uniform(0.0, 0.02))) * NS)
        return Arrival(stamp, now, round(now * NS))

    def change(self, now: float, dt: float, counts: Counter) -> None:
        """Move the obstacles, report on them, grip and release."""
        rng, oracle, self.now = self.rng, self.oracle, now
        readings, removed = [], []
        for k, box in enumerate(self.boxes):
            if not box.here:
                if rng.random() < 0.01:
                    box.appear()
                    counts['appeared'] += 1
            elif rng.random() < 0.001:
                box.here = False
                box.position = np.array(FAR)
                self.reported.set_box(k, box.size, box.position)
                if box.name in self.world.obstacles:
                    removed.append(box.name)
            else:
                box.move(dt)
            oracle.set_box(k, box.size, box.position)
            reading = box.report(now) if box.here else None
            if reading is not None:
                readings.append(reading)
                self.reported.set_box(k, box.size, np.array(reading.position))
                self._news.add(box.name)
        if readings or removed:
            # Reports describe the moment now: not older, as the box has moved since.
            why = self.world.on_obstacles(
                'base', readings, removed, Arrival(round(now * NS), now, round(now * NS))
            )
            counts['refused'] += bool(why)
        if self.robot.hands and rng.random() < 0.003:
            self._grip(now, str(rng.choice(self.robot.hands)), counts)
        self.barriers.set_known(self.world, now)

    def _grip(self, now: float, hand: str, counts: Counter) -> None:
        rng = self.rng
        attach = hand not in self.world.carried
        size, place = rng.uniform(0.03, 0.25, 3), rng.uniform(-0.06, 0.06, 3)
        item = HeldObject(
            hand,
            attach,
            f'object {now:.2f}',
            ObstacleShape(ShapeType.BOX, tuple(size.tolist())),
            tuple(place.tolist()),
            (0.0, 0.0, 0.0, 1.0),
            float(rng.uniform(0.0, 1.5)),
            0.0,
            '',
            0.0,
        )
        why = self.world.on_carried([item], self.arrival(now))
        counts['refused'] += bool(why)
        if why:
            return
        if attach:
            self.oracle.carry(hand, size, place)
            self.reported.carry(hand, size, place)
            self._news.add(f'in {hand}')
            counts['gripped'] += 1
        else:
            self.oracle.release(hand)
            self.reported.release(hand)

    def excuse(self) -> None:
        """Before a command: find the pairs that came too near without the robot."""
        now = self._distances(self.sent, self._pairs_of(self.reported))
        resting = not (np.abs(self.speed) > REST).any()
        for name in self.excused - now.keys():
            self.excused.discard(name)
        for name, d in now.items():
            before = self._after.get(name, np.inf)
            if d >= self._floor + SLACK and (resting or name not in self._braking):
                self.excused.discard(name)
            elif d < self._floor and before >= self._floor - SLACK and d < before - NEARER:
                self.excused.add(name)
        if resting:
            self._braking.clear()
        if self._news:
            self._excuse_brake()

    def _excuse_brake(self) -> None:
        """After news of an obstacle or object: where the full brake leads too near."""
        pairs = [p for p in self._pairs_of(self.reported) if self._news & self._parts(p[2])]
        self._news.clear()
        q, v, time = self.sent.copy(), self.speed.copy(), 0.0
        while v.any():
            v = np.sign(v) * np.maximum(np.abs(v) - self._acceleration * PERIOD, 0.0)
            q, time = q + v * PERIOD, time + PERIOD
            for name, d in self._distances(q, pairs, time).items():
                if d < self._floor + SLACK:
                    self.excused.add(name)
                    self._braking.add(name)

    def _pairs_of(self, oracle: MujocoOracle) -> list[tuple[int, int, str]]:
        """The pairs of obstacles and carried objects."""
        return [p for p in oracle.all_pairs() if 'box_' in p[2] or 'object' in p[2]]

    @staticmethod
    def _parts(name: str) -> set[str]:
        return set(name.removeprefix('object ').split('-'))

    def _distances(
        self, q: np.ndarray, pairs: list[tuple[int, int, str]], ahead: float = 0.0
    ) -> dict[str, float]:
        """m, from where the obstacles may be `ahead` s from now, by the reports; at most 0.5."""
        self.reported.place(q)
        reach = {b.name: b.reach(self.now + ahead) for b in self.boxes}
        return {
            pair[2]: self.reported.distance(pair, 0.5)
            - sum(reach.get(part, 0.0) for part in self._parts(pair[2]))
            for pair in pairs
        }

    def contacts(self, before: np.ndarray) -> tuple[list[str], list[str], float]:
        """(by command, excused, the least distance of the robot's own doing in m)."""
        oracle = self.oracle
        self._after = self._distances(self.sent, self._pairs_of(self.reported))
        pairs = oracle.all_pairs()
        oracle.place(self.sent)
        after = [oracle.distance(pair) for pair in pairs]
        least = min(after)
        touching = [pair for pair, d in zip(pairs, after, strict=True) if d < TOUCH]
        if not touching:
            return [], [], least
        oracle.place(before)
        entered = [pair[2] for pair in touching if oracle.distance(pair) >= 0.0]
        return (
            [name for name in entered if name not in self.excused],
            [name for name in entered if name in self.excused],
            least,
        )


def attack_obstacles(
    robot: RobotModel, parameters: FilterParameters, seconds: float, seed: int, boxes: int = 6
) -> dict[str, object]:
    """Attack for `seconds` of robot time; return the summary."""
    rng = np.random.default_rng(seed)
    rules = dataclasses.replace(parameters.rules, max_first_step=10.0, max_excess=3.0)
    parameters = dataclasses.replace(parameters, rules=rules)
    links = tuple(dict.fromkeys(link for pair in robot.collision_pairs for link in pair))
    oracles = (
        MujocoOracle(robot, boxes, links, robot.hands),
        MujocoOracle(robot, boxes, links, robot.hands),
        MujocoOracle(robot),
    )
    counts: Counter[str] = Counter()
    found: Counter[str] = Counter()
    where: Counter[str] = Counter()
    limits: Counter[str] = Counter()
    first, begin = '', time.perf_counter()
    ticks = contacts = excused = near = moving = 0
    elapsed, lowest = 0.0, np.inf
    while elapsed < seconds:
        episode = _Episode(robot, parameters, rng, boxes, oracles)
        subject, now = episode.filter, 100.0
        box = BoxOracle(
            robot,
            parameters.velocity_fraction,
            parameters.acceleration_fraction,
            parameters.effort_fraction,
            parameters.max_period,
            rng,
        )
        box.reset(episode.sent)
        jitter = rng.random() < 0.5
        for _ in range(round(EPISODE / PERIOD)):
            dt = PERIOD
            if jitter:
                dt = float(np.clip(rng.normal(PERIOD, 0.2 * PERIOD), 0.2 * PERIOD, 2 * PERIOD))
            now, elapsed, ticks = now + dt, elapsed + dt, ticks + 1
            episode.change(now, dt, counts)
            episode.excuse()
            loads = episode.world.loads(dt)
            if loads is not None:
                subject.set_payload(loads)
            if rng.random() < 0.08:
                q = episode.sent
                counts['chunks'] += not subject.accept(episode.striker.chunk(now, q), now, q)
            before = episode.sent
            output = subject.tick(now, dt, before, episode.speed)
            episode.sent, episode.speed = output.position, output.velocity
            found.update({kind.value: n for kind, n in output.counts.items()})
            box.check(dt, output.position, output.velocity, output.effort, None, None)
            moved = bool((np.abs(episode.speed) > REST).any())
            moving += moved
            by_command, forgiven, least = episode.contacts(before)
            contacts, excused = contacts + len(by_command), excused + len(forgiven)
            where.update(by_command)
            near += least < 0.03
            lowest = min(lowest, least)
            if by_command and not first:
                first = f'seed {seed}, tick {ticks}: {by_command[0]}'
            if elapsed >= seconds:
                break
        limits.update(box.found)
        first = first or box.first
    return {
        'robot_seconds': round(elapsed, 1),
        'ticks': ticks,
        'seed': seed,
        'violations': contacts + sum(limits.values()),
        'contacts_by_command': contacts,
        'contacts_with_what_came_too_near': excused,
        'limits': dict(limits),
        'first': first,
        'pairs': dict(where),
        'near_share': round(near / ticks, 4),
        'moving_share': round(moving / ticks, 4),
        'events': dict(counts),
        'counts': dict(sorted(found.items())),
        'seconds': round(time.perf_counter() - begin, 1),
    }
