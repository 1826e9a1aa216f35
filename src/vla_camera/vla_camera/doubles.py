# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A camera that fails on purpose, for tests and drills."""

from __future__ import annotations

import threading
import time

import numpy as np

from vla_camera.frames import (
    Calibration,
    CameraFacts,
    DeviceLostError,
    DeviceMissingError,
    Frame,
    SourceEndedError,
)


class FaultySource:
    """Gives a new picture every `period` s until `fault` is set to one of FAULTS.

    freeze: the same picture, again and again, with new stamps. stall: nothing, without an error.
    die: DeviceLostError, and it cannot be opened again until the fault is cleared. hang: `grab`
    does not return until `release` is set. missing: cannot be opened. end: SourceEndedError.
    shape: a picture that is none.
    """

    FAULTS = ('freeze', 'stall', 'die', 'hang', 'missing', 'end', 'shape')

    def __init__(self, fault: str = '', period: float = 0.02) -> None:
        self.fault = fault
        self.period = period
        self.release = threading.Event()
        self.opened = 0
        self.closed = 0
        self.threads: set[int] = set()
        self._count = 0

    def open(self) -> CameraFacts:
        self.threads.add(threading.get_ident())
        if self.fault in ('missing', 'die'):
            raise DeviceMissingError('no camera found: plug it in')
        self.opened += 1
        return CameraFacts('double', 8, 6, 1.0 / self.period, Calibration())

    def grab(self, timeout: float) -> Frame | None:
        self.threads.add(threading.get_ident())
        if self.fault == 'hang':
            self.release.wait()
        if self.fault == 'die':
            raise DeviceLostError('unplugged')
        if self.fault == 'end':
            raise SourceEndedError('the recording is over')
        if self.fault == 'stall':
            time.sleep(min(timeout, 0.02))
            return None
        time.sleep(self.period)
        if self.fault != 'freeze':
            self._count += 1
        color = np.full((6, 8, 3), self._count % 256, np.uint8)
        if self.fault == 'shape':
            color = color[:, :, 0]
        return Frame(color, None, time.time_ns())

    def discard(self) -> None:
        """Nothing waits in it."""

    def notes(self) -> dict[str, str]:
        return {'fault': self.fault}

    def close(self) -> None:
        self.threads.add(threading.get_ident())
        self.closed += 1
