# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Ready-made tasks: an event's frequency, the age of time stamps, a heartbeat."""

from __future__ import annotations

import threading

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.time import Time

from ._diagnostic_status_wrapper import DiagnosticStatusWrapper
from ._diagnostic_updater import DiagnosticTask


class FrequencyStatusParam:
    """What a frequency should be.

    ``freq_bound`` is a dictionary with ``'min'`` and, optionally, ``'max'`` in Hz. It is kept by
    reference: changing it later changes the bounds. The accepted band is from
    ``min * (1 - tolerance)`` to ``max * (1 + tolerance)``; the frequency is counted over the last
    ``window_size`` updates.
    """

    def __init__(
        self, freq_bound: dict[str, float], tolerance: float = 0.1, window_size: int = 5
    ) -> None:
        self.freq_bound = freq_bound
        self.tolerance = tolerance
        self.window_size = window_size


class FrequencyStatus(DiagnosticTask):
    """Counts ``tick`` calls: a warning outside the band, an error if there were none."""

    def __init__(self, params: FrequencyStatusParam, name: str = 'FrequencyStatus') -> None:
        super().__init__(name)
        self.params = params
        self.lock = threading.Lock()
        self._clock = Clock(clock_type=ClockType.ROS_TIME)
        self.clear()

    def clear(self) -> None:
        """Forget all events."""
        with self.lock:
            self.count = 0
            self.times = [self._clock.now()] * self.params.window_size
            self.seq_nums = [0] * self.params.window_size
            self.hist_indx = 0

    def tick(self) -> None:
        """Count one event."""
        with self.lock:
            self.count += 1

    def run(self, stat: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        with self.lock:
            now = self._clock.now()
            # The slot of the oldest update holds where the window begins.
            oldest = self.hist_indx
            events = self.count - self.seq_nums[oldest]
            window = (now - self.times[oldest]).nanoseconds * 1e-9
            freq = events / window if window > 0.0 else 0.0
            self.seq_nums[oldest] = self.count
            self.times[oldest] = now
            self.hist_indx = (oldest + 1) % self.params.window_size
            count = self.count
        bound = self.params.freq_bound
        lowest = bound['min'] * (1 - self.params.tolerance)
        highest = bound['max'] * (1 + self.params.tolerance) if 'max' in bound else None
        if events == 0:
            stat.summary(DiagnosticStatus.ERROR, 'No events recorded.')
        elif freq < lowest:
            stat.summary(DiagnosticStatus.WARN, 'Frequency too low.')
        elif highest is not None and freq > highest:
            stat.summary(DiagnosticStatus.WARN, 'Frequency too high.')
        else:
            stat.summary(DiagnosticStatus.OK, 'Desired frequency met')
        stat.add('Events in window', f'{events:d}')
        stat.add('Events since startup', f'{count:d}')
        stat.add('Duration of window (s)', f'{window:f}')
        stat.add('Actual frequency (Hz)', f'{freq:f}')
        if bound.get('max') == bound['min']:
            stat.add('Target frequency (Hz)', f'{bound["min"]:f}')
        if bound['min'] > 0:
            stat.add('Minimum acceptable frequency (Hz)', f'{lowest:f}')
        if highest is not None:
            stat.add('Maximum acceptable frequency (Hz)', f'{highest:f}')
        return stat


class TimeStampStatusParam:
    """Accepted age of a stamp in seconds; negative ages are stamps in the future."""

    def __init__(self, min_acceptable: float = -1, max_acceptable: float = 5) -> None:
        self.min_acceptable = min_acceptable
        self.max_acceptable = max_acceptable


class TimeStampStatus(DiagnosticTask):
    """Watches the age of the stamps since the last update; an error outside the accepted ages."""

    def __init__(
        self, params: TimeStampStatusParam | None = None, name: str = 'Timestamp Status'
    ) -> None:
        super().__init__(name)
        self.params = params if params is not None else TimeStampStatusParam()
        self.lock = threading.Lock()
        self._clock = Clock(clock_type=ClockType.ROS_TIME)
        self.early_count = 0
        self.late_count = 0
        self.zero_count = 0
        self._forget()

    def _forget(self) -> None:
        self.deltas_valid = False
        self.min_delta = 0.0
        self.max_delta = 0.0
        self.zero_seen = False

    def tick(self, stamp: float | Time) -> None:
        """Note a stamp, in seconds or as rclpy's Time."""
        seconds = stamp if isinstance(stamp, float) else stamp.nanoseconds * 1e-9
        with self.lock:
            if seconds == 0:
                self.zero_seen = True
                return
            age = self._clock.now().nanoseconds * 1e-9 - seconds
            self.max_delta = max(age, self.max_delta) if self.deltas_valid else age
            self.min_delta = min(age, self.min_delta) if self.deltas_valid else age
            self.deltas_valid = True

    def run(self, stat: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        with self.lock:
            stat.summary(DiagnosticStatus.OK, 'Timestamps are reasonable.')
            if not self.deltas_valid:
                stat.summary(DiagnosticStatus.WARN, 'No data since last update.')
            else:
                if self.min_delta < self.params.min_acceptable:
                    stat.summary(DiagnosticStatus.ERROR, 'Timestamps too far in future seen.')
                    self.early_count += 1
                if self.max_delta > self.params.max_acceptable:
                    stat.summary(DiagnosticStatus.ERROR, 'Timestamps too far in past seen.')
                    self.late_count += 1
                if self.zero_seen:
                    stat.summary(DiagnosticStatus.ERROR, 'Zero timestamp seen.')
                    self.zero_count += 1
            stat.add('Earliest timestamp delay:', f'{self.min_delta:f}')
            stat.add('Latest timestamp delay:', f'{self.max_delta:f}')
            stat.add('Earliest acceptable timestamp delay:', f'{self.params.min_acceptable:f}')
            stat.add('Latest acceptable timestamp delay:', f'{self.params.max_acceptable:f}')
            stat.add('Late diagnostic update count:', f'{self.late_count:d}')
            stat.add('Early diagnostic update count:', f'{self.early_count:d}')
            stat.add('Zero seen diagnostic update count:', f'{self.zero_count:d}')
            self._forget()
        return stat


class Heartbeat(DiagnosticTask):
    """Always OK: that it arrives at all is the news."""

    def __init__(self) -> None:
        super().__init__('Heartbeat')

    def run(self, stat: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        stat.summary(DiagnosticStatus.OK, 'Alive')
        return stat
