# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Models and parameters of the nodes, for the episodes of `rollout`."""

from dataclasses import dataclass, replace
from typing import Self

from vla_common.clock import ManualClock
from vla_common.parameter_files import load_node_parameters
from vla_hardware.limits import ServoLimits
from vla_hardware.simulation import balance_correction
from vla_inference.blender import BlendingParameters, chosen
from vla_inference.confidence import ConfidenceLimits
from vla_inference.fallback import PolicySlot
from vla_inference.policy_worker import PolicyAnswer, call
from vla_policy.types import Observation, Policy
from vla_robot import RobotModel
from vla_safety.coupled.build import braking_barriers
from vla_safety.filter import SafetyFilter
from vla_safety.filter_runtime import FilterRuntime, Timeouts
from vla_safety.parameters import load_parameters

EARLY = 1e-9  # s: rounding on the clock


@dataclass(frozen=True)
class Timing:
    """Latencies in simulated time, s. camera: from exposure to the image in the inference node.
    inference: of a policy call with everything around it, up to the chunk in the filter."""

    camera: float = 0.02
    inference: float = 0.02

    @classmethod
    def of(cls, delay: float) -> Self:
        """`delay` s from exposure to chunk, of which at most the default is the camera's."""
        camera = min(cls.camera, delay)
        return cls(camera, delay - camera)


USUAL = Timing()


class RobotStack:
    """What all episodes of one process share: robot, parameters, filter, balance correction.

    filter_file: parameters of the safety filter, None for the installed ones. Raises ConfigError.
    """

    def __init__(self, robot: RobotModel, filter_file: str | None = None) -> None:
        self.robot = robot
        settings = load_parameters(filter_file)
        self.interpolation = settings.interpolation
        # Without a time budget: an episode must not depend on the load of the machine.
        self._barriers = braking_barriers(robot, settings, clock=lambda: 0.0)
        self._filter = SafetyFilter(robot, settings, (self._barriers,))
        self._safety = load_node_parameters('vla_safety', 'safety_filter')
        self.balance = balance_correction(robot)
        self.servo_limits = ServoLimits.load()
        self.inference = load_node_parameters('vla_inference', 'inference')

    def runtime(self) -> FilterRuntime:
        """The filter of a new episode."""
        self._filter.forget_order()
        timeouts = self._safety.timeouts.to(Timeouts)
        return FilterRuntime(self._filter, timeouts, self._safety.level_hold, self._barriers)

    def slot(self, policy: Policy, clock: ManualClock, latency: float, mode: str) -> PolicySlot:
        """The policy as in the node. mode: of blending, '' for that of the node."""
        p = self.inference
        mode = chosen(mode or p.blending.mode, policy.bundle.blending, policy.takes_prefix)
        return PolicySlot(
            policy,
            SimulatedWorker(policy, clock, latency),
            p.blending.select(BlendingParameters, mode=mode),
            p.confidence.to(ConfidenceLimits),
        )


class SimulatedWorker:
    """A PolicyWorker that computes at once and holds the answer back for `latency` s."""

    def __init__(self, policy: Policy, clock: ManualClock, latency: float) -> None:
        self._policy, self._clock, self._latency = policy, clock, latency
        self._answer: PolicyAnswer | None = None
        self.since: float | None = None

    def submit(self, observation: Observation, reset: bool = False) -> None:
        answer = call(self._policy, observation, reset, self._clock)
        self._answer = replace(answer, duration=self._latency)
        self.since = self._clock()

    @property
    def due(self) -> bool:
        """Whether an answer waits."""
        return self.since is not None and self._clock() - self.since >= self._latency - EARLY

    def take(self) -> PolicyAnswer | None:
        if not self.due:
            return None
        answer, self._answer, self.since = self._answer, None, None
        return answer

    def abandon(self) -> None:
        self._answer = None

    def close(self) -> None: ...
