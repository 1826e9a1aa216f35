# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Settings of the coupled limits, as the core takes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CoupledSettings:
    """No field has a default: the values live in config/safety_filter.yaml.

    Attributes:
        rate: 1/s, the share of what is left of a barrier that may be used up.
        lag: s, by which the joints overshoot each rad/s that they brake from.
        time_budget: s, after which the brake leaves.
        margin, floor: m between shapes: where a barrier is zero, and what is proven.
        max_configurations: measured along one brake path.
        surroundings: file that describes them; '' for none.
        frames: end effectors that stay between `lower` and `upper` (3,) m in the base's frame.
        support_margin: m inside the support polygon's edges.
        power: W, of all servos together.
        proximity_frames, proximity_margin, proximity_timeout: sensors, m, s.
    """

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
