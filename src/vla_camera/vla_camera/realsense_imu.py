# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The IMU in a RealSense: its own sensor, beside the pipeline that waits for images."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from vla_camera.source import DeviceMissingError, ImuSample

KEPT = 2000
"""Samples that wait for the next image; 400 Hz come from a D455."""


def rotation_to(color: Any, motion: Any) -> np.ndarray:
    """(3, 3), from the axes of a motion stream to those of color. Raises DeviceMissingError."""
    try:
        columns = motion.get_extrinsics_to(color).rotation
    except RuntimeError as error:
        raise DeviceMissingError(
            'RealSense: how its IMU is turned against its color camera is not known '
            f'({error}); set imu: false, or calibrate it (rs-imu-calibration)'
        ) from error
    return np.array(columns).reshape(3, 3).T  # column by column


class RealSenseImu:
    """Each sample of the gyroscope, with the newest of the accelerometer.

    device, color: of the started pipeline. stamp: system time (ns) of a motion frame, None where it
    is not to be used. Raises DeviceMissingError: it has no IMU.
    """

    def __init__(
        self, rs: Any, device: Any, color: Any, stamp: Callable[[Any], int | None]
    ) -> None:
        self._gyro = rs.stream.gyro
        self._stamp = stamp
        self._lock = threading.Lock()
        self._samples: list[ImuSample] = []
        self._acceleration: np.ndarray | None = None
        self._last_ns = 0
        self.dropped = 0
        sensors = [s for s in device.query_sensors() if s.is_motion_sensor()]
        if not sensors:
            raise DeviceMissingError('RealSense: this one has no IMU; set imu: false')
        self._sensor = sensors[0]
        profiles = _fastest(self._sensor, (rs.stream.accel, self._gyro))
        self._rotation = rotation_to(color, profiles[-1])
        try:
            self._sensor.open(profiles)
            self._sensor.start(self._take)
        except RuntimeError as error:
            raise DeviceMissingError(f'RealSense: its IMU does not start: {error}') from error

    def drain(self) -> tuple[ImuSample, ...]:
        """The samples since the last call."""
        with self._lock:
            samples, self._samples = self._samples, []
        return tuple(samples)

    def close(self) -> None:
        """Idempotent; a device that is gone is closed all the same."""
        sensor, self._sensor = self._sensor, None
        if sensor is not None:
            try:
                sensor.stop()
                sensor.close()
            except RuntimeError:
                pass  # unplugged

    def _take(self, frame: Any) -> None:
        """Called in a thread of librealsense."""
        v = frame.as_motion_frame().get_motion_data()
        value = self._rotation @ (v.x, v.y, v.z)
        if frame.get_profile().stream_type() != self._gyro:
            self._acceleration = value
            return
        stamp_ns, acceleration = self._stamp(frame), self._acceleration
        finite = acceleration is not None and np.isfinite([*value, *acceleration]).all()
        with self._lock:
            if not finite or stamp_ns is None or stamp_ns <= self._last_ns:
                self.dropped += 1
                return
            assert acceleration is not None
            self._last_ns = stamp_ns
            self._samples.append(
                ImuSample(stamp_ns, tuple(map(float, value)), tuple(map(float, acceleration)))
            )
            if len(self._samples) > KEPT:
                del self._samples[: -KEPT // 2]
                self.dropped += KEPT // 2


def _fastest(sensor: Any, streams: tuple[Any, ...]) -> list[Any]:
    """One profile of each stream, the one of the highest rate. Raises DeviceMissingError."""
    found = []
    for stream in streams:
        fits = [p for p in sensor.get_stream_profiles() if p.stream_type() == stream]
        if not fits:
            raise DeviceMissingError(f'RealSense: its IMU has no {stream}')
        found.append(max(fits, key=lambda profile: profile.fps()))
    return found
