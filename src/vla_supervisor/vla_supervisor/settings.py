# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Settings of the supervisor, from the parameters and robot.yaml."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vla_common.cameras import check_camera_name, executable_of, with_cameras
from vla_common.errors import ConfigError
from vla_common.parameters import Parameters
from vla_common.states import EstopBehaviour
from vla_common.topics import HEARTBEAT_TOPIC
from vla_supervisor.decision import StopLimits, SupervisorConfig
from vla_supervisor.health_monitor import BALANCE, HealthLimits
from vla_supervisor.lifecycle_manager import Timing


@dataclass(frozen=True)
class Settings:
    """Settings of core, health monitor and lifecycle manager."""

    core: SupervisorConfig
    limits: HealthLimits
    timing: Timing


def _stop_limits(place: str, prefix: str, section: Parameters) -> StopLimits:
    limits = section.select(StopLimits)
    slow = f'{prefix}.slow_within ({limits.slow_within:g} s)'
    speed = f'{prefix}.slow_speed ({limits.slow_speed:g} rad/s)'
    for name, ok, wanted in (
        ('obey_within', limits.obey_within < limits.slow_within, f'less than {slow}'),
        ('rest_within', limits.slow_within < limits.rest_within, f'more than {slow}'),
        ('rest_speed', limits.rest_speed <= limits.slow_speed, f'at most {speed}'),
    ):
        if not ok:
            raise ConfigError(place, f'{prefix}.{name}', f'{getattr(limits, name):g}', wanted)
    return limits


def check_cameras(names: Sequence[str], place: str) -> None:
    """Raise ConfigError unless these are the names of one camera or of several."""
    for name in names:
        if name or len(names) > 1:
            check_camera_name(name, place, 'cameras')
    if len(set(names)) != len(names):
        raise ConfigError(place, 'cameras', ', '.join(names), 'each once')


def supervised_nodes(robot: Any, cameras: Iterable[str] = ('',)) -> tuple[str, ...]:
    """Nodes of a robot (`RobotModel`) in bring-up order: one without feet has no balance. cameras:
    their names."""
    nodes = with_cameras(HEARTBEAT_TOPIC, cameras)
    return tuple(name for name in nodes if name != BALANCE or robot.foot_boxes)


def settings(
    params: Parameters, stops: Any, place: str, nodes: Iterable[str] = tuple(HEARTBEAT_TOPIC)
) -> Settings:
    """Check parameters against each other, and group them.

    Args:
        params: from `parameters.yaml`.
        stops: `RobotModel.stops`.
        place: where the parameters come from, for errors.
        nodes: that are supervised.

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
            timeouts={name: getattr(params.timeouts, executable_of(name)) for name in nodes},
        ),
        timing=params.bringup.to(Timing),
    )
