# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A double of `pyzed.sl` with one camera that misbehaves, by the API of ZED SDK 5.4."""

import enum
import time
from types import SimpleNamespace

import numpy as np


class ErrorCode(enum.Enum):
    CORRUPTED_FRAME = -2
    CAMERA_REBOOTING = -1
    SUCCESS = 0
    FAILURE = 1
    CAMERA_NOT_DETECTED = 4
    END_OF_SVOFILE_REACHED = 12
    CAMERA_FAILED_TO_SETUP = 26


class Mat:
    def __init__(self):
        self.data = None

    def get_data(self):
        return self.data


class Sdk:
    """rate: Hz at which images really come. Faults, to be set at any time: plugged (False),
    gone_in_open, silent (grab waits), frozen, corrupt, same_stamp, size, late (s), serials."""

    ERROR_CODE = ErrorCode
    RESOLUTION = enum.Enum('RESOLUTION', 'HD2K HD1080 HD720 VGA AUTO')
    UNIT = enum.Enum('UNIT', 'MILLIMETER METER')
    DEPTH_MODE = enum.Enum('DEPTH_MODE', 'NONE NEURAL')
    VIEW = enum.Enum('VIEW', 'LEFT RIGHT')
    MEASURE = enum.Enum('MEASURE', 'DEPTH')
    TIME_REFERENCE = enum.Enum('TIME_REFERENCE', 'IMAGE CURRENT')
    SENSOR_LOCATION = enum.Enum('SENSOR_LOCATION', 'IMU BAROMETER ONBOARD_LEFT ONBOARD_RIGHT')
    Mat = Mat

    def __init__(self):
        self.rate, self.size, self.serials = 100.0, (672, 376), [1234]
        self.plugged = True
        self.gone_in_open = self.silent = self.frozen = self.corrupt = self.same_stamp = False
        self.late = 0.0
        self.count = self.opened = self.closed = 0
        self.ends_after = None
        self.request = None
        self.Camera = type('Camera', (Camera,), {'sdk': self})

    def InitParameters(self):  # noqa: N802
        given = SimpleNamespace(camera_fps=0, depth_mode=self.DEPTH_MODE.NEURAL)
        given.set_from_serial_number = lambda serial: setattr(given, 'serial', serial)
        given.set_from_svo_file = lambda path: setattr(given, 'svo', path)
        self.request = given
        return given

    def SensorsData(self):  # noqa: N802
        where = self.SENSOR_LOCATION
        degrees = {where.IMU: 47.5, where.ONBOARD_LEFT: 51.0, where.ONBOARD_RIGHT: -1.0}
        return SimpleNamespace(get_temperature_data=lambda: SimpleNamespace(get=degrees.get))


class Camera:
    sdk: Sdk

    def __init__(self):
        self.is_open, self.next, self.stamp_ns = False, 0.0, 0

    @classmethod
    def get_device_list(cls):
        serials = cls.sdk.serials if cls.sdk.plugged else []
        return [SimpleNamespace(camera_model='ZED 2i', serial_number=s) for s in serials]

    def open(self, request):
        assert request.coordinate_units is self.sdk.UNIT.METER
        if self.sdk.gone_in_open:
            self.sdk.plugged = False
        if not self.sdk.plugged:
            return ErrorCode.CAMERA_NOT_DETECTED
        self.sdk.opened += 1
        self.is_open, self.next = True, time.monotonic()
        return ErrorCode.SUCCESS

    def is_opened(self):
        return self.is_open

    def close(self):
        if self.is_open:
            self.sdk.closed += 1
        self.is_open = False

    def get_camera_information(self):
        lens = SimpleNamespace(fx=260.0, fy=261.0, cx=336.0, cy=188.0)
        width, height = self.sdk.size
        setup = SimpleNamespace(
            resolution=SimpleNamespace(width=width, height=height), fps=100.0,
            calibration_parameters=SimpleNamespace(left_cam=lens),
        )  # fmt: skip
        return SimpleNamespace(
            camera_model='ZED 2i', serial_number=1234, camera_configuration=setup
        )

    def grab(self):
        assert self.is_open
        sdk = self.sdk
        if sdk.silent:
            time.sleep(0.1)
            return ErrorCode.CAMERA_REBOOTING
        time.sleep(max(0.0, self.next - time.monotonic()))
        self.next = max(self.next + 1.0 / sdk.rate, time.monotonic())
        if not sdk.plugged:
            return ErrorCode.CAMERA_NOT_DETECTED
        if sdk.corrupt:
            return ErrorCode.CORRUPTED_FRAME
        if sdk.ends_after is not None and sdk.count >= sdk.ends_after:
            return ErrorCode.END_OF_SVOFILE_REACHED
        sdk.count += not sdk.frozen
        if not sdk.same_stamp:
            self.stamp_ns = time.time_ns() - round(1e9 * sdk.late)
        return ErrorCode.SUCCESS

    def get_timestamp(self, reference):
        return SimpleNamespace(get_nanoseconds=lambda: self.stamp_ns)

    def retrieve_image(self, mat, view):
        width, height = self.sdk.size
        mat.data = np.zeros((height, width, 4), np.uint8)
        mat.data[..., 2], mat.data[..., 1], mat.data[..., 3] = 200, self.sdk.count % 250, 255
        return ErrorCode.SUCCESS

    def retrieve_measure(self, mat, measure):
        width, height = self.sdk.size
        mat.data = np.full((height, width), 1.5, np.float32)
        mat.data[0, :3] = np.nan, np.inf, -np.inf
        return ErrorCode.SUCCESS

    def get_sensors_data(self, sensors, reference):
        return ErrorCode.SUCCESS
