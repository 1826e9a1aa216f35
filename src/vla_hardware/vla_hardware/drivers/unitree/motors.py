# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The motors of a G1 by name and slot, and which of them a variant (`mode_machine`) has."""

from __future__ import annotations

from dataclasses import dataclass

_LEG = (
    ('hip_pitch', -2.5307, 2.8798),
    ('hip_roll', -0.5236, 2.9671),
    ('hip_yaw', -2.7576, 2.7576),
    ('knee', -0.087267, 2.8798),
    ('ankle_pitch', -0.87267, 0.5236),
    ('ankle_roll', -0.2618, 0.2618),
)
_WAIST = (('waist_yaw', -2.618, 2.618), ('waist_roll', -0.52, 0.52), ('waist_pitch', -0.52, 0.52))
_ARM = (
    ('shoulder_pitch', -3.0892, 2.6704),
    ('shoulder_roll', -1.5882, 2.2515),
    ('shoulder_yaw', -2.618, 2.618),
    ('elbow', -1.0472, 2.0944),
    ('wrist_roll', -1.972222054, 1.972222054),
    ('wrist_pitch', -1.614429558, 1.614429558),
    ('wrist_yaw', -1.614429558, 1.614429558),
)
_MIRRORED = ('hip_roll', 'shoulder_roll')  # joints whose right range is the left one mirrored


@dataclass(frozen=True)
class Motor:
    """slot: index in the messages. lower, upper: rad, from the maker's description."""

    name: str
    slot: int
    lower: float
    upper: float


def _motors() -> tuple[Motor, ...]:
    def side(name: str, joints: tuple[tuple[str, float, float], ...]) -> list[tuple]:
        right = name == 'right'
        return [
            (f'{name}_{joint}_joint', *((-hi, -lo) if right and joint in _MIRRORED else (lo, hi)))
            for joint, lo, hi in joints
        ]

    waist = [(f'{joint}_joint', lo, hi) for joint, lo, hi in _WAIST]
    rows = [*side('left', _LEG), *side('right', _LEG), *waist]
    rows += [*side('left', _ARM), *side('right', _ARM)]
    return tuple(Motor(name, slot, lo, hi) for slot, (name, lo, hi) in enumerate(rows))


MOTORS = _motors()
UPPER = 12  # first slot of waist and arms, which /arm_sdk commands

_WAIST_LOCKED = frozenset({13, 14})
_ABSENT_23 = _WAIST_LOCKED | {20, 21, 27, 28}


@dataclass(frozen=True)
class Variant:
    """what: for the operator. absent: slots without a motor."""

    what: str
    absent: frozenset[int]

    @property
    def motors(self) -> tuple[Motor, ...]:
        return tuple(motor for motor in MOTORS if motor.slot not in self.absent)


VARIANTS = {
    1: Variant('23 joints', _ABSENT_23),
    2: Variant('29 joints', frozenset()),
    3: Variant('29 joints, waist locked', _WAIST_LOCKED),
    4: Variant('23 joints, rev 1.0', _ABSENT_23),
    5: Variant('29 joints, rev 1.0', frozenset()),
    6: Variant('29 joints, rev 1.0, waist locked', _WAIST_LOCKED),
}
"""By `mode_machine`. The maker's README of g1_description; a mode that is not here is refused."""
