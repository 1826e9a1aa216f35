# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Rows of the barriers along one brake path, collected configuration by configuration."""

from __future__ import annotations

from typing import NamedTuple

import cython
import numpy as np

from vla_robot.collision import CollisionModel, Wrench
from vla_safety.violations import ViolationKind

COMPILED: bool = cython.compiled

ROOM = 64
"""Rows that there is room for at first."""

SLACK = 2e-3
"""m by which a hand or the center of mass may end up beyond its barrier: what a linear row loses on
a bent path. Anything further is not proven."""

SOFT_SPARE = -1e-2
"""m, the same between the measured configurations. Nothing breaks there."""


class Subject(NamedTuple):
    """What a row limits, for the report."""

    kind: ViolationKind
    name: str


@cython.cclass
class RowSet:
    """Rows g·q̇ of quantities that must stay positive, with the clearance of each.

    Args:
        model: that the rows are taken at.

    Attributes:
        subjects: of each row.
        clearance: m above the barrier's zero, at the row's configuration.
        limit: m, the quantity at the barrier's zero.
        buffer: (…, n) the rows, then room. along: (2, …) s on the brake path, and the clearance, of
            each.
    """

    subjects = cython.declare(list, visibility='public')
    clearance = cython.declare(list, visibility='public')
    limit = cython.declare(list, visibility='public')
    buffer = cython.declare(object, visibility='public')
    along = cython.declare(object, visibility='public')
    _model: object
    _columns: cython.Py_ssize_t[::1]
    _wrenches: list
    _open: list
    _extra: list

    def __init__(self, model: CollisionModel) -> None:
        self._model = model
        self._columns = model.columns
        self.buffer = np.zeros((ROOM, len(model.columns)))
        self.along = np.zeros((2, ROOM))
        self.clear()

    def clear(self) -> None:
        self.subjects = []
        self.clearance = []
        self.limit = []
        self._wrenches = []
        self._open = []
        self._extra = []

    def __len__(self) -> int:
        return len(self.clearance)

    def add(
        self,
        subject: Subject,
        clearance: cython.double,
        limit: cython.double,
        wrench: Wrench,
        signs: np.ndarray,
        extra: np.ndarray | None = None,
    ) -> None:
        """One quantity at the configuration that the model is placed at.

        Args:
            wrench: w·(twist of what moves) = rate of the quantity, see `vla_robot.collision`.
            signs: (n,) of each joint in that twist.
            extra: (n,) added to the gradient.
        """
        if extra is not None:
            self._extra.append((len(self.clearance), extra))
        self.subjects.append(subject)
        self.clearance.append(clearance)
        self.limit.append(limit)
        self._wrenches.append(wrench)
        self._open.append(signs)

    def close(self, time: cython.double) -> None:
        """Turn what was added at this configuration, `time` s along the path, into rows."""
        cython.declare(i=cython.Py_ssize_t, k=cython.Py_ssize_t, c=cython.Py_ssize_t)
        cython.declare(fx=cython.double, fy=cython.double, fz=cython.double, mx=cython.double)
        cython.declare(my=cython.double, mz=cython.double)
        if not self._wrenches:
            return
        count: cython.Py_ssize_t = len(self.clearance)
        row: cython.Py_ssize_t = count - len(self._wrenches)
        if count > len(self.buffer):
            self.buffer = np.concatenate((self.buffer, np.zeros((count, len(self._columns)))))
            self.along = np.concatenate((self.along, np.zeros((2, count))), axis=1)
        rows: cython.double[:, ::1] = self.buffer
        along: cython.double[:, ::1] = self.along
        jacobian: cython.double[::1, :] = self._model.jacobian
        columns: cython.Py_ssize_t[::1] = self._columns
        signs: cython.const[cython.double][::1]
        for k in range(len(self._wrenches)):
            fx, fy, fz, mx, my, mz = self._wrenches[k]
            signs = self._open[k]
            along[0, row] = time
            along[1, row] = self.clearance[row]
            for i in range(columns.shape[0]):
                if signs[i] == 0.0:
                    rows[row, i] = 0.0
                    continue
                c = columns[i]
                rows[row, i] = signs[i] * (
                    fx * jacobian[0, c]
                    + fy * jacobian[1, c]
                    + fz * jacobian[2, c]
                    + mx * jacobian[3, c]
                    + my * jacobian[4, c]
                    + mz * jacobian[5, c]
                )
            row += 1
        for k, extra in self._extra:
            self.buffer[k] += extra
        self._wrenches.clear()
        self._open.clear()
        self._extra.clear()

    @property
    def gradient(self) -> np.ndarray:
        """(k, n) of all rows, in the order of the lists."""
        return self.buffer[: len(self)]
