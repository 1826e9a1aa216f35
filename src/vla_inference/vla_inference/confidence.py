# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Confidence from the disagreement of chunks, and the speed that it allows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ConfidenceLimits:
    """half: rad, the disagreement at which confidence is 0.5. slow_below: below it the speed falls,
    in proportion, to slowest. fallback_below: below it for `patience` chunks in a row, the next
    policy of the chain takes over."""

    half: float = 0.3
    slow_below: float = 0.4
    slowest: float = 0.25
    fallback_below: float = 0.1
    patience: int = 3


def from_disagreement(disagreement: float, half: float) -> float:
    """1 / (1 + (d / half)^2) for d rad, RMS; -1 (unknown) for -1."""
    if not disagreement >= 0.0:
        return -1.0
    return 1.0 / (1.0 + (disagreement / half) ** 2)


def lowest(*confidences: float) -> float:
    """The lowest known one; -1 if all are unknown (-1)."""
    known = [value for value in confidences if value >= 0.0]
    return min(known, default=-1.0)


class ConfidenceMonitor:
    """Speed from the confidence, and its loss. One per policy and instruction."""

    def __init__(self, limits: ConfidenceLimits) -> None:
        self._limits = limits
        self._low = 0
        self.confidence = -1.0

    def reset(self) -> None:
        self._low = 0
        self.confidence = -1.0

    @property
    def lost(self) -> bool:
        return self._low >= self._limits.patience

    def update(self, own: float, disagreement: float, spread: float = -1.0) -> float:
        """own: the policy's confidence, 0..1 or -1. disagreement, spread: rad, RMS, between
        overlapping chunks and between samples for one observation. Returns the speed, 0..1."""
        limits = self._limits
        self.confidence = lowest(
            own,
            from_disagreement(disagreement, limits.half),
            from_disagreement(spread, limits.half),
        )
        if self.confidence < 0.0:
            return 1.0
        self._low = self._low + 1 if self.confidence < limits.fallback_below else 0
        if self.confidence >= limits.slow_below:
            return 1.0
        return max(limits.slowest, self.confidence / limits.slow_below)
