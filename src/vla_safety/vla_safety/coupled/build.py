# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The coupled limits of a robot, built from the settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from vla_common.errors import ConfigError
from vla_robot import RobotModel
from vla_robot.collision import Obstacle
from vla_safety.coupled.braking_barriers import BrakingBarriers
from vla_safety.coupled.limits import CoupledSettings
from vla_safety.coupled.surroundings import load_surroundings

if TYPE_CHECKING:
    from vla_safety.parameters import FilterParameters

SOURCE = 'parameters of safety_filter'
"""Stands for the file in errors: the parameters do not carry its name."""
HANDS = 'hands'
"""In `workspace.frames`: the hands that the robot has."""


def braking_barriers(
    robot: RobotModel,
    parameters: FilterParameters,
    clock: Callable[[], float] = time.thread_time,
    obstacles: Sequence[Obstacle] = (),
) -> BrakingBarriers:
    """All coupled limits that the settings name.

    Args:
        clock: s, of the time budget.
        obstacles: besides those of the surroundings file.

    Raises:
        ConfigError: the settings contradict each other or the robot, or the surroundings file is
            malformed.
    """
    settings = with_hands(parameters.coupled, robot)
    check(settings, robot)
    return BrakingBarriers(
        robot,
        settings,
        robot.limits.acceleration * parameters.acceleration_fraction,
        robot.limits.effort * parameters.effort_fraction,
        (
            *(load_surroundings(settings.surroundings, robot) if settings.surroundings else ()),
            *obstacles,
        ),
        clock=clock,
    )


def with_hands(settings: CoupledSettings, robot: RobotModel) -> CoupledSettings:
    """`settings` with HANDS replaced by the hands in robot.yaml: a robot may have one, or none."""
    return replace(settings, frames=named_frames(settings.frames, robot))


def named_frames(names: Sequence[str], robot: RobotModel) -> tuple[str, ...]:
    """The frames that `workspace.frames` names: HANDS stands for the hands in robot.yaml."""
    frames = [robot.hands if name == HANDS else [name] for name in names]
    return tuple(chain.from_iterable(frames))


def check(settings: CoupledSettings, robot: RobotModel) -> None:
    """Checks beyond the ranges of single parameters.

    Raises:
        ConfigError: with the parameter's name.
    """
    for key, frames in (
        ('workspace.frames', settings.frames),
        ('proximity.frames', settings.proximity_frames),
    ):
        for frame in frames:
            if not robot.has_link(frame):
                raise ConfigError(SOURCE, key, frame, 'a frame of robot.yaml or a URDF link')
    for key, corner in (('workspace.lower', settings.lower), ('workspace.upper', settings.upper)):
        if len(corner) != 3:
            raise ConfigError(SOURCE, key, f'{len(corner)} numbers', 'x, y, z')
    for low, high in zip(settings.lower, settings.upper, strict=True):
        if not low < high:
            raise ConfigError(SOURCE, 'workspace.lower', low, f'less than the upper {high:g}')
    if not settings.floor < settings.margin:
        raise ConfigError(
            SOURCE, 'collision.floor', settings.floor, f'less than the margin {settings.margin:g}'
        )
