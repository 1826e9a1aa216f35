# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Chunks that drive the robot into itself; MuJoCo checks whether they succeed.

Styles of attack, changed at random: `strike` (straight at full speed to a self-colliding posture,
the worst case), `flail` (to and fro between random postures), `press` (a little further towards a
blocked posture, again and again), `noise`, `replay` (an earlier chunk at another time). All joints
or some; a clock that is steady, jitters, or loses ticks; speed scales, sudden stops, flushes.
"""

import dataclasses
import time
from collections import Counter
from collections.abc import Sequence

import coal
import numpy as np

from vla_robot import RobotModel
from vla_robot.collision import Obstacle
from vla_safety.chunk import Chunk
from vla_safety.coupled.build import braking_barriers
from vla_safety.filter import SafetyFilter
from vla_safety.parameters import FilterParameters
from vla_safety.violations import ViolationKind, violation
from vla_validation.filter.mujoco_oracle import MujocoOracle
from vla_validation.filter_cost.clearance import arm_links

EPISODE = 60.0
"""s after which everything is drawn again."""

PERIOD = 0.01

FREE = 0.03
"""m between a box and the arms at the start."""

REACH = ((0.0, -0.7, -0.5), (0.7, 0.7, 0.8))
"""m, lowest and highest centre of a box in the base's frame."""

STYLES = ('strike', 'strike', 'flail', 'press', 'noise', 'replay', 'rest')


class Striker:
    """Draws chunks for the robot.

    Args:
        oracle: detects self-colliding postures.
        allowed: joints that it may use.
    """

    def __init__(
        self, robot: RobotModel, oracle: MujocoOracle, rng: np.random.Generator, allowed: np.ndarray
    ) -> None:
        self._robot, self._oracle, self._rng = robot, oracle, rng
        self._allowed = allowed
        self._style = 'strike'
        self._goal = robot.poses['standing'].copy()
        self._other = self._goal
        self._joints = allowed
        self._sent: list[Chunk] = []
        self.styles: Counter[str] = Counter()

    def _draw(self) -> np.ndarray:
        low, high = self._robot.limits.lower, self._robot.limits.upper
        q = self._robot.poses['standing'].copy()
        q[self._allowed] = self._rng.uniform(low, high)[self._allowed]
        return q

    def _inside(self) -> np.ndarray:
        """A self-colliding posture; most random ones are."""
        for _ in range(20):
            q = self._draw()
            self._oracle.place(q)
            if self._oracle.nearest()[0] < 0.0:
                break
        return q

    def chunk(self, now: float, here: np.ndarray) -> Chunk:
        rng, robot = self._rng, self._robot
        if rng.random() < 0.2:
            self._style = str(rng.choice(STYLES))
            self._goal, self._other = self._inside(), self._draw()
            groups = ('left_arm', 'right_arm', 'arms', 'legs', 'upper_body', 'torso')
            self._joints = self._allowed
            if rng.random() < 0.5:
                some = np.intersect1d(robot.groups[str(rng.choice(groups))], self._allowed)
                self._joints = some if some.size else self._allowed
        self.styles[self._style] += 1
        joints = self._joints
        h = int(rng.integers(2, 17))
        times = np.arange(1, h + 1) * float(rng.choice([0.02, 0.05, 0.1]))
        start, goal = here[joints], self._goal[joints]
        if self._style == 'strike':
            way = np.clip(times / float(rng.uniform(0.05, 1.0)), 0.0, 1.0)
            positions = start + way[:, None] * (goal - start)
        elif self._style == 'flail':
            ends = np.where(np.arange(h)[:, None] % 2, goal, self._other[joints])
            positions = ends
        elif self._style == 'press':
            positions = start + 0.1 * np.sign(goal - start) * np.ones((h, 1))
        elif self._style == 'noise':
            positions = start + rng.normal(0.0, 0.4, (h, len(joints)))
        else:
            positions = np.tile(start, (h, 1))
        if self._style == 'replay' and self._sent:
            old = self._sent[int(rng.integers(0, len(self._sent)))]
            joints, times, positions = old.joints, old.times, old.positions
        positions = np.clip(positions, robot.limits.lower[joints], robot.limits.upper[joints])
        chunk = Chunk(joints, times, positions, now - float(rng.uniform(0.0, 0.05)))
        self._sent = [*self._sent[-20:], chunk]
        return chunk


def _draw_box(
    box: int,
    oracles: Sequence[MujocoOracle],
    pose: np.ndarray,
    links: tuple[str, ...],
    rng: np.random.Generator,
) -> Obstacle:
    """A box within reach and FREE of the arms at `pose` (n,), put into the oracles."""
    oracle = oracles[0]
    while True:
        size, place = rng.uniform(0.04, 0.3, 3), rng.uniform(*REACH)
        for each in oracles:
            each.set_box(box, size, place)
        oracle.place(pose)
        if oracle.nearest(f'box_{box}-')[0] > FREE:
            shape = coal.Box(*size), np.eye(3), place
            return Obstacle(f'box_{box}', 'base', (shape,), links)


