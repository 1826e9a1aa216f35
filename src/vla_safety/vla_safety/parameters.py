# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The filter's settings, as its core takes them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from vla_common.chunk_curve import Interpolation
from vla_common.errors import ConfigError
from vla_common.parameters import ParameterSchema, nest
from vla_common.yaml_file import ConfigReader, load_yaml
from vla_safety.coupled.limits import CoupledSettings
from vla_safety.validation import ChunkRules


@dataclass(frozen=True)
class FilterParameters:
    """No field has a default: the values live in config/safety_filter.yaml.

    Attributes:
        stage: deployment stage, a key of `speed.STAGE_SCALE`.
        interpolation: between the points of a chunk.
        cross_fade: s in which the motion before fades into a new chunk.
        max_playback_age: s since the observation after which a chunk is no longer followed.
        rules: what a chunk has to satisfy.
        velocity_fraction, acceleration_fraction, effort_fraction: share of the robot's limits used.
        braking_lag: periods of delay that braking before a position limit allows for.
        min_period, max_period: s; a shorter tick repeats the command, a longer one does not leap.
        speed_scale_rate: 1/s, how fast the speed scale may change.
        coupled: of the limits that tie joints together.
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
    coupled: CoupledSettings

    @classmethod
    def from_node(cls, parameters: object) -> FilterParameters:
        """From the parameter object that the node's schema returns (see parameters.yaml)."""
        p = parameters
        return cls(
            stage=p.stage,
            interpolation=Interpolation(p.interpolation),
            cross_fade=p.cross_fade,
            max_playback_age=p.chunk.max_playback_age,
            rules=ChunkRules(
                max_age=p.chunk.max_age,
                max_future=p.chunk.max_future,
                max_points=p.chunk.max_points,
                max_horizon=p.chunk.max_horizon,
                max_first_step=p.chunk.max_first_step,
                max_excess=p.chunk.max_excess,
            ),
            velocity_fraction=p.limits.velocity_fraction,
            acceleration_fraction=p.limits.acceleration_fraction,
            effort_fraction=p.limits.effort_fraction,
            braking_lag=p.limits.braking_lag,
            min_period=p.period.min,
            max_period=p.period.max,
            speed_scale_rate=p.speed_scale_rate,
            coupled=CoupledSettings(
                rate=p.barriers.rate,
                lag=p.barriers.lag,
                time_budget=p.barriers.time_budget,
                margin=p.collision.margin,
                floor=p.collision.floor,
                max_configurations=p.collision.max_configurations,
                surroundings=p.collision.surroundings,
                frames=tuple(p.workspace.frames),
                lower=tuple(p.workspace.lower),
                upper=tuple(p.workspace.upper),
                support_margin=p.support.margin,
                power=p.limits.power,
                proximity_frames=tuple(name for name in p.proximity.frames if name),
                proximity_margin=p.proximity.margin,
                proximity_timeout=p.proximity.timeout,
            ),
        )


def load_parameters(path: str | os.PathLike[str] | None = None) -> FilterParameters:
    """Read the settings from a ROS parameter file, for use without a node.

    Args:
        path: the file; None takes the workspace's config/safety_filter.yaml, as installed.

    Raises:
        ConfigError: the file is missing or malformed, or a value is missing or out of range.
    """
    if path is None:
        from ament_index_python.packages import get_package_share_directory

        path = os.path.join(
            get_package_share_directory('vla_bringup'), 'config', 'safety_filter.yaml'
        )
    values = _flatten(
        ConfigReader(path, load_yaml(path)).section('safety_filter').section('ros__parameters'), ''
    )
    schema = ParameterSchema.load('vla_safety')
    known = {entry.name for entry in schema.entries}
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1) or sorted(known)
            raise ConfigError(path, name, 'an unknown parameter', ', '.join(near))
    for entry in schema.entries:
        if entry.name not in values:
            raise ConfigError(path, entry.name, 'nothing', entry.wanted)
        if entry.type == 'double' and type(values[entry.name]) is int:
            values[entry.name] = float(values[entry.name])  # `5` in a YAML file is meant as 5.0
        wrong = entry.check(values[entry.name])
        if wrong is not None:
            raise ConfigError(path, entry.name, wrong, entry.wanted)
    return FilterParameters.from_node(nest(values))


def _flatten(fields: ConfigReader, prefix: str) -> dict[str, object]:
    values: dict[str, object] = {}
    for key in fields.keys():  # noqa: SIM118  (Fields is not a mapping)
        value = fields.raw(key)
        if isinstance(value, Mapping):
            values |= _flatten(fields.section(key), f'{prefix}{key}.')
        else:
            values[prefix + key] = value
    return values
