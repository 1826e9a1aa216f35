# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The barrier rows of one brake path, collected configuration by configuration."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vla_robot.collision import CollisionModel, Wrench
from vla_safety.violations import Kind


class Subject(NamedTuple):
    """What a row is about, for the report."""

    kind: Kind
    name: str


class RowSet:
    """Rows g·q̇ of quantities that must stay positive, with what is left of each.

    Args:
        model: that the rows are taken at.

    Attributes:
        subjects: of each row.
        clearance: m above the barrier's zero, at the row's configuration.
        limit: m, value of the quantity itself at the barrier's zero.
        times: s on the brake path.
    """

    def __init__(self, model: CollisionModel) -> None:
        self._model = model
        self._signs: list[np.ndarray] = []
        self.clear()

    def clear(self) -> None:
        self.subjects: list[Subject] = []
        self.clearance: list[float] = []
        self.limit: list[float] = []
        self.times: list[float] = []
        self._wrenches: list[Wrench] = []
        self._open: list[np.ndarray] = []
        self._extra: list[tuple[int, np.ndarray]] = []
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
        if extra is not None:
            self._extra.append((len(self._wrenches), extra))
        self.subjects.append(subject)
        self.clearance.append(clearance)
        self.limit.append(limit)
        self._wrenches.append(wrench)
        self._open.append(signs)

    def close(self, time: float) -> None:
        """Turn what was added at this configuration, `time` s along the path, into rows."""
        count = len(self._wrenches)
        if not count:
            return
        signs = self._open[0] if count == 1 else np.array(self._open)
        block = self._model.rows(np.array(self._wrenches), signs)
        for row, extra in self._extra:
            block[row] += extra
        self._blocks.append(block)
        self.times += [time] * count
        self._wrenches.clear()
        self._open.clear()
        self._extra.clear()

    @property
    def distinct_times(self) -> list[float]:
        """Those of all rows; one alone where it is the same for all."""
        return self.times if len(self._blocks) > 1 else self.times[:1]

    @property
    def gradient(self) -> np.ndarray:
        """(k, n) of all rows, in the order of the lists."""
        return self._blocks[0] if len(self._blocks) == 1 else np.concatenate(self._blocks)