def attack_self(
    robot: RobotModel,
    parameters: FilterParameters,
    seconds: float,
    seed: int,
    physics: bool,
    boxes: int = 0,
) -> dict[str, object]:
    """Attack for `seconds` of robot time; return the summary.

    Args:
        boxes: solid boxes within reach of the arms, drawn with each episode and known to the
            filter; a link that enters one counts as a collision.
        physics: the joints follow the commands by servo and gravity and are checked too;
            otherwise they follow exactly.
    """
    rng = np.random.default_rng(seed)
    links = arm_links(robot)
    oracle, postures = (MujocoOracle(robot, boxes, links) for _ in range(2))
    rules = dataclasses.replace(parameters.rules, max_first_step=10.0, max_excess=3.0)
    parameters = dataclasses.replace(parameters, rules=rules)
    # The servos of the legs are not tuned for legs that hang from a held base.
    allowed = robot.groups['upper_body'] if physics else np.arange(robot.n)
    counts: Counter[str] = Counter()
    where: Counter[str] = Counter()
    styles: Counter[str] = Counter()
    lowest, lowest_real = np.inf, np.inf
    collisions = real = ticks = accepted = near = 0
    first = ''
    begin = time.perf_counter()
    elapsed = 0.0
    while elapsed < seconds:
        pose = robot.poses[str(rng.choice(list(robot.poses)))] if boxes else None
        known = [_draw_box(k, (oracle, postures), pose, links, rng) for k in range(boxes)]
        barriers = braking_barriers(robot, parameters, lambda: 0.0, known)
        subject = SafetyFilter(robot, parameters, (barriers,))
        barriers.set_contacts(*[bool(rng.random() < 0.5)] * 2)
        striker = Striker(robot, postures, rng, allowed)
        clock = str(rng.choice(['steady', 'jitter', 'losing']))
        if pose is None:
            pose = robot.poses[str(rng.choice(list(robot.poses)))]
        sent = pose.copy()
        speed = np.zeros(robot.n)
        subject.reset(sent)
        oracle.place(sent)
        now, episode, scale = 100.0, 0.0, 1.0
        was_free = was_really_free = True
        while episode < EPISODE and elapsed < seconds:
            dt = PERIOD
            if clock != 'steady':
                dt = float(np.clip(rng.normal(PERIOD, 0.2 * PERIOD), 0.2 * PERIOD, 2 * PERIOD))
            if clock == 'losing' and rng.random() < 0.01:
                dt = PERIOD * int(rng.integers(2, 4))
            now, episode, elapsed = now + dt, episode + dt, elapsed + dt
            ticks += 1
            q, qd = oracle.measured if physics else (sent, speed)
            if rng.random() < 0.08:
                accepted += not subject.accept(striker.chunk(now, sent), now, q)
            if rng.random() < 0.005:
                scale = float(rng.choice([0.25, 0.5, 1.0, 1.0]))
            if rng.random() < 0.0005:
                subject.flush('attack')
            stop = violation(ViolationKind.STATE_STALE) if rng.random() < 0.0005 else None
            output = subject.tick(now, dt, q, qd, scale, None, stop)
            counts.update({kind.value: n for kind, n in output.counts.items()})
            sent, speed = output.position, output.velocity
            if physics:
                oracle.follow(sent, speed, output.effort, dt)
                distance, pair = oracle.nearest()
                lowest_real = min(lowest_real, distance)
                if distance < 0.0 and was_really_free:
                    real += 1
                    where[f'real {pair}'] += 1
                was_really_free = distance >= 0.0
                postures.place(sent)
                distance, pair = postures.nearest()
            else:
                oracle.place(sent)
                distance, pair = oracle.nearest()
            near += distance < 0.03
            lowest = min(lowest, distance)
            if distance < 0.0 and was_free:
                collisions += 1
                where[pair] += 1
                first = first or f'seed {seed}, tick {ticks}: {pair} {distance:.4f} m ({clock})'
            was_free = distance >= 0.0
        styles.update(striker.styles)
    result: dict[str, object] = {
        'robot_seconds': round(elapsed, 1),
        'ticks': ticks,
        'seed': seed,
        'violations': collisions + real,
        'self_collisions': collisions,
        'lowest_m': round(float(lowest), 5),
        'near_share': round(near / ticks, 4),
        'first': first,
        'pairs': dict(where),
        'chunks_accepted': accepted,
        'styles': dict(styles),
        'counts': dict(sorted(counts.items())),
        'seconds': round(time.perf_counter() - begin, 1),
    }
    if physics:
        result['real_self_collisions'] = real
        result['lowest_real_m'] = round(float(lowest_real), 5)
    return result
