# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Where limits that tie joints together come in: between the box and the output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vla_safety.violations import Violation


@dataclass(slots=True)
class MotionState:
    """What coupled limits may look at. All belongs to the filter: read, don't keep.

    Attributes:
        position, velocity: (n,) of the last command sent, rad and rad/s.
        measured_position, measured_velocity: (n,) rad and rad/s.
        feed_forward: (n,) Nm, sent with the last command.
        brake: (n,) rad/s, what the full brake commands now; always inside the box.
        period: s, that the velocity is commanded for.
    """

    position: np.ndarray
    velocity: np.ndarray
    measured_position: np.ndarray
    measured_velocity: np.ndarray
    feed_forward: np.ndarray
    brake: np.ndarray
    period: float


class Infeasible(Exception):  # noqa: N818  (a finding, not a mistake)
    """The coupled limits and the box have no common velocity; the full brake leaves instead."""


class CoupledLimits(Protocol):
    """Self-collision, workspace, centre of mass: anything that is not one joint's own business."""

    def restrict(
        self, wanted: np.ndarray, low: np.ndarray, high: np.ndarray, state: MotionState
    ) -> np.ndarray:
        """Return the velocity (n,) rad/s nearest to `wanted` inside the box and these limits.

        `wanted` is already inside the box. The answer is checked by the filter: anything not finite
        or outside [low, high] counts as infeasible.

        Raises:
            Infeasible: there is none, or none was found in time.
        """
        ...

    @property
    def findings(self) -> Sequence[Violation]:
        """What the last `restrict` changed the velocity for."""
        ...
