# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The barrier rows of one brake path, collected configuration by configuration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_robot.collision import CollisionModel
from vla_safety.violations import Kind

Wrench = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Subject:
    """What a row is about, for the report."""

    kind: Kind
    name: str


class RowSet:
    """Rows g·q̇ of quantities that must stay positive, with what is left of each.

    Attributes:
        subjects: of each row.
        clearance: m above the barrier's zero, at the row's configuration.
        limit: m, value of the quantity itself at the barrier's zero.
        times: s on the brake path.
        gradient: (k, n), after `close` of each configuration.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._empty = np.zeros((0, n))
        self.clear()

    def clear(self) -> None:
        self.subjects: list[Subject] = []
        self.clearance: list[float] = []
        self.limit: list[float] = []
        self.times: list[float] = []
        self._wrenches: list[Wrench] = []
        self._signs: list[np.ndarray] = []
        self._extra: list[np.ndarray | None] = []
        self._blocks: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self.clearance)

    def add(
        self,
        subject: Subject,
        clearance: float,
        limit: float,
        wrench: Wrench,
        signs: np.ndarray,
        extra: np.ndarray | None = None,
    ) -> None:
        """One quantity at the configuration that the model is placed at.

        Args:
            wrench, signs: its gradient, see CollisionModel.rows.
            extra: (n,) added to the gradient.
        """
        self.subjects.append(subject)
        self.clearance.append(clearance)
        self.limit.append(limit)
        self._wrenches.append(wrench)
        self._signs.append(signs)
        self._extra.append(extra)

    def close(self, model: CollisionModel, time: float) -> None:
        """Turn what was added at this configuration, `time` s along the path, into rows."""
        if not self._wrenches:
            return
        block = model.rows(np.array(self._wrenches), np.array(self._signs))
        for row, extra in zip(block, self._extra, strict=True):
            if extra is not None:
                row += extra
        self._blocks.append(block)
        self.times.extend([time] * len(block))
        self._wrenches.clear()
        self._signs.clear()
        self._extra.clear()

    @property
    def gradient(self) -> np.ndarray:
        if not self._blocks:
            return self._empty
        return self._blocks[0] if len(self._blocks) == 1 else np.concatenate(self._blocks)
