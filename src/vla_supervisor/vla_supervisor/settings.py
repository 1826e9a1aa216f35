# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""From the parameter file and robot.yaml to the values that the pure parts take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vla_common.errors import ConfigError
from vla_common.parameters import Parameters
from vla_common.states import EstopBehaviour
from vla_common.topics import HEARTBEAT_TOPIC
from vla_supervisor.decision import StopLimits, SupervisorConfig
from vla_supervisor.health_monitor import HealthLimits
from vla_supervisor.lifecycle_manager import Timing


@dataclass(frozen=True)
class Settings:
    """All of it."""

    core: SupervisorConfig
    limits: HealthLimits
    timing: Timing


def _stop_limits(place: str, prefix: str, section: Parameters) -> StopLimits:
    if not section.obey_within < section.slow_within:
        raise ConfigError(
            place,
            f'{prefix}.obey_within',
            f'{section.obey_within:g}',
            f'less than {prefix}.slow_within ({section.slow_within:g} s)',
        )
    if not section.slow_within < section.rest_within:
        raise ConfigError(
            place,
            f'{prefix}.rest_within',
            f'{section.rest_within:g}',
            f'more than {prefix}.slow_within ({section.slow_within:g} s)',
        )
    if not section.rest_speed <= section.slow_speed:
        raise ConfigError(
            place,
            f'{prefix}.rest_speed',
            f'{section.rest_speed:g}',
            f'at most {prefix}.slow_speed ({section.slow_speed:g} rad/s)',
        )
    return section.select(StopLimits)


def settings(params: Parameters, stops: Any, place: str) -> Settings:
    """Check what no single parameter can tell, and sort the parameters into their places.

    Args:
        params: from `parameters.yaml`.
        stops: `RobotModel.stops`.
        place: where the parameters come from, for errors.

    Raises:
        ConfigError: two of them contradict each other.
    """
    safe_stop = _stop_limits(place, 'safe_stop', params.safe_stop)
    estop = _stop_limits(place, 'estop', params.estop)
    duration = stops.safe_stop_duration
    if not safe_stop.slow_within > duration:
        raise ConfigError(
            place,
            'safe_stop.slow_within',
            f'{safe_stop.slow_within:g}',
            f'more than {duration:g} s, which the robot takes to stand '
            '(robot.yaml: stops.safe_stop_duration)',
        )
    return Settings(
        core=params.select(
            SupervisorConfig,
            safe_stop=safe_stop,
            estop=estop,
            estop_behaviour=EstopBehaviour(stops.estop),
        ),
        limits=params.select(
            HealthLimits,
            timeouts={name: getattr(params.timeouts, name) for name in HEARTBEAT_TOPIC},
        ),
        timing=params.bringup.to(Timing),
    )
