# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The interface of limits that tie joints together, and their settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np

from vla_safety.violations import Violation


@dataclass(slots=True)
class MotionState:
    """Input of coupled limits. All arrays belong to the filter: read them, do not keep them.

    Attributes:
        position, velocity: (n,) of the last command sent, rad and rad/s.
        measured_position, measured_velocity: (n,) rad and rad/s.
        feed_forward: (n,) Nm, sent with the last command.
        brake: (n,) rad/s of the full brake; always inside the box.
        period: s, of the next command.
    """

    position: np.ndarray
    velocity: np.ndarray
    measured_position: np.ndarray
    measured_velocity: np.ndarray
    feed_forward: np.ndarray
    brake: np.ndarray
    period: float


class Infeasible(Exception):  # noqa: N818  (a finding, not a mistake)
    """The coupled limits and the box have no common velocity; the full brake is sent instead."""


class CoupledLimits(Protocol):
    """Limits that depend on several joints: self-collision, workspace, center of mass."""

    def restrict(
        self, wanted: np.ndarray, low: np.ndarray, high: np.ndarray, state: MotionState
    ) -> np.ndarray:
        """Return the velocity (n,) rad/s nearest to `wanted` inside the box and these limits.

        `wanted` is inside the box. The filter checks the answer: not finite or outside [low, high]
        counts as infeasible.

        Raises:
            Infeasible: there is none, or none was found in time.
        """
        ...

    @property
    def findings(self) -> Sequence[Violation]:
        """Why the last `restrict` changed the velocity."""
        ...

    @property
    def on_path(self) -> bool:
        """Whether the last `restrict` kept to the chunk's own path, so that playback waits for the
        command; used where `CoupledSettings.mode` is PATH."""
        ...


class CoupledMode(str, Enum):
    """What is sent in place of a velocity that breaks a coupled limit."""

    QP = 'qp'  # the nearest velocity
    PATH = 'path'  # a slower one on the chunk's path; the nearest where the path is blocked


@dataclass(frozen=True)
class CoupledSettings:
    """No field has a default: the values live in config/safety_filter.yaml.

    Attributes:
        mode: see CoupledMode.
        rate: 1/s, the share of a barrier's clearance that may be used up.
        lag: s, by which the joints overshoot each rad/s that they brake from.
        time_budget: s, after which the brake is sent.
        margin, floor: m between shapes: where a barrier is zero, and what is proven.
        max_configurations: measured along one brake path.
        surroundings: file that describes them; '' for none.
        frames: end effectors that stay between `lower` and `upper` (3,) m in the base's frame.
        support_margin: m inside the support polygon's edges.
        power: W, of all servos together.
        proximity_frames, proximity_margin, proximity_timeout: sensors, m, s.
    """

    mode: CoupledMode
    rate: float
    lag: float
    time_budget: float
    margin: float
    floor: float
    max_configurations: int
    surroundings: str
    frames: tuple[str, ...]
    lower: tuple[float, float, float]
    upper: tuple[float, float, float]
    support_margin: float
    power: float
    proximity_frames: tuple[str, ...]
    proximity_margin: float
    proximity_timeout: float
