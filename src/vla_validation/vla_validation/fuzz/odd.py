# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Odd numbers, stamps and names for messages: what a field can hold and nobody expects."""

import math
import random

import numpy as np

from vla_common.clock import ManualClock
from vla_common.messages import NANOSECONDS

BEGIN_NS = 1_800_000_000 * NANOSECONDS
"""ROS clock at the begin of a case."""
NOT_FINITE = (math.nan, math.inf, -math.inf)
FINITE = (0.0, -0.0, 1e-300, 5e-324, 1e3, -1e6, 1e30, -1e200, 1e308, -1.7e308)
NAMES = ('', ' ', 'left_antenna', 'joint_0 ', 'JOINT_0', 'joint_1' * 2000, '\u2603', '/', '0')
BYTES = (0, 1, 2, 3, 4, 5, 6, 7, 99, 254, 255)
"""Values of an uint8."""


class Clock(ManualClock):
    """Steady time in s, and the ROS clock that agrees with it."""

    def __init__(self) -> None:
        super().__init__(100.0)

    @property
    def ns(self) -> int:
        return BEGIN_NS + round((self.now - 100.0) * NANOSECONDS)


def odd_stamp(chance: random.Random, clock: Clock) -> int:
    """ns: of the future, or not newer than what was sent before (none is sent at `BEGIN_NS`)."""
    ahead = chance.choice((0.6, 1.0, 3600.0, 1e6, 2e9))
    past = (0, -1, -(2**31) * NANOSECONDS, 1, BEGIN_NS - NANOSECONDS, BEGIN_NS)
    if chance.random() < 0.5:
        return clock.ns + round(ahead * NANOSECONDS)
    return chance.choice(past)


def spoiled(chance: random.Random, values: np.ndarray) -> np.ndarray:
    """A copy with at least one element that is not finite."""
    spoiled_values = np.array(values, dtype=float)
    for _ in range(chance.randint(1, 2)):
        spoiled_values[chance.randrange(len(values))] = chance.choice(NOT_FINITE)
    return spoiled_values


def extreme(chance: random.Random, values: np.ndarray) -> np.ndarray:
    """A copy with some elements that are finite and impossible."""
    changed = np.array(values, dtype=float)
    for _ in range(chance.randint(1, len(values))):
        changed[chance.randrange(len(values))] = chance.choice(FINITE)
    return changed


def resized(chance: random.Random, values: np.ndarray) -> np.ndarray:
    """Another number of elements, at least one."""
    n = len(values)
    return np.resize(
        values, chance.choice([m for m in (1, n - 1, n + 1, 3 * n) if m > 0 and m != n])
    )


def odd_names(chance: random.Random, names: list[str]) -> list[str]:
    """Names that are not those of the robot: unknown, repeated, missing, or more."""
    changed = list(names)
    action = chance.choice(('unknown', 'twice', 'more', 'fewer'))
    if action == 'unknown':
        changed[chance.randrange(len(names))] = chance.choice(NAMES)
    elif action == 'twice' and len(names) > 1:
        i = chance.randrange(len(names))
        changed[i] = changed[i - 1]
    elif action == 'fewer' and len(names) > 1:
        del changed[chance.randrange(len(names))]
    else:
        changed.append(chance.choice(NAMES))
    return changed
