# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""References: how an instruction names a cube, by its colour or by its place among the others."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from vla_models.tasks import COLOURS, HANDS

MARGIN = 0.02  # m by which an order must be clear
AMBIGUOUS = ''
LARGEST = 5  # of an ordinal
SIDE = 0.02  # m left of the middle from which the left hand is meant where none is said
RELATIONS = (
    *('from_left', 'from_right', 'leftmost', 'rightmost', 'middle'),
    *('nearest', 'farthest', 'left_of', 'right_of', 'between'),
)


@dataclass(frozen=True)
class Reference:
    """kind: 'colour', or one of RELATIONS. colours: the named ones. number: of an ordinal, from 1.

    Left and right are the robot's: +y is left in the base frame.
    """

    kind: str
    colours: tuple[str, ...] = ()
    number: int = 0

    def resolve(self, cubes: Mapping[str, tuple[float, float]]) -> str | None:
        """The colour that is meant among `cubes` (colour to x, y in the base frame, m).

        None: no such cube. AMBIGUOUS: the order is not clear by MARGIN.
        """
        if any(colour not in cubes for colour in self.colours) or not cubes:
            return None
        if self.kind == 'colour':
            return self.colours[0]
        if self.kind in ('nearest', 'farthest'):
            far = {colour: math.hypot(*place) for colour, place in cubes.items()}
            order = sorted(far, key=far.__getitem__, reverse=self.kind == 'farthest')
            clear = len(order) < 2 or abs(far[order[0]] - far[order[1]]) > MARGIN
            return order[0] if clear else AMBIGUOUS
        order = sorted(cubes, key=lambda colour: -cubes[colour][1])
        if any(cubes[a][1] - cubes[b][1] < MARGIN for a, b in pairwise(order)):
            return AMBIGUOUS
        return self._in_order(order)

    def _in_order(self, order: list[str]) -> str | None:
        """order: colours from left to right."""
        if self.kind == 'middle':
            return order[len(order) // 2] if len(order) % 2 and len(order) > 2 else None
        if self.kind == 'between':
            low, high = sorted(order.index(colour) for colour in self.colours)
            inside = order[low + 1 : high]
            return inside[0] if len(inside) == 1 else AMBIGUOUS if inside else None
        if self.kind in ('left_of', 'right_of'):
            place = order.index(self.colours[0]) + (1 if self.kind == 'right_of' else -1)
        else:
            from_left = self.kind in ('from_left', 'leftmost')
            number = self.number or 1
            place = number - 1 if from_left else len(order) - number
        return order[place] if 0 <= place < len(order) else None


def by_colour(colour: str) -> Reference:
    """The plain reference."""
    return Reference('colour', (colour,))


def sample_relation(rng: random.Random) -> Reference:
    """Any reference that is not by colour alone."""
    kind = rng.choice(RELATIONS)
    count = {'left_of': 1, 'right_of': 1, 'between': 2}.get(kind, 0)
    number = rng.randint(1, LARGEST) if kind in ('from_left', 'from_right') else 0
    return Reference(kind, tuple(rng.sample(COLOURS, count)), number)


def relations_to(colour: str, cubes: Mapping[str, tuple[float, float]]) -> list[Reference]:
    """All relations that clearly mean the cube of this colour."""
    found = [
        Reference(kind) for kind in RELATIONS if kind not in ('between', 'left_of', 'right_of')
    ]
    found = [r for r in found if not r.kind.startswith('from_')]
    found += [
        Reference(kind, (), n)
        for kind in ('from_left', 'from_right')
        for n in range(1, LARGEST + 1)
    ]
    others = [other for other in cubes if other != colour]
    found += [Reference(kind, (other,)) for kind in ('left_of', 'right_of') for other in others]
    found += [Reference('between', (a, b)) for a in others for b in others if a != b]
    return [reference for reference in found if reference.resolve(cubes) == colour]


def natural_hand(y: float) -> str | None:
    """The hand for a cube at `y` m where the instruction names none; None where it is not clear."""
    return HANDS[0] if y > SIDE else HANDS[1] if y < -SIDE else None
