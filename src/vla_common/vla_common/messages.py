# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Conversion between message fields and numbers."""

from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration, Time

NANOSECONDS = 1_000_000_000


def stamp_to_ns(stamp: Time) -> int:
    """Return a stamp in ns: exact, unlike a float of seconds (0.2 µs for today's dates)."""
    return stamp.sec * NANOSECONDS + stamp.nanosec


def ns_to_stamp(nanoseconds: int) -> Time:
    """Return the stamp of a time in ns."""
    sec, nanosec = divmod(int(nanoseconds), NANOSECONDS)
    return Time(sec=sec, nanosec=nanosec)


def seconds_to_duration(seconds: float) -> Duration:
    """Return a duration, rounded to the ns."""
    sec, nanosec = divmod(round(seconds * NANOSECONDS), NANOSECONDS)
    return Duration(sec=sec, nanosec=nanosec)


def duration_to_seconds(duration: Duration) -> float:
    """Return a duration in s."""
    return duration.sec + duration.nanosec * 1e-9


def has_orientation(covariance: Sequence[float]) -> bool:
    """Whether a sensor_msgs/Imu with this `orientation_covariance` has an orientation (REP 145)."""
    return covariance[0] != -1.0


class JointOrder:
    """Permutes named joint values into the robot's order.

    The permutation is cached: publishers send the same names each time.

    names: all joints, in the robot's order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._index = {name: i for i, name in enumerate(self.names)}
        self._cached_names: list[str] | None = None
        self._cached: np.ndarray | None = None

    def indices(self, names: Sequence[str]) -> np.ndarray:
        """Return the robot's index of each of `names`.

        Raises KeyError: a name is unknown or repeated.
        """
        unknown = [name for name in names if name not in self._index]
        if unknown:
            raise KeyError(f'unknown joints: {", ".join(unknown)}')
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if list(names).count(name) > 1})
            raise KeyError(f'joints named twice: {", ".join(twice)}')
        return np.array([self._index[name] for name in names], dtype=np.intp)

    def read(self, names: Sequence[str], values: Sequence[float], out: np.ndarray) -> np.ndarray:
        """Write `values` (one per name, all joints) into `out` (n,) in the robot's order.

        Raises:
            KeyError: unknown, missing or repeated names.
            ValueError: another number of values than names.
        """
        if names != self._cached_names:
            indices = self.indices(names)
            if len(indices) != len(self.names):
                missing = [name for name in self.names if name not in set(names)]
                raise KeyError(f'missing joints: {", ".join(missing)}')
            self._cached_names, self._cached = list(names), indices
        if len(values) != len(self.names):
            raise ValueError(f'{len(values)} values for {len(self.names)} joints')
        out[self._cached] = values
        return out
