# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""What was observed of a running robot: plain values, for the checks."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class CameraSeen:
    """rate Hz; age: largest s between stamp and arrival; size in pixels; focal length and centre of
    the calibration in pixels, 0 without one."""

    rate: float
    age: float
    width: int
    height: int
    focal: float
    center: tuple[float, float]


@dataclass(frozen=True)
class Exercise:
    """One stop or watchdog that was tripped. after: s until it acted; None: it did not."""

    name: str
    after: float | None
    limit: float
    detail: str = ''

    @property
    def good(self) -> bool:
        return self.after is not None and self.after <= self.limit

    def __str__(self) -> str:
        if self.after is None:
            return f'{self.name}: nothing within {self.limit:g} s {self.detail}'.rstrip()
        return f'{self.name} {1e3 * self.after:.0f} ms (limit {1e3 * self.limit:.0f})'


@dataclass(frozen=True)
class Observed:
    """The graph over some seconds. absent: why nothing was observed; empty: it was.

    values: of /diagnostics, by node and key, with the status line under ''. positions: by joint,
    rad, in the order received. lost: messages that the recorder lost meanwhile. battery: share and
    voltage; NaN: not measured.
    """

    absent: str = ''
    mode: str = ''
    nodes_active: tuple[str, ...] = ()
    nodes_missing: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    fault: str = ''
    errors: int = 0
    lost: int = 0
    joint_rate: float = 0.0
    joint_age: float = 0.0
    real_time_factor: float = 1.0
    positions: Mapping[str, float] = field(default_factory=dict)
    cameras: Mapping[str, CameraSeen] = field(default_factory=dict)
    publishers: Mapping[str, int] = field(default_factory=dict)
    battery: tuple[float, float] | None = None
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    exercised: tuple[Exercise, ...] = ()

    def of(self, node: str, key: str = '') -> str:
        """A value of /diagnostics; '' where it was not received."""
        return self.values.get(node, {}).get(key, '')
