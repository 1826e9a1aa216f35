# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A camera that fails on command, for tests and fault injection."""

import threading
import time
from enum import Enum

import numpy as np

from vla_camera.source import (
    Calibration,
    CameraFacts,
    DeviceLostError,
    DeviceMissingError,
    Frame,
    Source,
    SourceEndedError,
)


class Fault(Enum):
    """Faults; the value describes them."""

    NONE = 'delivers a new image each time'
    FREEZE = 'the same image again and again, with new stamps'
    STALL = 'nothing, without an error'
    DIE = 'raises that it was unplugged, and is missing when it is opened again'
    HANG = 'does not return from its driver until let_go()'
    BUG = "raises an exception of its driver's own"
    OLD_STAMP = 'new images with a time that does not advance'
    RESIZE = 'images of another size'
    SHAPE = 'an array that is no image'
    END = 'raises that the recording is over'


class FaultySource(Source):
    """A camera whose images count up: all pixels of image n have the value n % 251.

    `fault` may be set from any thread at any time. Counted are opened, closed, discarded and
    touched_after_close: grabs from a device that is not open.
    """

    def __init__(
        self, fault: Fault = Fault.NONE, width: int = 32, height: int = 24, period: float = 0.01
    ) -> None:
        self.fault = fault
        self.size = (width, height)
        self.period = period
        self.opened = 0
        self.closed = 0
        self.discarded = 0
        self.touched_after_close = 0
        self.number = 0
        self.threads: set[int] = set()
        self.hanging = threading.Event()
        self._released = threading.Event()
        self._is_open = False
        self._stamp_ns = 0

    def let_go(self) -> None:
        """Let the hanging driver return, with an image."""
        self._released.set()

    def open(self) -> CameraFacts:
        self.threads.add(threading.get_ident())
        if self.fault is Fault.HANG:
            self._hang()
        if self.fault is Fault.DIE:
            raise DeviceMissingError('no camera found: the double is unplugged')
        self.opened += 1
        self._is_open = True
        return CameraFacts('double', *self.size, 1.0 / self.period, Calibration())

    def grab(self, timeout: float) -> Frame | None:
        self.threads.add(threading.get_ident())
        if not self._is_open:
            self.touched_after_close += 1
        fault = self.fault
        if fault is Fault.HANG:
            self._hang()
        elif fault is Fault.STALL:
            time.sleep(min(timeout, 0.02))
            return None
        elif fault is Fault.DIE:
            raise DeviceLostError('the double was unplugged')
        elif fault is Fault.END:
            raise SourceEndedError('the recording is over')
        elif fault is Fault.BUG:
            raise KeyError('a bug in its driver')
        time.sleep(self.period)
        if fault is not Fault.FREEZE:
            self.number += 1
        if fault is not Fault.OLD_STAMP:
            self._stamp_ns = time.time_ns()
        width, height = self.size
        if fault is Fault.RESIZE:
            width += 8
        image = np.full((height, width, 3), self.number % 251, np.uint8)
        if fault is Fault.SHAPE:
            image = image[:, :, 0]
        return Frame(image, None, self._stamp_ns)

    def discard(self) -> None:
        self.threads.add(threading.get_ident())
        self.discarded += 1

    def notes(self) -> dict[str, str]:
        return {'fault': self.fault.name}

    def close(self) -> None:
        self.threads.add(threading.get_ident())
        self.closed += 1
        self._is_open = False

    def _hang(self) -> None:
        self.hanging.set()
        self._released.wait()
