# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The nodes of the robot in one process and in simulated time: the parts of a `rollout`."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from ament_index_python.packages import get_package_share_directory

from vla_balance.correction import BalanceCorrection
from vla_balance.gains import BalanceGains
from vla_common.clock import ManualClock
from vla_common.parameters import Parameters, ParameterSchema
from vla_common.yaml_file import load_yaml
from vla_hardware.drivers.base import Gains
from vla_hardware.limits import ServoLimits
from vla_hardware.servo_output import Balance, NoBalance
from vla_inference.blending.blender import BlendingParameters, chosen
from vla_inference.confidence import ConfidenceLimits
from vla_inference.fallback import PolicySlot
from vla_inference.policy_worker import PolicyAnswer, ask
from vla_policy.types import Observation, Policy
from vla_robot import Reading, RobotModel
from vla_safety.coupled.build import braking_barriers
from vla_safety.filter import SafetyFilter
from vla_safety.filter_runtime import FilterRuntime, Timeouts
from vla_safety.parameters import load_parameters
from vla_sim import World

EARLY = 1e-9  # s: rounding on the clock


@dataclass(frozen=True)
class Timing:
    """Latencies in simulated time, s. camera: from exposure to the image in the inference node.
    inference: of a policy call with everything around it, up to the chunk in the filter."""

    camera: float = 0.02
    inference: float = 0.02

    @classmethod
    def of(cls, delay: float) -> Timing:
        """`delay` s from exposure to chunk; at most the usual part of it is the camera's."""
        camera = min(cls.camera, delay)
        return cls(camera, delay - camera)


USUAL = Timing()


def node_parameters(package: str, node: str) -> Parameters:
    """The parameters of a node: its schema and config/<node>.yaml as installed. ConfigError."""
    path = Path(get_package_share_directory('vla_bringup')) / 'config' / f'{node}.yaml'
    return ParameterSchema.load(package).defaults(**_flat(load_yaml(path)[node]['ros__parameters']))


def _flat(values: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, dict)
        flat |= _flat(value, f'{prefix}{key}.') if nested else {prefix + key: value}
    return flat


class RobotStack:
    """What all episodes of one process share: robot, parameters, filter, balance correction.

    filter_file: parameters of the safety filter, None for the installed ones. Raises ConfigError.
    """

    def __init__(self, robot: RobotModel, filter_file: str | None = None) -> None:
        self.robot = robot
        settings = load_parameters(filter_file)
        # Without a time budget: an episode must not depend on the load of the machine.
        self.barriers = braking_barriers(robot, settings, clock=lambda: 0.0)
        self.filter = SafetyFilter(robot, settings, (self.barriers,))
        self.balance: Balance = NoBalance(robot.n)
        if robot.foot_boxes:
            self.balance = BalanceCorrection(robot, BalanceGains.load(robot))
        driver = node_parameters('vla_hardware', 'hardware_driver')
        self.loop_limits = ServoLimits(
            **{f.name: getattr(driver, f.name) for f in fields(ServoLimits)}
        )
        safety = node_parameters('vla_safety', 'safety_filter')
        self.timeouts = Timeouts(**vars(safety.timeouts))
        self.level_hold = safety.level_hold
        self.inference = node_parameters('vla_inference', 'inference')

    def runtime(self) -> FilterRuntime:
        """The filter of a new episode."""
        self.filter.forget_order()
        return FilterRuntime(self.filter, self.timeouts, self.level_hold, self.barriers)

    def slot(self, policy: Policy, clock: ManualClock, latency: float, mode: str) -> PolicySlot:
        """The policy as the node holds it. mode: of blending, '' for that of the node."""
        b, c = self.inference.blending, self.inference.confidence
        takes_prefix = policy.takes_prefix
        return PolicySlot(
            policy,
            SimulatedWorker(policy, clock, latency),
            BlendingParameters(
                chosen(mode or b.mode, policy.bundle.blending, takes_prefix),
                b.decay,
                b.chunks,
                b.lead_over,
            ),
            ConfidenceLimits(c.half, c.slow_below, c.slowest, c.fallback_below, c.patience),
        )


class WorldDriver:
    """A simulated world as the servo loop's driver; the episode steps it."""

    real_time_factor = 1.0

    def __init__(self, world: World) -> None:
        self._world = world
        self._gains: Gains | None = None

    def connect(self) -> None: ...

    def read(self) -> Reading:
        return self._world.read()

    def write(
        self, position: np.ndarray, velocity: np.ndarray, effort: np.ndarray, gains: Gains
    ) -> None:
        if gains is not self._gains:
            self._world.set_gains(gains.kp, gains.kv)
            self._gains = gains
        self._world.command(position, velocity, effort)

    def power(self, on: bool) -> None: ...

    def close(self) -> None: ...


class SimulatedWorker:
    """A PolicyWorker that computes at once and keeps the answer back for `latency` s."""

    def __init__(self, policy: Policy, clock: ManualClock, latency: float) -> None:
        self._policy, self._clock, self._latency = policy, clock, latency
        self._answer: PolicyAnswer | None = None
        self.since: float | None = None

    def submit(self, observation: Observation, reset: bool = False) -> None:
        answer = ask(self._policy, observation, reset, self._clock)
        self._answer = replace(answer, duration=self._latency)
        self.since = self._clock()

    @property
    def due(self) -> bool:
        """Whether an answer waits to be taken."""
        return self.since is not None and self._clock() - self.since >= self._latency - EARLY

    def take(self) -> PolicyAnswer | None:
        if not self.due:
            return None
        answer, self._answer, self.since = self._answer, None, None
        return answer

    def abandon(self) -> None:
        self._answer = None

    def close(self) -> None: ...
