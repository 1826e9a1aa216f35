# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Barrier: frames with a range sensor keep a distance from what it measures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_robot.collision import CollisionModel
from vla_safety.coupled.constraint_rows import RowSet, Subject
from vla_safety.violations import ViolationKind


@dataclass
class Reading:
    """Newest range of one sensor, m, and its age when the tick began, s."""

    range: float
    age: float


def sensed_distance(distance: float, lowest: float, highest: float) -> float:
    """m, of a sensor_msgs/Range with its limits (REP 117): infinite beyond the highest, 0 (contact)
    below the lowest, NaN unchanged."""
    if distance > highest:
        return float('inf')
    return 0.0 if distance < lowest else distance


class Proximity:
    """h = range − margin of each sensor along its frame's +x; ∇h = −x·J.

    A silent sensor counts as one that measures the margin: its frame may move back and sideways,
    not forward. Measured at the end of the brake only: no model knows what lies between.

    Args:
        model: shared with the other barriers.
        frames: URDF links of the sensors (or names of robot.yaml).
        margin: m.
        timeout: s, age above which a reading is stale.
    """

    def __init__(
        self, model: CollisionModel, frames: Sequence[str], margin: float, timeout: float
    ) -> None:
        self._margin, self._timeout = margin, timeout
        self._readings = {name: Reading(0.0, np.inf) for name in frames}
        self._frames = []
        for name in frames:
            frame = model.frame_id(name)
            self._frames.append(
                (
                    Subject(ViolationKind.PROXIMITY, name),
                    frame,
                    model.frame_signs(frame)[None, :],
                    model.frame_distance_bounds(frame),
                    self._readings[name],
                )
            )

    def __len__(self) -> int:
        return len(self._frames)

    def set_range(self, frame: str, distance: float, age: float) -> None:
        """A reading: m (infinite: nothing in sight; NaN: none), s old.

        Raises:
            KeyError: no such sensor is configured.
        """
        reading = self._readings[frame]
        reading.range = distance
        reading.age = age

    def append(
        self,
        model: CollisionModel,
        rows: RowSet,
        reach: np.ndarray,
        moved: np.ndarray,
        velocity: np.ndarray,
    ) -> None:
        """Add rows at the model's configuration, the end of the brake.

        Args:
            reach: (n,) how far the next command can move each joint's stop.
            moved: (n,) rad, from the last command to the end of its brake.
            velocity: (n,) rad/s of the last command: what the robot moved since the reading.
        """
        for subject, frame, signs, bounds, reading in self._frames:
            rotation, point = model.frame(frame)
            nx, ny, nz = (-rotation[:, 0]).tolist()
            x, y, z = point.tolist()
            wrench = (nx, ny, nz, y * nz - z * ny, z * nx - x * nz, x * ny - y * nx)
            gradient = model.rows(np.array([wrench]), signs)[0]
            known = reading.age <= self._timeout and reading.range >= 0.0
            clearance = 0.0
            if known:
                since = min(0.0, float(gradient.dot(velocity)) * reading.age)
                clearance = reading.range - self._margin + since + float(gradient.dot(moved))
            if not clearance >= float(bounds.dot(reach)):
                rows.add(subject, clearance, self._margin, wrench, signs[0])
