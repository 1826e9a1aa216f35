# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Offset between the clock of a device and the steady clock of this machine.

Of all frames of a window the one with the smallest difference between arrival and device time
waited least; the others are older by what they differ from it (Cristian 1989). What even the
fastest frame takes is not seen: ages are too small by that.
"""

from collections import deque

WINDOW = 30.0
"""s: two crystals drift apart by up to 3 ms in it (100 ppm)."""
JUMP_NS = 1_000_000_000
"""A device time that is ahead by more than this was set, or is nonsense: begun again."""
DRIFT_AFTER_NS = 60_000_000_000
"""Distance of two offsets that says more about drift than about delays."""


class ClockOffset:
    """Pairs of device time and steady arrival of one stream, ns. window: s.

    Attributes:
        offset_ns: steady time less device time; None before the first frame.
        drift_ppm: how much faster the steady clock is; None in the first minute.
        resets: times that the device's clock was begun again.
    """

    def __init__(self, window: float = WINDOW) -> None:
        self._window_ns = round(window * 1e9)
        self._least: deque[tuple[int, int]] = deque()  # arrival, offset; offsets rise
        self._last_device_ns: int | None = None
        self._first: tuple[int, int] | None = None  # arrival and offset of the first full window
        self.offset_ns: int | None = None
        self.drift_ppm: float | None = None
        self.resets = 0

    def age(self, device_ns: int, arrival_ns: int) -> int:
        """Age (ns, at least 0) of a frame at its arrival."""
        offset = arrival_ns - device_ns
        back = self._last_device_ns is not None and device_ns < self._last_device_ns
        if back or (self._least and offset < self._least[0][1] - JUMP_NS):
            self.reset()
            self.resets += 1
        self._last_device_ns = device_ns
        while self._least and self._least[-1][1] >= offset:
            self._least.pop()
        self._least.append((arrival_ns, offset))
        while self._least[0][0] < arrival_ns - self._window_ns:
            self._least.popleft()
            self._first = self._first or (arrival_ns, self._least[0][1])
        self.offset_ns = least = self._least[0][1]
        if self._first and (passed := arrival_ns - self._first[0]) >= DRIFT_AFTER_NS:
            self.drift_ppm = 1e6 * (least - self._first[1]) / passed
        return offset - least

    def reset(self) -> None:
        """Forget the clock: the device was opened again."""
        self._least.clear()
        self._last_device_ns = self._first = self.offset_ns = self.drift_ppm = None

    def notes(self) -> dict[str, str]:
        """For diagnostics; another thread may add meanwhile."""
        offset, drift = self.offset_ns, self.drift_ppm
        return {
            'clock_offset_s': 'unknown' if offset is None else f'{1e-9 * offset:.4f}',
            'clock_drift_ppm': 'unknown' if drift is None else f'{drift:.1f}',
            'clock_resets': str(self.resets),
        }
