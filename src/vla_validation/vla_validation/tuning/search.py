# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Search of gains: candidates first, then the neighbours of the best one."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from vla_robot import RobotModel, ServoGains
from vla_validation.tuning.servo_gains import rounded, stiffness_limit
from vla_validation.tuning.trials import FOLLOWS, Gains, Trial, try_gains

Step = Callable[[Gains], Gains | None]
"""A neighbour of a candidate; None: there is none (a limit)."""


def search(
    robot: RobotModel,
    classes: dict[str, np.ndarray],
    start: tuple[Gains, Trial],
    candidates: Sequence[tuple[Gains, bool]],
    steps: int,
    done: Callable[[Trial], None],
) -> tuple[Gains, Trial]:
    """The best gains of `start`, the candidates, and at most `steps` neighbours of the best.

    A neighbour that is better is taken at once, and the same step tried again. Nothing is taken
    that withstands less than the best before it. Servos of the upper body change only while the
    robot does not follow well enough: how an arm feels is not for a push to decide.

    Args:
        start: the robot's own gains with their trial.
        candidates: whether it has other servos in the upper body, too.
        done: called after each trial with the best so far.
    """
    best, trial = start
    for candidate, upper_body in candidates:
        if not (upper_body and _follows(trial)):
            best, trial = _better(robot, candidate, (best, trial))
        done(trial)
    moves = list(_moves(robot, classes, _follows(trial)))
    tried, k, failed = 0, 0, 0
    while tried < steps and failed < len(moves):
        candidate = moves[k](best)
        if candidate is None:
            failed, k = failed + 1, (k + 1) % len(moves)
            continue
        found = _better(robot, candidate, (best, trial))
        tried += 1
        done(found[1])
        if found[0] is best:
            failed, k = failed + 1, (k + 1) % len(moves)
        else:
            (best, trial), failed = found, 0
    return best, trial


def _follows(trial: Trial) -> bool:
    return trial.usable and trial.error <= FOLLOWS


def _better(robot: RobotModel, candidate: Gains, best: tuple[Gains, Trial]) -> tuple[Gains, Trial]:
    least = best[1].push or 0.0
    found = try_gains(robot, candidate, least)
    if found.score > best[1].score and (found.push or 0.0) >= least:
        return candidate, found
    return best


def _moves(robot: RobotModel, classes: dict[str, np.ndarray], follows: bool) -> Iterator[Step]:
    if robot.foot_boxes:
        for name, factor in (
            ('ankle', 1.3), ('ankle', 0.77), ('shift', 1.3), ('shift', 0.77), ('hip', 1.5),
            ('hip', 0.67), ('hip_dead_zone', 0.7), ('integral', 0.6), ('hip_limit', 1.3),
        ):  # fmt: skip
            yield _balance(name, factor)
    legs = set(robot.groups['legs'].tolist())
    limit = stiffness_limit(robot, classes)
    standing = [m for m in classes.values() if legs & set(m.tolist())]
    others = [m for m in classes.values() if not follows and not legs & set(m.tolist())]
    for members in (np.concatenate(part) for part in (standing, others) if part):
        for stiffness, damping in ((1.4, 1.2), (1.0, 1.4), (0.7, 0.85)):
            yield _servo(members, stiffness, damping, limit)


_HIGHEST = {'ankle': 10.0, 'shift': 10.0, 'hip': 20.0, 'hip_dead_zone': 1.0, 'integral': 10.0,
            'hip_limit': 1.0}  # fmt: skip
"""As `BalanceGains` accepts them."""


def _balance(name: str, factor: float) -> Step:
    def step(gains: Gains) -> Gains | None:
        value = getattr(gains.balance, name)
        values = value if isinstance(value, tuple) else (value,)
        scaled = tuple(rounded(min(factor * v, _HIGHEST[name])) for v in values)
        if scaled == values:
            return None
        new = scaled if isinstance(value, tuple) else scaled[0]
        return dataclasses.replace(gains, balance=dataclasses.replace(gains.balance, **{name: new}))

    return step


def _servo(members: np.ndarray, stiffness: float, damping: float, limit: np.ndarray) -> Step:
    def step(gains: Gains) -> Gains | None:
        kp, kv = gains.servo.kp.copy(), gains.servo.kv.copy()
        for i in members:
            kp[i] = rounded(min(stiffness * kp[i], max(limit[i], kp[i])))
            kv[i] = rounded(damping * kv[i])
        if stiffness > 1.0 and (kp == gains.servo.kp).all():
            return None
        return dataclasses.replace(gains, servo=ServoGains(kp, kv))

    return step
