# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A camera of the kernel's Video4Linux: USB, GMSL. By its permanent name, with the driver's stamps.

The device is looked up at each opening: after a reconnection it may have another number.
"""

import errno
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from vla_camera.source import (
    Calibration,
    CameraFacts,
    DeviceLostError,
    DeviceMissingError,
    Frame,
    Source,
)
from vla_camera.v4l2.controls import read_controls, set_controls
from vla_camera.v4l2.device import Mode, RawFrame, System, VideoDevice
from vla_camera.v4l2.discovery import DEV, ORDER, NoDeviceError, choose, offer, resolve
from vla_camera.v4l2.pixels import JPEG, decode
from vla_common.errors import ConfigError

FIRST_FRAME_WITHIN = 5.0  # s after the stream was started
OLDEST_NS = 1_000_000_000
"""Age of a frame above which it is dropped: it waited in a driver."""
REMEDIES = {
    errno.EBUSY: 'another program uses it: end that one',
    errno.EACCES: 'add the user to the group video',
    errno.ENODEV: 'it was unplugged',
    errno.ENOSPC: 'the USB controller has no bandwidth left: another port, or a smaller picture',
}


class V4l2Source(Source):
    """device: see `discovery.resolve`. width, height, rate: requested, 0 for the device's own.
    system, dev: of the machine, for tests."""

    slow_remedy = (
        'more light, or controls: [exposure_dynamic_framerate=0]; '
        'else another USB port or a smaller picture'
    )

    def __init__(
        self,
        device: str,
        width: int,
        height: int,
        rate: float,
        system: System | None = None,
        dev: Path = DEV,
        clocks: Callable[[], tuple[int, int]] = lambda: (time.time_ns(), time.monotonic_ns()),
        controls: Sequence[str] = (),
    ) -> None:
        self._device = device
        self._requested = (width, height, rate)
        self._system, self._dev, self._clocks = system, dev, clocks
        self._controls = read_controls(controls)
        self._video: VideoDevice | None = None
        self._mode = Mode('', 0, 0, 0.0)
        self._sequence: int | None = None
        self._ends = False  # its JPEG images end as they should: one that does not is cut off
        self._newest = b''
        self.lost = self.skipped = self.corrupt = self.repeated = self.old = 0

    @classmethod
    def from_parameters(cls, params: Any, robot: Any) -> Self:
        p = params
        return cls(p.device, p.width, p.height, p.rate, controls=p.controls)

    @classmethod
    def device_parameter(cls, params: Any) -> tuple[str, str]:
        return 'device', 'a camera of "ros2 run vla_camera list": by-id/…, or a part of that name'

    def open(self) -> CameraFacts:
        self.close()
        path = self._device
        try:
            path = resolve(self._device, self._dev)
            self._video = VideoDevice(path, self._system)
            return self._start(path, self._video)
        except NoDeviceError as error:
            raise DeviceMissingError(str(error)) from error
        except OSError as error:
            self.close()
            raise DeviceMissingError(f'{path}: {_reason(error)}') from error
        except (DeviceMissingError, ConfigError):
            self.close()
            raise

    def _start(self, path: str, video: VideoDevice) -> CameraFacts:
        if not video.captures:
            raise DeviceMissingError(f'{path} ({video.card}) gives no pictures: metadata only?')
        set_controls(video, self._controls)  # again after a reconnection: it has forgotten them
        modes = video.modes()
        wanted = choose(modes, video.present(), *self._requested)
        if wanted is None:
            raise DeviceMissingError(
                f'{path} ({video.card}) gives none of {", ".join(ORDER)}; it offers {offer(modes)}'
            )
        self._mode = video.start(wanted)
        if self._mode.pixels not in ORDER:
            raise DeviceMissingError(
                f'{path} ({video.card}) takes {wanted}, and gives {self._mode}'
            )
        self._sequence, self._ends = None, False
        deadline = time.monotonic() + FIRST_FRAME_WITHIN
        while (first := self._take(0.2)) is None:
            if time.monotonic() > deadline:
                what = f'{path} ({video.card}) streams {self._mode}, and no frame comes'
                raise DeviceMissingError(f'{what}: another USB port or cable?')
        self._ends = self._mode.pixels == JPEG and _has_end(self._newest)
        height, width = first.color.shape[:2]
        device = f'{video.card} ({path}), {self._mode.pixels}'
        advice = f'it offers {offer(modes)}'
        return CameraFacts(device, width, height, self._mode.rate, Calibration(), advice=advice)

    def grab(self, timeout: float) -> Frame | None:
        try:
            return self._take(timeout)
        except (OSError, ValueError) as error:  # select: ValueError for a descriptor that is gone
            raise DeviceLostError(f'{self._device or "camera"}: {_reason(error)}') from error

    def discard(self) -> None:
        """Drop what waits in the driver's buffers."""
        if self._video is not None:
            self._sequence = None
            try:
                self._video.take(0.0)
            except (OSError, ValueError) as error:
                raise DeviceLostError(f'{self._device or "camera"}: {_reason(error)}') from error

    def notes(self) -> dict[str, str]:
        return {
            'mode': str(self._mode),
            'frames_lost_in_the_driver': str(self.lost),
            'frames_skipped': str(self.skipped),
            'frames_corrupt': str(self.corrupt),
            'frames_repeated': str(self.repeated),
            'frames_too_old': str(self.old),
        }

    def close(self) -> None:
        video, self._video = self._video, None
        if video is not None:
            video.close()

    def _take(self, timeout: float) -> Frame | None:
        if self._video is None:
            raise DeviceLostError(f'{self._device or "camera"} is not open')
        raw = self._video.take(timeout)
        if raw is None or not self._is_new(raw):
            return None
        stamp_ns, age_ns = self._stamp(raw)
        if age_ns > OLDEST_NS:
            self.old += 1
            return None
        color, self._newest = self._decoded(raw.content), raw.content
        return None if color is None else Frame(color, None, stamp_ns)

    def _is_new(self, raw: RawFrame) -> bool:
        """Count by the driver's sequence; False for a frame that it gave before."""
        before, self._sequence = self._sequence, raw.sequence
        self.skipped += raw.skipped
        if before == raw.sequence:
            self.repeated += 1
            return False
        if before is not None:
            missing = (raw.sequence - before - 1) & 0xFFFFFFFF
            # A driver that was reset counts from 0 again.
            self.lost += missing - raw.skipped if raw.skipped <= missing < 1000 else 0
        if not raw.intact:
            self.corrupt += 1
        return raw.intact

    def _stamp(self, raw: RawFrame) -> tuple[int, int]:
        """System time and age (ns): of the capture by the driver, else of the arrival."""
        wall_ns, monotonic_ns = self._clocks()
        if raw.stamp_ns is None or raw.stamp_ns > monotonic_ns:
            return wall_ns, 0
        age_ns = monotonic_ns - raw.stamp_ns
        return wall_ns - age_ns, age_ns

    def _decoded(self, content: bytes) -> np.ndarray | None:
        mode = self._mode
        assert self._video is not None
        step = self._video.bytes_per_line
        color = decode(content, mode.pixels, mode.width, mode.height, step)
        if color is None or (self._ends and not _has_end(content)):
            self.corrupt += 1
            return None
        return color


def _has_end(jpeg: bytes) -> bool:
    """Whether the end marker is there; drivers pad with zeros."""
    return jpeg[-4096:].rstrip(b'\0').endswith(b'\xff\xd9')


def _reason(error: OSError | ValueError) -> str:
    number = getattr(error, 'errno', None)
    text = getattr(error, 'strerror', None) or str(error)
    return f'{text} ({REMEDIES[number]})' if number in REMEDIES else text
