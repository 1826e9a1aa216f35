# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The filter's settings, as its core takes them."""

import os
from dataclasses import dataclass
from typing import Self

from vla_common.chunk_curve import Interpolation
from vla_common.parameter_files import load_node_parameters
from vla_common.parameters import Parameters
from vla_safety.coupled.limits import CoupledMode, CoupledSettings
from vla_safety.known_world import ObstacleRules, StalePolicy
from vla_safety.validation import ChunkRules


@dataclass(frozen=True)
class FilterParameters:
    """No field has a default: the values live in config/safety_filter.yaml.

    Attributes:
        stage: deployment stage, a key of `limiters.STAGE_SCALE`.
        interpolation: between the points of a chunk.
        cross_fade: s in which the motion before fades into a new chunk.
        max_playback_age: s since the observation after which a chunk is no longer followed.
        rules: what a chunk has to satisfy.
        velocity_fraction, acceleration_fraction, effort_fraction: share of the robot's limits used.
        braking_lag: periods of delay that braking before a position limit allows for.
        min_period, max_period: s; a shorter tick repeats the command, a longer one does not leap.
        speed_scale_rate: 1/s, how fast the speed scale may change.
        hold_limit: s for which coupled limits may hold a motion before it ends.
        coupled: of the limits that tie joints together.
        obstacles: what a message about obstacles or carried objects has to satisfy.
    """

    stage: str
    interpolation: Interpolation
    cross_fade: float
    max_playback_age: float
    rules: ChunkRules
    velocity_fraction: float
    acceleration_fraction: float
    effort_fraction: float
    braking_lag: float
    min_period: float
    max_period: float
    speed_scale_rate: float
    hold_limit: float
    coupled: CoupledSettings
    obstacles: ObstacleRules

    @classmethod
    def from_node(cls, parameters: Parameters) -> Self:
        """From the parameter object that the node's schema returns (see parameters.yaml)."""
        p = parameters
        return p.select(
            cls,
            interpolation=Interpolation(p.interpolation),
            max_playback_age=p.chunk.max_playback_age,
            rules=p.chunk.select(ChunkRules),
            velocity_fraction=p.limits.velocity_fraction,
            acceleration_fraction=p.limits.acceleration_fraction,
            effort_fraction=p.limits.effort_fraction,
            braking_lag=p.limits.braking_lag,
            min_period=p.period.min,
            max_period=p.period.max,
            obstacles=ObstacleRules(
                **vars(p.obstacles) | {'stale': StalePolicy(p.obstacles.stale)}, **vars(p.carried)
            ),
            coupled=p.select(
                CoupledSettings,
                **vars(p.barriers) | {'mode': CoupledMode(p.barriers.mode)},
                **vars(p.collision),
                frames=tuple(p.workspace.frames),
                lower=tuple(p.workspace.lower),
                upper=tuple(p.workspace.upper),
                power=p.limits.power,
                proximity_frames=tuple(name for name in p.proximity.frames if name),
            ),
        )


def load_parameters(path: str | os.PathLike[str] | None = None) -> FilterParameters:
    """Read the settings from a ROS parameter file, for use without a node.

    Args:
        path: the file; None takes the workspace's config/safety_filter.yaml, as installed.

    Raises:
        ConfigError: the file is missing or malformed, or a value is missing or out of range.
    """
    return FilterParameters.from_node(load_node_parameters('vla_safety', 'safety_filter', path))
