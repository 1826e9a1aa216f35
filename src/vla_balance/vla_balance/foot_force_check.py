# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Cross-check of the foot forces: a robot that stands still is carried by its feet."""

from vla_balance.soles import FlatSoles
from vla_balance.stance import GRAVITY

LOW, HIGH = 0.5, 1.5  # of the weight
LOAD_TIME = 1.0  # s outside of that, or with the loads exchanged
FILTER_TIME = 0.3  # s, time constant of the low-pass on load and sides
SIDE = 0.04  # m that the centre of mass is to one side and the centre of pressure to the other, ...
MIRRORED = 0.25  # ... within this share of it


class FootForceCheck:
    """After `update`: `cause`, a text for the operator; it goes when the forces are right again."""

    def __init__(self, mass: float) -> None:
        self._weight = mass * GRAVITY
        self.restart()

    def restart(self) -> None:
        self.cause = ''
        self._at: float | None = None
        self._load = self._pressure = self._com = 0.0
        self._wrong_for = self._exchanged_for = 0.0

    def update(self, now: float, soles: FlatSoles, still: bool) -> None:
        """now: s, steady; still: nothing moves much, and the base is about upright."""
        first, dt = self._at is None, 0.0 if self._at is None else min(now - self._at, 0.1)
        self._at = now
        share = 1.0 if first else dt / (FILTER_TIME + dt)
        self._load += (soles.load - self._load) * share
        self._pressure += (soles.pressure_side - self._pressure) * share
        self._com += (soles.com_side - self._com) * share
        if not still:
            return
        carried = LOW * self._weight <= self._load <= HIGH * self._weight
        self._wrong_for = 0.0 if carried else self._wrong_for + dt
        exchanged = (
            soles.flat
            and abs(self._com) >= SIDE
            and abs(self._com + self._pressure) <= MIRRORED * abs(self._com)
        )
        self._exchanged_for = self._exchanged_for + dt if exchanged else 0.0
        if self.cause and not (carried and not exchanged):
            return  # the first text stays: one that changes is a new template of the status
        if self._wrong_for >= LOAD_TIME:
            self.cause = self._describe()
        elif self._exchanged_for >= LOAD_TIME:
            self.cause = (
                f'the centre of mass is {abs(self._com):.3f} m to the '
                f'{"left" if self._com > 0 else "right"}, and the other foot carries more: '
                'left and right look exchanged'
            )
        elif carried and not exchanged:
            self.cause = ''

    def _describe(self) -> str:
        looks = ''
        for factor, text in (
            (-1.0, ': they look like the force on the ground, not of it (opposite sign)'),
            (0.001, ': they look like kN'),
            (1.0 / GRAVITY, ': they look like kgf'),
            (1.0 / 4.448, ': they look like lbf'),
        ):
            if 0.85 <= self._load / (factor * self._weight) <= 1.15:
                looks = text
        if not looks and abs(self._load) < 0.02 * self._weight:
            looks = ': the robot hangs, or they are not measured'
        return f'the feet carry {self._load:.0f} N, the robot weighs {self._weight:.0f} N{looks}'
